//! Free TCP ports.

use std::net::TcpListener;

/// Returns a TCP port of 127.0.0.1 that is free now.
pub fn free() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
