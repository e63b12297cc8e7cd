//! Close codes.
//!
//! Codes below 4000 are those of RFC 6455 section 7.4.1 and its IANA registry. Section 7.4.2 leaves 4000 to
//! 4999 to applications; 4401 and 4403 are named after HTTP's 401 and 403.

use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// Why the daemon closes a connection, and what the client should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// 1002: the client sent something that is no WebSocket frame.
    Protocol,
    /// 1003: the client sent a binary frame. The client has to be fixed.
    Binary,
    /// 1007: the client sent a text that is not UTF-8.
    NotUtf8,
    /// 1008: the client exceeds the message rate limit. Wait, then reconnect.
    Flooding,
    /// 1009: the client sent a message beyond the size limit. The client has to be fixed.
    TooBig,
    /// 1012: the daemon stops. Reconnect at once; another daemon may be running.
    Restart,
    /// 4000: the client reads too slowly. Reconnect; stored messages are sent again, pushes are lost.
    Slow,
    /// 4001: the client answered no ping. Reconnect.
    Silent,
    /// 4401: the token has expired. Reconnect at once with a new one.
    Expired,
    /// 4403: the application has closed the user's connections. Do not reconnect automatically.
    Disconnected,
}

impl Close {
    /// The close code.
    pub const fn code(self) -> u16 {
        match self {
            Self::Protocol => 1002,
            Self::Binary => 1003,
            Self::NotUtf8 => 1007,
            Self::Flooding => 1008,
            Self::TooBig => 1009,
            Self::Restart => 1012,
            Self::Slow => 4000,
            Self::Silent => 4001,
            Self::Expired => 4401,
            Self::Disconnected => 4403,
        }
    }

    /// The close code as a text, for metrics.
    pub(crate) const fn code_text(self) -> &'static str {
        match self {
            Self::Protocol => "1002",
            Self::Binary => "1003",
            Self::NotUtf8 => "1007",
            Self::Flooding => "1008",
            Self::TooBig => "1009",
            Self::Restart => "1012",
            Self::Slow => "4000",
            Self::Silent => "4001",
            Self::Expired => "4401",
            Self::Disconnected => "4403",
        }
    }

    /// Whether what was queued before it is sent first: the client has done nothing wrong.
    pub(super) const fn is_last_in_queue(self) -> bool {
        matches!(self, Self::Restart | Self::Disconnected)
    }

    /// The reason text beside the code.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Protocol => "protocol error",
            Self::Binary => "binary frames are not part of the protocol",
            Self::NotUtf8 => "text is not UTF-8",
            Self::Flooding => "too many messages",
            Self::TooBig => "message too big",
            Self::Restart => "restarting, connect again",
            Self::Slow => "too slow, connect again",
            Self::Silent => "no pong, connect again",
            Self::Expired => "token expired, connect with a new one",
            Self::Disconnected => "disconnected by the application",
        }
    }

    /// The close frame.
    pub fn frame(self) -> CloseFrame {
        CloseFrame { code: self.code().into(), reason: Utf8Bytes::from_static(self.reason()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_documentation_lists_every_code() {
        const ALL: [Close; 10] = [
            Close::Protocol,
            Close::Binary,
            Close::NotUtf8,
            Close::Flooding,
            Close::TooBig,
            Close::Restart,
            Close::Slow,
            Close::Silent,
            Close::Expired,
            Close::Disconnected,
        ];
        let written = include_str!("../../../docs/PROTOCOL.md");
        for close in ALL {
            assert!(written.contains(&format!("\n| {} | ", close.code())), "{close:?}");
            assert_eq!(close.code_text(), close.code().to_string());
            // RFC 6455 section 5.5: a control frame has at most 125 bytes, two of them the code.
            assert!(close.reason().len() <= 123);
        }
    }
}
