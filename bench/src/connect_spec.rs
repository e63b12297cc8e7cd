//! How a client of a server connects and stays connected, written down as data, so that one receiver program
//! can speak to every peer.

use serde::{Deserialize, Serialize};

/// How one client connects, what it sends, and what it waits for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ConnectSpec {
    /// The server's address: `127.0.0.1:80` for a WebSocket, the path of a Unix socket for Redis.
    pub address: String,
    /// The user whose messages the client receives; 0 if it receives those of several users.
    pub user: u32,
    /// The request target of the WebSocket handshake: `/ws?token=…`.
    pub target: String,
    /// What the client sends after the handshake, in this order.
    pub steps: Vec<Step>,
    /// Part of the server's message that confirms the subscription; empty if the handshake confirms it.
    pub ready: String,
    /// The server's ping on the application level, and the answer it expects.
    pub heartbeat: Option<(String, String)>,
}

/// One message that the client sends after the handshake.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Step {
    /// It is sent once a message of the server contains this text; if this is empty, at once.
    pub wait_for: String,
    /// The message.
    pub send: String,
}

impl ConnectSpec {
    /// The request that opens a WebSocket (RFC 6455 section 4.1). The key is constant: the client does not
    /// verify the server's answer to it.
    pub fn request(&self) -> String {
        format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            self.target, self.address
        )
    }

    /// Whether the client speaks to Redis instead of a WebSocket server.
    pub fn is_redis(&self) -> bool {
        self.address.starts_with('/')
    }
}
