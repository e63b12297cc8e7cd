//! Redis Cluster: which master has which partition, and commands to all of them.
//!
//! # Layout
//!
//! - [`nodes`]: asks nodes which master has which slots.
//! - [`redirected`]: the answers by which a node says that a command was not executed there.
//! - [`router`]: sends each command to the master of its key, and follows redirections.
//! - [`blocking_reads`]: a blocking command in each partition at the same time.
//! - [`replication`]: the wait for the replicas of each master.
//!
//! Why not the cluster client of the library: it repeats a command whose connection broke, which would double a push;
//! its pipelines are for one slot; and it sends `PUBSUB SHARDNUMSUB` anywhere, which is answered with 0 by every node but
//! one.

pub(super) mod blocking_reads;
pub(crate) mod nodes;
mod redirected;
pub(super) mod replication;
pub(super) mod router;
