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
    /// The protocols that have a name, the preferred one first.
    const NAMED: [Self; 2] = [Self::V1, Self::Raw];

    /// The name of the subprotocol; `None` for a connection without one.
    pub(crate) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Raw => Some("chatpush.raw"),
            Self::V1 => Some("chatpush.v1"),
        }
    }

    /// The preferred one of the protocols that a client offers, if the daemon speaks any of them.
    pub(crate) fn negotiate<'a>(offered: impl Iterator<Item = &'a str>) -> Option<Self> {
        let preference = |name| Self::NAMED.iter().position(|protocol| protocol.name() == Some(name));
        offered.filter_map(preference).min().and_then(|place| Self::NAMED.get(place).copied())
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
