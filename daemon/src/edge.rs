//! What browsers reach.
//!
//! # Layout
//!
//! In the order in which a connection passes them:
//!
//! - `listener`: accepts sockets; the PROXY header, TLS (`tls`) and HTTP (`http_connection`).
//! - `admission`: limits on connections and handshakes; `limit_exceeded` is the answer to one beyond
//!   them.
//! - `rejection`: counts and logs rejected handshakes.
//! - `handshake`: checks origin and token (`revocations`), and upgrades (`upgrade`). `client_js` is the other
//!   thing that is served.
//! - `socket`: the WebSocket and how it is closed.
//! - `sessions`: registers the connection and runs its [`session`].
//! - `replay`: what the session sends first. `acks`: where the client's confirmations go, and
//!   `events` its events.

pub(crate) mod acks;
pub(crate) mod admission;
pub(crate) mod client_js;
pub mod events;
pub(crate) mod handshake;
mod http_connection;
pub(crate) mod listener;
pub(crate) mod limit_exceeded;
pub(crate) mod rejection;
pub(crate) mod replay;
pub(crate) mod revocations;
pub mod session;
pub(crate) mod sessions;
pub(crate) mod socket;
pub(crate) mod tls;
mod upgrade;
