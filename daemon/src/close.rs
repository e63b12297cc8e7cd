//! Why a connection is closed, as the client learns it.
//!
//! Codes below 4000 are those of RFC 6455 section 7.4.1 and of the IANA registry beside it; 4000 to 4999 are
//! left to applications by section 7.4.2, and here those below 4500 mean that connecting again is right.

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
        }
    }

    /// The close frame.
    pub const fn frame(self) -> CloseFrame {
        CloseFrame { code: self.code(), reason: Utf8Bytes::from_static(self.reason()) }
    }
}
