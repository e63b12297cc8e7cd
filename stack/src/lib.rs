//! Private instances of Redis, MariaDB, the daemon, PHP-FPM and nginx, for the demo, the tests and the
//! benchmarks.
//!
//! Each server runs on a Unix socket or a free port, with its data in a temporary folder. It ends, and the
//! folder is removed, when its value is dropped or the process dies.
//!
//! # Layout
//!
//! - [`stack`]: all servers together, as in one installation
//! - [`control`]: a socket through which another process can kill and start the daemon
//! - `supervisor`: starts the daemon again when it has ended by itself
//! - [`redis`], [`redis_cluster`], [`sentinel`], [`mariadb`], [`replicated_mariadb`], [`galera`], [`daemon`], [`php_fpm`],
//!   [`nginx`]: the servers
//! - [`engine`]: which database server is started
//! - [`server`]: a server process that ends with its owner
//! - `guard`: the shell that cleans up after our process
//! - [`folder`]: temporary folders
//! - [`proxy`]: a proxy that breaks the connections between two parts
//! - [`wait`]: polling with a deadline
//! - [`port`]: free ports
//! - [`certificate`]: self-signed certificates
//! - [`artifacts`]: the paths of the built daemon and extension
//! - [`demo`]: the demo chat
//! - [`smoke`]: the demo's smoke test
//! - `http_client`: the client of the smoke test

pub mod control;
mod supervisor;
pub mod stack;
pub mod redis;
pub mod redis_cluster;
pub mod sentinel;
pub mod mail;
pub mod engine;
pub mod mariadb;
pub mod replicated_mariadb;
pub mod galera;
pub mod daemon;
pub mod php_fpm;
pub mod nginx;
pub mod server;
mod guard;
pub mod folder;
pub mod proxy;
pub mod wait;
pub mod port;
pub mod certificate;
pub mod artifacts;
pub mod demo;
pub mod smoke;
mod http_client;
