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
//! - `handshake`: checks origin and token (`revocations`), and upgrades (`upgrade`). `client_js` and
//!   `vapid_key` are the other things that are served.
//! - `socket`: the WebSocket and how it is closed.
//! - `sessions`: registers the connection and runs its [`session`].
//! - `replay`: what the session sends first. `acks`: where the client's confirmations go, and
//!   `events` its events, and `push_requests` what it says of its subscription to Web Push.

pub(crate) mod acks;
pub(crate) mod admission;
pub(crate) mod client_js;
pub mod events;
pub(crate) mod handshake;
mod http_connection;
pub(crate) mod listener;
pub(crate) mod limit_exceeded;
pub mod push_requests;
pub(crate) mod rejection;
pub(crate) mod replay;
pub(crate) mod revocations;
pub mod session;
pub(crate) mod sessions;
pub(crate) mod socket;
pub(crate) mod tls;
mod upgrade;
pub(crate) mod vapid_key;
