//! Free ports.

use std::net::TcpListener;

/// A TCP port of 127.0.0.1 that nobody listens on now.
pub fn free() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
