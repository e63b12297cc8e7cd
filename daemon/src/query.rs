//! Queries of the extension (`getOfflineMessage`, `getUnreadCount`).
//!
//! # Layout
//!
//! - [`queue`]: queries on this daemon's own channel.
//! - `server`: answers queries.
//! - `barrier`: waits until MySQL holds what was accepted before the query.

pub(crate) mod barrier;
pub mod queue;
pub(crate) mod server;
