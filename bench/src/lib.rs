//! Measures chatpush beside what a user would pick instead: real servers, real PHP, one machine, one run.
//!
//! PHP processes publish, receiver processes hold the connections, and this program starts both, reads what the
//! kernel says of the servers, and sets the figures side by side.
//!
//! Modules in reading order:

// Figures are shown with three digits and drawn in pixels; what a conversion may cost is far below that.
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

pub mod cli;
pub mod run;
pub mod scenarios;
pub mod budget;
pub mod metrics;
pub mod peers;
pub mod peer;
pub mod bench_env;
pub mod cache;
pub mod publisher;
pub mod fpm;
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
