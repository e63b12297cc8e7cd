//! A running peer: how clients connect, how PHP calls it, and its processes.

use chatpush_stack::server::Server;

use crate::connect_spec::ConnectSpec;

/// A running peer. Dropping it stops its servers.
pub struct Peer {
    /// How clients connect.
    pub connect_specs: ConnectSpecs,
    /// How PHP calls it.
    pub php: Php,
    /// The server processes between PHP and the client's socket, without Redis.
    pub servers: Vec<Server>,
    /// Whether messages go through Redis.
    pub uses_redis: bool,
}

/// How clients connect.
pub enum ConnectSpecs {
    /// One connection for each user.
    PerUser(Box<dyn Fn(u32) -> ConnectSpec>),
    /// One connection for all users.
    Shared(Box<SharedSpec>),
}

/// Makes the connection that receives the messages of several users.
pub type SharedSpec = dyn Fn(&[u32]) -> ConnectSpec;

/// How PHP calls a peer.
#[derive(Clone, Debug, Default)]
pub struct Php {
    /// The script in `bench/php/peer`, without `.php`.
    pub peer: &'static str,
    /// Settings for `php -d`.
    pub settings: Vec<String>,
    /// Environment variables that the script reads.
    pub environment: Vec<(&'static str, String)>,
}

impl Php {
    /// The same with an environment variable added or replaced.
    #[must_use]
    pub fn with_variable(&self, name: &'static str, value: &str) -> Self {
        let mut php = self.clone();
        php.environment.retain(|(known, _)| *known != name);
        php.environment.push((name, value.to_owned()));
        php
    }

    /// The same with one more setting.
    #[must_use]
    pub fn with_setting(&self, setting: &str) -> Self {
        let mut php = self.clone();
        php.settings.push(setting.to_owned());
        php
    }
}

impl Peer {
    /// How the clients of these users connect.
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
