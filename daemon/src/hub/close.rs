//! Why a connection is closed, as the client learns it.
//!
//! Codes below 4000 are those of RFC 6455 section 7.4.1 and of the IANA registry beside it; 4000 to 4999 are
//! left to applications by section 7.4.2; here 4401 and 4403 stand for what 401 and 403 say in HTTP.

use axum::extract::ws::{CloseFrame, Utf8Bytes};

/// A reason to close a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// 1003: the client sent a binary frame. Mend the client.
    Binary,
    /// 1008: the client sends more than anybody has to say. Wait, then connect again.
    Flooding,
    /// 1009: the client sent a message that is too long. Mend the client.
    TooBig,
    /// 1012: the daemon stops. Connect again at once; another may be there already.
    Restart,
    /// 4000: the client reads too slowly. Connect again; stored messages come again, live ones are gone.
    Slow,
    /// 4001: the client answered no ping. Connect again.
    Silent,
    /// 4401: the token has expired. Connect again at once with a new one.
    Expired,
    /// 4403: the application has ended the user's connections. Do not connect again by yourself.
    Disconnected,
}

impl Close {
    /// The number on the wire.
    pub const fn code(self) -> u16 {
        match self {
            Self::Binary => 1003,
            Self::Flooding => 1008,
            Self::TooBig => 1009,
            Self::Restart => 1012,
            Self::Slow => 4000,
            Self::Silent => 4001,
            Self::Expired => 4401,
            Self::Disconnected => 4403,
        }
    }

    /// The text beside it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Binary => "binary frames are not part of the protocol",
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
    pub const fn frame(self) -> CloseFrame {
        CloseFrame { code: self.code(), reason: Utf8Bytes::from_static(self.reason()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_lists_every_code() {
        const ALL: [Close; 8] = [
            Close::Binary,
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
            // RFC 6455 section 5.5: a control frame has at most 125 bytes, two of them the code.
            assert!(close.reason().len() <= 123);
        }
    }
}
