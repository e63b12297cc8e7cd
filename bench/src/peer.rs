//! A peer that runs: where clients connect, how PHP calls it, and which processes it consists of.

use chatpush_stack::server::Server;

use crate::connect_spec::ConnectSpec;

/// A running peer. Its servers end when it is dropped.
pub struct Peer {
    /// How the clients of some users connect.
    pub connect_specs: ConnectSpecs,
    /// How PHP calls it.
    pub php: Php,
    /// The processes that stand between PHP and the socket, with all their children. Redis is counted by itself.
    pub servers: Vec<Server>,
    /// Whether messages go through Redis.
    pub uses_redis: bool,
}

/// How clients connect.
pub enum ConnectSpecs {
    /// Each by itself.
    PerUser(Box<dyn Fn(u32) -> ConnectSpec>),
    /// One for everybody.
    Shared(Box<SharedSpec>),
}

/// The one client of several users.
pub type SharedSpec = dyn Fn(&[u32]) -> ConnectSpec;

/// How PHP calls a peer.
#[derive(Clone, Debug, Default)]
pub struct Php {
    /// The file in `bench/php/peer`.
    pub peer: &'static str,
    /// Directives of php.ini.
    pub settings: Vec<String>,
    /// What the file wants to know.
    pub environment: Vec<(&'static str, String)>,
}

impl Php {
    /// The same with one more thing to know, or another value for it.
    #[must_use]
    pub fn with(&self, name: &'static str, value: &str) -> Self {
        let mut php = self.clone();
        php.environment.retain(|(known, _)| *known != name);
        php.environment.push((name, value.to_owned()));
        php
    }

    /// The same with one more directive.
    #[must_use]
    pub fn set(&self, directive: &str) -> Self {
        let mut php = self.clone();
        php.settings.push(directive.to_owned());
        php
    }
}

impl Peer {
    /// How the clients of some users connect.
    pub fn connect_specs(&self, users: impl IntoIterator<Item = u32>) -> Vec<ConnectSpec> {
        match &self.connect_specs {
            ConnectSpecs::PerUser(spec) => users.into_iter().map(spec).collect(),
            ConnectSpecs::Shared(spec) => vec![spec(&users.into_iter().collect::<Vec<_>>())],
        }
    }

    /// The process ids of its servers.
    pub fn pids(&self) -> Vec<u32> {
        self.servers.iter().map(Server::pid).collect()
    }
}
