//! What operators use.
//!
//! # Layout
//!
//! - `admin`: the admin listener, with health, readiness and metrics. `state` reads what waits in the installation,
//!   `process` what the operating system says about the daemon, and `gauges` names both.
//! - [`check`]: `chatpushd check`. [`status`]: `chatpushd status`. [`online`]: `chatpushd online`.
//! - [`log_level`] and [`explain`]: `chatpushd log`.
//! - [`dead_letters`]: `chatpushd dead`. [`webhooks`]: `chatpushd webhook`.
//! - [`logging`]: structured logs.
//! - `reload`: SIGHUP. `rlimit`: the open-file limit.
//! - `service_manager`: what systemd is told.
//! - `signals`: SIGTERM, SIGINT, SIGHUP.

pub(crate) mod admin;
pub mod adopt;
pub mod check;
pub mod dead_letters;
pub mod explain;
mod gauges;
pub mod log_level;
pub mod logging;
pub mod online;
pub(crate) mod process;
pub(crate) mod reload;
pub(crate) mod rlimit;
pub(crate) mod service_manager;
pub(crate) mod signals;
pub(crate) mod state;
pub mod status;
pub mod webhooks;
