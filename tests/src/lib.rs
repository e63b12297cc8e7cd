//! Support for the end-to-end tests.
//!
//! # Layout
//!
//! - [`eventually`]: polling with a deadline
//! - [`servers`]: a Redis and a MariaDB, shared by the tests or private to one
//! - [`test_env`]: an installation of chatpush, with its own prefix and database
//! - [`daemon`]: the built daemon
//! - [`engine`]: what MariaDB and MySQL do not have in common
//! - [`php`]: PHP with the built extension
//! - [`client`]: a WebSocket client
//! - [`grants`]: grants, and clients that have one
//! - [`raw_client`]: one that sends invalid frames too
//! - [`tcp`]: what the kernel knows of connections
//! - [`tls_server`]: TLS for servers that a test plays itself

pub mod eventually;
pub mod servers;
pub mod test_env;
pub mod daemon;
pub mod engine;
pub mod php;
pub mod client;
pub mod grants;
pub mod raw_client;
pub mod tcp;
pub mod tls_server;
