//! Errors that Redis answers with: what they mean, and whether anything was executed.

use std::fmt;

/// An error that Redis answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RedisError {
    kind: Kind,
    text: String,
}

/// What the error means. The first word of an error says it; after `ERR`, its text does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Memory,
    Replica,
    Disk,
    Replicas,
    Loading,
    Busy,
    Login,
    Account,
    NoLogin,
    Permission,
    Cluster,
    Slot,
    NoCluster,
    Sentinel,
    Clients,
    Protected,
    Command,
    Database,
    Type,
    Other,
}

/// How errors begin (`server.c`, `acl.c`, `networking.c` and `cluster.c` of Redis 7 and 8).
const KINDS: &[(&str, Kind)] = &[
    ("OOM ", Kind::Memory),
    ("READONLY ", Kind::Replica),
    ("MASTERDOWN ", Kind::Replica),
    ("MISCONF ", Kind::Disk),
    ("NOREPLICAS ", Kind::Replicas),
    ("LOADING ", Kind::Loading),
    ("BUSY ", Kind::Busy),
    ("NOAUTH ", Kind::Login),
    ("WRONGPASS ", Kind::Account),
    ("NOPERM ", Kind::Permission),
    ("CLUSTERDOWN ", Kind::Cluster),
    ("MOVED ", Kind::Cluster),
    ("ASK ", Kind::Cluster),
    ("TRYAGAIN ", Kind::Cluster),
    ("CROSSSLOT ", Kind::Cluster),
    ("DENIED ", Kind::Protected),
    ("NOPROTO ", Kind::Command),
    ("WRONGTYPE ", Kind::Type),
    ("ERR max number of clients", Kind::Clients),
    ("ERR This instance has cluster support disabled", Kind::NoCluster),
    ("ERR unknown command", Kind::Command),
    ("ERR unknown subcommand", Kind::Command),
    ("ERR AUTH <password> called without any password", Kind::NoLogin),
    ("ERR DB index is out of range", Kind::Database),
    ("ERR SELECT is not allowed in cluster mode", Kind::Cluster),
    // In a script: of Redis 7.0, and of later versions.
    ("ERR The user executing the script can't", Kind::Permission),
    ("ERR ACL failure in script", Kind::Permission),
];

impl RedisError {
    /// The error of that text.
    pub(super) fn new(text: String) -> Self {
        let kind = KINDS.iter().find(|(start, _)| text.starts_with(start));
        Self { kind: kind.map_or(Kind::Other, |(_, kind)| *kind), text }
    }

    /// The server says with its answer to HELLO that it is a replica.
    pub(super) fn replica() -> Self {
        Self { kind: Kind::Replica, text: "HELLO says role: replica".to_owned() }
    }

    /// The server says with its answer to HELLO that it is a Sentinel.
    pub(super) fn sentinel() -> Self {
        Self { kind: Kind::Sentinel, text: "HELLO says mode: sentinel".to_owned() }
    }

    /// The error as it is meant to whoever has asked a node of a cluster as one: that the slot is elsewhere, on its way
    /// to another master, or served by none.
    pub(super) fn of_slot(mut self) -> Self {
        if self.is_of_slot() {
            self.kind = Kind::Slot;
        }
        self
    }

    /// Whether a node of a cluster does not serve the slot, now.
    pub(super) fn is_of_slot(&self) -> bool {
        let starts = ["MOVED ", "ASK ", "TRYAGAIN ", "CLUSTERDOWN "];
        starts.into_iter().any(|start| self.text.starts_with(start))
    }

    /// Whether the cluster serves no keys at all, while it goes on to publish.
    pub(super) fn is_down(&self) -> bool {
        self.text.starts_with("CLUSTERDOWN ")
    }

    /// Whether the server has said that it is a replica when it was asked for its role.
    pub(super) fn is_role(&self) -> bool {
        *self == Self::replica()
    }

    /// As Redis words it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is certain that nothing was executed. Redis refuses a command before it executes it. In a
    /// script, earlier commands were executed; but these errors come only with the first write (`script.c`,
    /// `scriptVerifyWriteCommandAllow` and `scriptVerifyOOM`).
    pub(super) fn was_not_executed(&self) -> bool {
        match self.kind {
            Kind::Memory | Kind::Replica | Kind::Disk | Kind::Replicas => true,
            _ => !self.text.contains("@user_script"),
        }
    }

    /// Whether the server wants a password, and has been given none.
    pub(super) const fn needs_login(&self) -> bool {
        matches!(self.kind, Kind::Login)
    }

    /// Whether it may be over in a moment: after a start, a script, or a failover.
    pub(super) const fn is_passing(&self) -> bool {
        matches!(self.kind, Kind::Loading | Kind::Busy | Kind::Replica | Kind::Clients | Kind::Slot)
    }

    /// Whether it may be over without a change of the settings, sooner or later.
    pub(super) const fn is_temporary(&self) -> bool {
        self.is_passing() || matches!(self.kind, Kind::Memory | Kind::Disk | Kind::Replicas)
    }

    /// What is the matter with Redis, behind "Redis at …".
    pub(super) const fn what(&self) -> &'static str {
        match self.kind {
            Kind::Memory => "has reached its maxmemory",
            Kind::Replica => "is a replica",
            Kind::Disk => "cannot save its data to disk",
            Kind::Replicas => "has fewer replicas than it needs",
            Kind::Loading => "is still loading its data",
            Kind::Busy => "is blocked by a script",
            Kind::Login => "needs a password",
            Kind::Account => "refuses the user name or the password",
            Kind::NoLogin => "has no password, but one was given",
            Kind::Permission => "denies a permission",
            Kind::Cluster => "is a cluster",
            Kind::Slot => "does not serve this slot",
            Kind::NoCluster => "is not a cluster",
            Kind::Sentinel => "is a Sentinel",
            Kind::Clients => "takes no more connections",
            Kind::Protected => "is in protected mode",
            Kind::Command => "does not know a command",
            Kind::Database => "does not have this database",
            Kind::Type => "has a key of another type under a name of chatpush",
            Kind::Other => "answered with an error",
        }
    }

    /// What to do about it.
    pub(super) const fn fix(&self) -> Option<&'static str> {
        Some(match self.kind {
            Kind::Memory => "raise maxmemory, and see whether chatpushd and MySQL keep up",
            Kind::Replica => "chatpush.redis_url must lead to the master; in a failover, try again",
            Kind::Disk => "see the log of Redis: is the disk full?",
            Kind::Replicas => "see min-replicas-to-write and the replicas",
            Kind::Loading => "it was started a moment ago: try again",
            Kind::Busy => "SCRIPT KILL ends a script that has not written",
            Kind::Login => {
                "write it into chatpush.redis_url: redis://:password@host or \
                            redis://user:password@host"
            }
            Kind::Account => {
                "see chatpush.redis_url, where special characters must be percent-encoded, and \
                              ACL LIST"
            }
            Kind::NoLogin => "take the password out of chatpush.redis_url, or set requirepass",
            Kind::Permission => "docs/operations.md has the ACL of the PHP account",
            Kind::Cluster => "write it as redis+cluster://host:port,host:port into chatpush.redis_url",
            Kind::Slot => "in a failover, or while slots move, try again; see redis-cli --cluster check",
            Kind::NoCluster => "write it as redis://host:port into chatpush.redis_url",
            Kind::Sentinel => "write it as redis+sentinel://host:port,host:port/NAME into chatpush.redis_url",
            Kind::Clients => "raise maxclients",
            Kind::Protected => "set a password, and see bind and protected-mode",
            Kind::Command => "chatpush needs Redis 7.0 or newer, with no command renamed",
            Kind::Database => {
                "see the end of chatpush.redis_url, and databases in the configuration of Redis"
            }
            Kind::Type => "another application uses the same names: give chatpush another prefix",
            Kind::Other => return None,
        })
    }
}

impl fmt::Display for RedisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for RedisError {}
