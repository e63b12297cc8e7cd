//! The push daemon: it holds the WebSocket connections, answers the extension's queries and performs every
//! MySQL write.
//!
//! # Layout
//!
//! A group uses only groups above it in this list; `tests/it/architecture.rs` holds the exact table.
//!
//! - [`base`]: the clock, metrics, backoff, and faults injected for tests.
//! - [`net`]: client addresses behind proxies, origins, the PROXY protocol, rate limits.
//! - [`config`]: the settings, from file and environment.
//! - [`cli`]: the command line.
//! - [`log`]: positions in the log, and the plan of one transaction.
//! - `broker`: Redis: commands, the log, the writer's lease, query lists, replies.
//! - [`store`]: MySQL: every SQL statement.
//! - `services`: what the groups below share.
//! - `installation`: whether Redis, the database and this version belong together.
//! - `barrier`: waits until MySQL holds what was accepted for a user.
//! - `writer`: applies the log to MySQL, in order and exactly once.
//! - `notify`: whom somebody is to be told about.
//! - `webhook`: tells the application of them, and of what has happened.
//! - `web_push`: tells browsers of them.
//! - [`query`]: answers the extension's queries.
//! - [`hub`]: who is connected to this daemon, with a bounded outbox for each connection.
//! - `announce`: who came and who went, for the application.
//! - [`fanout`]: subscriptions in Redis, and the dispatch of what they bring to the hub.
//! - [`edge`]: what browsers reach: listener, admission, handshake, session, replay.
//! - [`ops`]: what operators use: admin listener, logs, `check`, dead letters.
//! - [`run`]: puts everything together for `chatpushd run`.

pub(crate) mod announce;
pub(crate) mod barrier;
pub mod base;
pub(crate) mod broker;
pub mod cli;
pub mod config;
pub mod edge;
pub mod fanout;
pub mod hub;
pub(crate) mod installation;
pub mod log;
pub mod net;
pub(crate) mod notify;
pub mod ops;
pub mod query;
pub mod run;
pub(crate) mod services;
pub mod store;
pub(crate) mod web_push;
pub(crate) mod webhook;
pub(crate) mod writer;
