//! Support for the end-to-end tests: real servers of their own, daemons, PHP and WebSocket clients.

pub mod child;
pub mod client;
pub mod daemon;
pub mod eventually;
pub mod php;
pub mod servers;
pub mod site;
