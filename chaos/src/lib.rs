//! A fault injection test: it breaks the parts of an installation in an order drawn from a seed, while PHP
//! workers send messages and WebSocket clients come and go. At the end it checks the fate of every message.
//!
//! # Layout
//!
//! - [`cli`]: the command line
//! - [`run`]: one run, from the start of the cluster to the report
//! - [`engine`]: the kinds of servers behind the daemons
//! - [`fault`]: the kinds of faults, and the schedule that a seed draws
//! - `cluster`: Redis, the database and the daemons; each can be killed and started again
//! - `redis_servers`: one Redis, or a cluster
//! - `redis_pair`: a master of Redis and its replica
//! - `schema`: the application's tables, and the ids of its users
//! - `database`: one server, a primary with its replica, or a Galera cluster
//! - `mysql_faults`: faults of the database
//! - `application`: the application's own writes on another node of Galera
//! - `workers`: PHP processes that call the extension
//! - `clients`: WebSocket clients
//! - `notifications`: an application that receives webhooks, and users who are away
//! - `history`: the record of all calls and connections
//! - `checker`: searches the history for violations

pub mod cli;
pub mod engine;
pub mod run;
pub mod fault;
mod cluster;
mod redis_servers;
mod redis_pair;
mod database;
mod schema;
mod mysql_faults;
mod application;
mod workers;
mod clients;
mod notifications;
mod history;
mod checker;
