//! Redis, MariaDB, the daemon, PHP-FPM and nginx: the real ones, each private to whoever starts it, on
//! sockets and free ports in a temporary folder, and gone when their value is dropped or the process dies.
//!
//! Modules in reading order:

pub mod control;
pub mod stack;
pub mod redis;
pub mod mariadb;
pub mod daemon;
pub mod php_fpm;
pub mod nginx;
pub mod server;
mod guard;
pub mod folder;
pub mod wait;
pub mod port;
pub mod certificate;
pub mod artifacts;
pub mod demo;
pub mod smoke;
pub mod http_client;
