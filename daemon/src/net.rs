//! Who a connection belongs to, and how often something may happen. Nothing here opens a socket.

pub mod client_ip;
pub mod origin;
pub mod proxy_protocol;
pub(crate) mod rate_limit;
