//! From Redis to this daemon's connections.
//!
//! # Layout
//!
//! - `subscriptions`: which channels the daemon is subscribed to for its connections.
//! - `subscriber`: the connection that holds the subscriptions.
//! - `masters`: in a cluster, there is one such connection to each.
//! - `leaving`: channels that a cluster has moved.
//! - `subscriber_clients`: ends such connections when they are dead.
//! - `heartbeat`: daemons notice when another one hangs.
//! - `log_repair`: what is done to the logs before subscribing.
//! - [`presence`]: whose peers are online.
//! - [`connection_queries`]: answers an operator how many connections users have.
//! - [`room_queries`]: answers who is in a room.
//! - [`dispatch`]: hands what the subscriptions bring to the hub and to the query queue.

pub mod dispatch;
mod heartbeat;
mod leaving;
mod log_repair;
mod masters;
pub mod presence;
pub mod connection_queries;
pub mod room_queries;
pub(crate) mod subscriber;
mod subscriber_clients;
pub(crate) mod subscriptions;
