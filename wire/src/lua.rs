//! The Lua scripts. Redis executes each as one atomic step. The key and channels of a mailbox that a script
//! uses are among its `KEYS` and have one hash tag, as Redis Cluster requires (Redis manual, "EVAL").

use std::fmt::Write as _;
use std::sync::OnceLock;

use sha1::{Digest, Sha1};

/// Accepts a message: remembers its id, appends it to the log and publishes it.
pub static ACCEPT: Script = Script::new(include_str!("lua/accept.lua"));

/// Accepts a message for many receivers of one partition.
pub static ACCEPT_MANY: Script = Script::new(include_str!("lua/accept_many.lua"));

/// Appends an entry whose commit somebody waits for.
pub static APPEND: Script = Script::new(include_str!("lua/append.lua"));

/// Appends the recall of a message and tells the receiver's clients.
pub static RECALL: Script = Script::new(include_str!("lua/recall.lua"));

/// Publishes one message to many users of one partition.
pub static PUSH: Script = Script::new(include_str!("lua/push.lua"));

/// Revokes a user's tokens and closes the user's connections.
pub static DISCONNECT: Script = Script::new(include_str!("lua/disconnect.lua"));

/// Does that and appends the entry that removes what is kept of the user.
pub static FORGET: Script = Script::new(include_str!("lua/forget.lua"));

/// Sends a query to a daemon.
pub static QUERY: Script = Script::new(include_str!("lua/query.lua"));

/// Reads whose mailboxes the entries of a log change.
pub static RECEIVERS: Script = Script::new(include_str!("lua/receivers.lua"));

/// How much is in a log, and since when something waits.
pub static BACKLOG: Script = Script::new(include_str!("lua/backlog.lua"));

/// Appends an entry that MySQL had refused to the log again.
pub static REQUEUE: Script = Script::new(include_str!("lua/requeue.lua"));

/// Acquires the writer's lease if nobody holds it or its holder is gone.
pub static ACQUIRE: Script = Script::new(include_str!("lua/acquire.lua"));

/// Renews the writer's lease if this daemon still holds it.
pub static RENEW: Script = Script::new(include_str!("lua/renew.lua"));

/// Releases the writer's lease if this daemon still holds it.
pub static RELEASE: Script = Script::new(include_str!("lua/release.lua"));

/// Records a daemon's heartbeat and finds daemons that hang.
pub static HEARTBEAT: Script = Script::new(include_str!("lua/heartbeat.lua"));

/// Makes the next id of a log follow a position.
pub static REPAIR: Script = Script::new(include_str!("lua/repair.lua"));

/// Appends an entry of a client to the log of a Redis at `maxmemory`.
pub static ACK: Script = Script::new(include_str!("lua/ack.lua"));

/// Writes the installation record, also to a Redis at `maxmemory`.
pub static INSTALL: Script = Script::new(include_str!("lua/install.lua"));

/// Notes that users have connected.
pub static RETURNED: Script = Script::new(include_str!("lua/returned.lua"));

/// Forgets what was noted of users, unless they have connected again.
pub static RECORDED: Script = Script::new(include_str!("lua/recorded.lua"));

/// Writes what replicas are waited for, also to a Redis at `maxmemory`.
pub static MARK: Script = Script::new(include_str!("lua/mark.lua"));

/// A script and its digest, by which Redis identifies it.
#[derive(Debug)]
pub struct Script {
    source: &'static str,
    sha1: OnceLock<String>,
}

impl Script {
    const fn new(source: &'static str) -> Self {
        Self { source, sha1: OnceLock::new() }
    }

    /// The source, for `SCRIPT LOAD`.
    pub const fn source(&self) -> &'static str {
        self.source
    }

    /// The digest, for `EVALSHA`, in lower-case hexadecimal.
    pub fn sha1(&self) -> &str {
        self.sha1.get_or_init(|| {
            Sha1::digest(self.source).iter().fold(String::with_capacity(40), |mut hex, byte| {
                // Writing to a String cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_sha1() {
        assert_eq!(Script::new("abc").sha1(), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}
