//! Support for the end-to-end tests: real servers of their own, daemons, PHP and WebSocket clients.

pub mod eventually;
pub mod servers;
pub mod test_env;
pub mod daemon;
pub mod php;
pub mod client;
