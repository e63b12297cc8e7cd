//! The push daemon.
//!
//! It holds the live WebSocket connections, answers the extension's look-ups and performs every MySQL
//! write. Modules in reading order, from what is configured to what a browser sees:

pub mod cli;
pub mod clock;
pub mod origin;
pub mod address;
pub mod config;
pub mod logging;
pub mod outage;
pub mod metrics;
pub mod fault_injection;
pub mod position;
pub mod batch;
pub mod bus;
pub mod store;
pub mod barrier;
pub mod repair;
pub mod writer;
pub mod question;
pub mod reader;
pub mod close;
pub mod hub;
pub mod delivery;
pub mod presence;
pub mod confirm;
pub mod flush;
pub mod rate;
pub mod admission;
pub mod session;
pub mod client_js;
pub mod http;
pub mod tls;
pub mod proxied;
pub mod entrance;
pub mod admin;
pub mod check;
pub mod dead;
pub mod files;
pub mod goodbye;
pub mod run;
