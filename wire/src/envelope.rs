//! What travels on the channel of a user or a room, on everyone's, or for many users on that of all daemons: a
//! rendered frame, and what a daemon must know beside its bytes.
//!
//! | bytes | meaning |
//! | --- | --- |
//! | `1F` frame | an ephemeral message: forward it |
//! | `1T` id `\n` frame | a stored message: forward it, and remember the id until a client confirms it |
//! | `1U` id `\n` frame | the same, stored without a message type: the daemon's default type applies |
//! | `1E` frame | an event of another client: `chatpush.v1` only, and dropped where much waits |
//! | `1R` frame | a recall: `chatpush.v1` only, and what it names is not sent any more |
//! | `1L` ids `\n` envelope | what each of these users is sent: on the channel of a partition's daemons, the ids separated by spaces |
//! | `1M` `reply_to` | no frame: say who is in the room |
//! | `1X` | no frame: close the user's connections |
//! | `1C` question `\n` users | no frame, on the channel of one daemon: append how many connections these users have, their ids separated by spaces, `*` for all users, to the stream of the question |
//!
//! The first byte is [`crate::VERSION`]. An id is printable ASCII, so the first line feed ends it.

use crate::VERSION;
use crate::id::MessageId;

/// One message on a user's channel, borrowed from the bytes it arrived as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope<'a> {
    /// A message that nobody stores.
    Ephemeral {
        /// The client's frame.
        frame: &'a str,
    },
    /// A message that is delivered until a client confirms it.
    Tracked {
        /// The message's id.
        id: &'a str,
        /// Whether the message was stored without a type.
        untyped: bool,
        /// The client's frame.
        frame: &'a str,
    },
    /// An event of another client.
    Event {
        /// The client's frame.
        frame: &'a str,
    },
    /// A sender has taken back messages.
    Recall {
        /// The client's frame.
        frame: &'a str,
    },
    /// The same for each of many users of one partition.
    Many {
        /// Their ids, separated by spaces. Those without a connection to this daemon are others' users.
        users: &'a str,
        /// The bytes that would be on the channel of each user.
        envelope: &'a str,
    },
    /// Say who is in the room.
    Members {
        /// Where the answer goes ([`crate::reply_to`]).
        reply_to: &'a str,
    },
    /// Say how many connections there are.
    Connections {
        /// The question ([`crate::key::Prefix::answers`]).
        question: &'a str,
        /// Ids of users, separated by spaces; `*` for all.
        users: &'a str,
    },
    /// Close the user's connections.
    Disconnect,
}

/// The bytes that close a user's connections.
pub const DISCONNECT: &str = concat!(version!(), "X");

/// The bytes before the frame of an ephemeral message.
pub const EPHEMERAL: &str = concat!(version!(), "F");

/// The bytes before the frame of a client event.
pub const EVENT: &str = concat!(version!(), "E");

/// The bytes before the frame of a recall.
pub const RECALL: &str = concat!(version!(), "R");

/// The bytes before the ids of many users.
pub const MANY: &str = concat!(version!(), "L");

/// The bytes before the `reply_to` of a question who is in a room.
pub const MEMBERS: &str = concat!(version!(), "M");

/// The bytes before a question how many connections there are.
pub const CONNECTIONS: &str = concat!(version!(), "C");

/// The bytes before the frame of a stored message.
pub fn tracked(id: &MessageId, untyped: bool) -> String {
    format!("{VERSION}{}{id}\n", if untyped { 'U' } else { 'T' })
}

impl<'a> Envelope<'a> {
    /// Reads one message on a user's channel.
    ///
    /// # Errors
    ///
    /// When the version or the kind is unknown, the id is missing or the text is not UTF-8.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, UnknownEnvelope> {
        let text = std::str::from_utf8(bytes).map_err(|_| UnknownEnvelope)?;
        let body = text.strip_prefix(VERSION).ok_or(UnknownEnvelope)?;
        if let Some(frame) = body.strip_prefix('F') {
            return Ok(Self::Ephemeral { frame });
        }
        if let Some(frame) = body.strip_prefix('E') {
            return Ok(Self::Event { frame });
        }
        if let Some(frame) = body.strip_prefix('R') {
            return Ok(Self::Recall { frame });
        }
        if let Some(reply_to) = body.strip_prefix('M') {
            return Ok(Self::Members { reply_to });
        }
        if let Some(rest) = body.strip_prefix('L') {
            let (users, envelope) = rest.split_once('\n').ok_or(UnknownEnvelope)?;
            return Ok(Self::Many { users, envelope });
        }
        if let Some(rest) = body.strip_prefix('C') {
            let (question, users) = rest.split_once('\n').ok_or(UnknownEnvelope)?;
            return Ok(Self::Connections { question, users });
        }
        if body == "X" {
            return Ok(Self::Disconnect);
        }
        let (untyped, rest) = match body.strip_prefix('T') {
            Some(rest) => (false, rest),
            None => (true, body.strip_prefix('U').ok_or(UnknownEnvelope)?),
        };
        let (id, frame) = rest.split_once('\n').filter(|(id, _)| !id.is_empty()).ok_or(UnknownEnvelope)?;
        Ok(Self::Tracked { id, untyped, frame })
    }
}

/// The bytes are not an envelope of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an envelope of version {VERSION}")]
pub struct UnknownEnvelope;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back() {
        let id = MessageId::try_from("7:order".to_owned()).unwrap();
        assert_eq!(Envelope::decode(b"1F{}"), Ok(Envelope::Ephemeral { frame: "{}" }));
        assert_eq!(Envelope::decode(b"1E{}"), Ok(Envelope::Event { frame: "{}" }));
        assert_eq!(Envelope::decode(b"1R{}"), Ok(Envelope::Recall { frame: "{}" }));
        assert_eq!(Envelope::decode(b"1Ma.1"), Ok(Envelope::Members { reply_to: "a.1" }));
        let many = format!("{MANY}2 66\n1F{{\n}}");
        let read = Envelope::decode(many.as_bytes());
        assert_eq!(read, Ok(Envelope::Many { users: "2 66", envelope: "1F{\n}" }));
        let asked = format!("{CONNECTIONS}a1\n2 66");
        let read = Envelope::decode(asked.as_bytes());
        assert_eq!(read, Ok(Envelope::Connections { question: "a1", users: "2 66" }));
        assert_eq!(Envelope::decode(DISCONNECT.as_bytes()), Ok(Envelope::Disconnect));
        for untyped in [false, true] {
            let bytes = tracked(&id, untyped) + "{\n}";
            let read = Envelope::decode(bytes.as_bytes());
            assert_eq!(read, Ok(Envelope::Tracked { id: "7:order", untyped, frame: "{\n}" }));
        }
    }

    #[test]
    fn other_bytes_are_refused() {
        for bad in
            [&b""[..], b"1", b"2F{}", b"1X{}", b"1Y", b"1Tno-end", b"1L2", b"1Ca", b"1T\nno-id", b"1F\xFF"]
        {
            assert_eq!(Envelope::decode(bad), Err(UnknownEnvelope));
        }
    }
}
