//! The subprotocols of a connection (RFC 6455 section 1.9).

use crate::hub::Format;

/// What a client receives and how it confirms, by the subprotocol it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// No subprotocol: JSON frames, confirmed by pong.
    Plain,
    /// `chatpush.raw`: the content alone, confirmed by pong.
    Raw,
    /// `chatpush.v1`: JSON frames, confirmed by the page.
    V1,
}

impl Protocol {
    /// The subprotocols that the daemon offers, the preferred one first.
    pub(crate) const NAMES: [&str; 2] = ["chatpush.v1", "chatpush.raw"];

    /// The protocol behind the negotiated name; `None` if no subprotocol was negotiated.
    pub(crate) fn negotiated(name: Option<&str>) -> Self {
        match name {
            Some("chatpush.v1") => Self::V1,
            Some("chatpush.raw") => Self::Raw,
            _ => Self::Plain,
        }
    }

    /// Whether a pong confirms the messages before its ping.
    pub(crate) fn confirms_by_pong(self) -> bool {
        self != Self::V1
    }

    /// What a connection of this protocol is sent.
    pub(crate) const fn format(self) -> Format {
        match self {
            Self::Raw => Format::Content,
            Self::Plain | Self::V1 => Format::Json,
        }
    }
}
