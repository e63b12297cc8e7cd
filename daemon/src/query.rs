//! Queries of the extension (`getOfflineMessage`, `getUnreadCount`).
//!
//! # Layout
//!
//! - [`queue`]: queries on this daemon's own channel.
//! - `server`: answers queries.

pub mod queue;
pub(crate) mod server;
