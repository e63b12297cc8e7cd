//! The kinds of servers behind the daemons.

use clap::ValueEnum;

/// The servers behind the daemons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// A Redis and a MariaDB, with replicas if there are to be failovers.
    #[default]
    Server,
    /// A Galera cluster, on another node of which the application writes the rows of the same users.
    Galera,
    /// A master and a replica of Redis, and Sentinels that are asked for the master.
    Sentinel,
    /// A Redis Cluster: three masters, each with a replica.
    Cluster,
}
