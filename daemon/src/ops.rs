//! What operators use.
//!
//! # Layout
//!
//! - `admin`: the admin listener, with health, readiness and metrics.
//! - [`check`]: `chatpushd check`.
//! - [`dead_letters`]: `chatpushd dead`. [`webhooks`]: `chatpushd webhook`.
//! - [`logging`]: structured logs.
//! - `rlimit`: the open-file limit.
//! - `service_manager`: what systemd is told.
//! - `signals`: SIGTERM, SIGINT, SIGHUP.

pub(crate) mod admin;
pub mod adopt;
pub mod check;
pub mod dead_letters;
pub mod logging;
pub(crate) mod rlimit;
pub(crate) mod service_manager;
pub(crate) mod signals;
pub mod webhooks;
