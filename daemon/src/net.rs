//! Who a connection belongs to, and how often something may happen. What HTTP clients share.
//! Nothing here opens a socket.

pub mod client_ip;
pub(crate) mod https;
pub mod origin;
pub mod proxy_protocol;
pub(crate) mod public_address;
pub(crate) mod rate_limit;
pub(crate) mod retry_after;
