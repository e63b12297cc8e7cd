//! The push daemon.
//!
//! It holds the live WebSocket connections, answers the extension's look-ups and performs every MySQL
//! write. Modules in reading order, from what is configured to what a browser sees:

pub mod batch;
pub mod bus;
pub mod check;
pub mod cli;
pub mod close;
pub mod config;
pub mod confirm;
pub mod delivery;
pub mod flush;
pub mod http;
pub mod hub;
pub mod logging;
pub mod outage;
pub mod position;
pub mod presence;
pub mod reader;
pub mod run;
pub mod session;
pub mod store;
pub mod writer;
