//! From Redis to this daemon's connections: subscriptions, the dispatch of what they bring, and the repair of the logs
//! before subscribing.

pub mod dispatch;
pub mod log_repair;
pub mod subscriptions;
