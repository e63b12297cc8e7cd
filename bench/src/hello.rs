//! How a client of some server begins and keeps a connection: a dialogue written down as data, so that one
//! receiver speaks to all of them.

use serde::{Deserialize, Serialize};

/// What one client says and waits for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Hello {
    /// Where: `127.0.0.1:80`, or the path of a Unix socket, behind which is Redis.
    pub to: String,
    /// Whose connection it is; 0 for one that gets everybody's messages.
    pub user: u32,
    /// What it asks for: `/ws?token=…`.
    pub target: String,
    /// What it says after the handshake, in this order.
    pub says: Vec<Say>,
    /// What the server says when messages are sure to come from now on; empty if the handshake says it.
    pub ready: String,
    /// What the server says to hear whether the client is there, and the answer.
    pub heartbeat: Option<(String, String)>,
}

/// One thing to say.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Say {
    /// Not before the server said something with this in it; empty: at once.
    pub after: String,
    /// The text.
    pub text: String,
}

impl Hello {
    /// The request for a WebSocket (RFC 6455 section 4.1). The key need not be random for a client that does
    /// not look at the answer to it.
    pub fn request(&self) -> String {
        format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            self.target, self.to
        )
    }

    /// Whether it speaks to Redis itself.
    pub fn is_redis(&self) -> bool {
        self.to.starts_with('/')
    }
}
