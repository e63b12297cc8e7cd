//! Everything browsers reach: the listener, admission, TLS, the handshake, the session of one connection, the replay
//! of stored messages, and the client's acknowledgements.

pub mod acks;
pub mod admission;
pub mod client_js;
pub mod handshake;
pub mod listener;
pub mod replay;
pub mod session;
pub mod tls;
