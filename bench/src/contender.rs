//! A peer that runs: where clients connect, how PHP calls it, and which processes it consists of.

use chatpush_stack::server::Server;

use crate::hello::Hello;

/// A running peer. Its servers end when it is dropped.
pub struct Contender {
    /// How the clients of some users connect.
    pub hellos: Hellos,
    /// How PHP calls it.
    pub php: Php,
    /// The processes that stand between PHP and the socket, with all their children. Redis is counted by itself.
    pub servers: Vec<Server>,
    /// Whether messages go through Redis.
    pub uses_redis: bool,
}

/// How clients connect.
pub enum Hellos {
    /// Each by itself.
    Each(Box<dyn Fn(u32) -> Hello>),
    /// One for everybody.
    All(Box<Together>),
}

/// The one client of several users.
pub type Together = dyn Fn(&[u32]) -> Hello;

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

impl Contender {
    /// How the clients of some users connect.
    pub fn hellos(&self, users: impl IntoIterator<Item = u32>) -> Vec<Hello> {
        match &self.hellos {
            Hellos::Each(hello) => users.into_iter().map(hello).collect(),
            Hellos::All(hello) => vec![hello(&users.into_iter().collect::<Vec<_>>())],
        }
    }

    /// The process ids of its servers.
    pub fn pids(&self) -> Vec<u32> {
        self.servers.iter().map(Server::pid).collect()
    }
}
