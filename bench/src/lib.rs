//! Measures chatpush beside the alternatives that a PHP application could use instead (the peers), on one
//! machine in one run.
//!
//! PHP processes publish and receiver processes hold the clients' connections. This program starts both and
//! the servers, reads the servers' resource usage from `/proc`, and writes the results side by side.
//!
//! # Layout
//!
//! - `cli`, `run`, `scenarios`: the command line, a run, and one module per scenario.
//! - `peers`, `peer`, `connect_spec`: each peer, how it is started, and how clients connect to it.
//! - `bench_env`, `cache`: the shared servers, and the folder of installed peers.
//! - `publisher`, `fpm`: PHP processes that call, on the command line and in PHP-FPM.
//! - `webhook_receiver`: an application that is told by webhook.
//! - `clients`, `receiver_protocol`, `receiver`, `connection`, `frame`: the clients, from the side of the run
//!   and in a receiver process.
//! - `ipc`: the child processes and the lines that are exchanged with them.
//! - `message_header`, `ledger`, `latency`, `clock`: which messages arrived, and how late.
//! - `usage`, `profile`, `machine`: CPU time, memory, profiles, and the machine itself.
//! - `metrics`, `paired`, `counts`, `budget`, `report`, `plot`, `number_format`: the results.
//! - `capacity`: how many machines an application needs, by these results.

// Numbers are printed with three digits and drawn in pixels; the precision that a conversion may lose is far
// below.
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

pub mod cli;
pub mod run;
pub mod scenarios;
pub mod budget;
pub mod metrics;
pub mod paired;
pub mod counts;
pub mod peers;
pub mod peer;
pub mod bench_env;
pub mod cache;
pub mod publisher;
pub mod fpm;
pub mod webhook_receiver;
pub mod clients;
pub mod receiver_protocol;
pub mod ipc;
pub mod receiver;
pub mod connection;
pub mod connect_spec;
pub mod frame;
pub mod ledger;
pub mod message_header;
pub mod latency;
pub mod clock;
pub mod usage;
pub mod profile;
pub mod machine;
pub mod report;
pub mod plot;
pub mod number_format;
pub mod capacity;
