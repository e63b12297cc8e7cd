//! Log entries: everything that is to happen in MySQL, as the fields of a Redis stream entry.
//!
//! Redis packs equal field names of neighbouring entries, so plain fields cost no more than one blob and
//! can be read with `redis-cli XRANGE`.
//!
//! | field | holds |
//! | --- | --- |
//! | `v` | [`crate::VERSION`] |
//! | `k` | entry kind: `m` message, `c` client ack, `a` application delete, `z` clear, `e` duplicate |
//! | `r` | receiver |
//! | `s`, `c`, `t` | sender, content, type of a message |
//! | `i` | message id, or the ids of a confirm parted by line feeds |
//! | `n` | row ids of an ack parted by line feeds |
//! | `l` | `1` if the receiver was connected when the message was accepted |
//! | `q` | who waits for the commit ([`crate::reply_to`]) |

use crate::frame::MessageType;
use crate::id::{MessageId, UserId};

/// One entry of a partition's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Store a row and count it as unread.
    Message {
        /// The message's id.
        id: MessageId,
        /// Who sends it.
        sender: UserId,
        /// Whose mailbox it goes to.
        receiver: UserId,
        /// The content, verbatim.
        content: String,
        /// Its type, if it has one.
        message_type: Option<MessageType>,
        /// Whether the receiver was connected when the message was accepted.
        receiver_online: bool,
        /// Who waits for the commit.
        reply_to: Option<String>,
    },
    /// A client has these messages: their rows go.
    ClientAck {
        /// Whose messages.
        receiver: UserId,
        /// Their ids.
        ids: Vec<MessageId>,
    },
    /// The application has rendered these rows itself: they go.
    AppDelete {
        /// Whose rows; rows of others stay.
        receiver: UserId,
        /// Row ids.
        rows: Vec<u64>,
        /// Who waits for the number of removed rows.
        reply_to: Option<String>,
    },
    /// The unread counter becomes 0.
    Clear {
        /// Whose counter.
        receiver: UserId,
        /// Who waits for the commit.
        reply_to: Option<String>,
    },
    /// A call was repeated: answer it once what it repeats is committed.
    Duplicate {
        /// Whose message the first call was for.
        receiver: UserId,
        /// What the first call found: whether the receiver was connected.
        receiver_online: bool,
        /// Who waits.
        reply_to: Option<String>,
    },
}

/// An entry that this version does not read, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Written by another version.
    #[error("entry of version {found:?}, this is version {}", crate::VERSION)]
    Version {
        /// The version it names.
        found: String,
    },
    /// An entry kind that this version does not have.
    #[error("unknown entry kind {0:?}")]
    EntryKind(String),
    /// A field is missing or holds what it must not.
    #[error("field {0:?} is missing or invalid")]
    Field(&'static str),
}

impl Entry {
    /// The entry as stream fields, names and values in turn. The script that accepts a message appends
    /// `l` and `q` itself, so they are left out here.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("v", crate::VERSION.to_owned()), ("k", self.entry_kind().to_owned())];
        fields.push(("r", self.receiver().to_string()));
        match self {
            Self::Message { id, sender, content, message_type, .. } => {
                fields.push(("i", id.to_string()));
                fields.push(("s", sender.to_string()));
                fields.push(("c", content.clone()));
                if let Some(message_type) = message_type {
                    fields.push(("t", message_type.encode()));
                }
            }
            Self::ClientAck { ids, .. } => fields.push(("i", join(ids))),
            Self::AppDelete { rows, .. } => fields.push(("n", join(rows))),
            Self::Clear { .. } | Self::Duplicate { .. } => {}
        }
        fields
    }

    /// Reads the fields of a stream entry.
    ///
    /// # Errors
    ///
    /// [`Malformed`], which names the version, entry kind or field that this version does not read.
    pub fn decode(fields: &[(String, String)]) -> Result<Self, Malformed> {
        let get = |name: &'static str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value);
        let text = |name| get(name).ok_or(Malformed::Field(name));
        let user = |name| {
            let number = text(name)?.parse::<i64>().ok();
            number.and_then(|id| UserId::try_from(id).ok()).ok_or(Malformed::Field(name))
        };
        let version = text("v")?;
        if version != crate::VERSION {
            return Err(Malformed::Version { found: version.clone() });
        }
        let receiver = user("r")?;
        let receiver_online = get("l").is_some_and(|live| live == "1");
        let reply_to = get("q").cloned();
        match text("k")?.as_str() {
            "m" => Ok(Self::Message {
                id: MessageId::try_from(text("i")?.clone()).map_err(|_| Malformed::Field("i"))?,
                sender: user("s")?,
                receiver,
                content: text("c")?.clone(),
                message_type: match get("t") {
                    Some(message_type) => {
                        Some(MessageType::decode(message_type).ok_or(Malformed::Field("t"))?)
                    }
                    None => None,
                },
                receiver_online,
                reply_to,
            }),
            "c" => Ok(Self::ClientAck {
                receiver,
                ids: split(text("i")?, |id| MessageId::try_from(id.to_owned()).ok())
                    .ok_or(Malformed::Field("i"))?,
            }),
            "a" => Ok(Self::AppDelete {
                receiver,
                rows: split(text("n")?, |row| row.parse().ok()).ok_or(Malformed::Field("n"))?,
                reply_to,
            }),
            "z" => Ok(Self::Clear { receiver, reply_to }),
            "e" => Ok(Self::Duplicate { receiver, receiver_online, reply_to }),
            other => Err(Malformed::EntryKind(other.to_owned())),
        }
    }

    /// Whose mailbox the entry is about.
    pub const fn receiver(&self) -> UserId {
        match self {
            Self::Message { receiver, .. }
            | Self::ClientAck { receiver, .. }
            | Self::AppDelete { receiver, .. }
            | Self::Clear { receiver, .. }
            | Self::Duplicate { receiver, .. } => *receiver,
        }
    }

    /// Who waits for this entry's commit, if anybody does.
    pub fn reply_to(&self) -> Option<&str> {
        match self {
            Self::Message { reply_to, .. }
            | Self::AppDelete { reply_to, .. }
            | Self::Clear { reply_to, .. }
            | Self::Duplicate { reply_to, .. } => reply_to.as_deref(),
            Self::ClientAck { .. } => None,
        }
    }

    const fn entry_kind(&self) -> &'static str {
        match self {
            Self::Message { .. } => "m",
            Self::ClientAck { .. } => "c",
            Self::AppDelete { .. } => "a",
            Self::Clear { .. } => "z",
            Self::Duplicate { .. } => "e",
        }
    }
}

fn join<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn split<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text.split('\n').filter(|item| !item.is_empty()).map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: i64) -> UserId {
        UserId::try_from(id).unwrap()
    }

    fn owned(fields: &[(&str, String)]) -> Vec<(String, String)> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn every_kind_reads_back() {
        let id = MessageId::generate(1, [7; 10]);
        for entry in [
            Entry::Message {
                id: id.clone(),
                sender: user(1),
                receiver: user(2),
                content: "a\0b \"😀\"".to_owned(),
                message_type: Some(MessageType::Number(3)),
                receiver_online: false,
                reply_to: None,
            },
            Entry::ClientAck { receiver: user(2), ids: vec![id, MessageId::of_row(5, 6)] },
            Entry::AppDelete { receiver: user(2), rows: vec![1, u64::MAX], reply_to: None },
            Entry::AppDelete { receiver: user(2), rows: Vec::new(), reply_to: None },
            Entry::Clear { receiver: user(2), reply_to: None },
            Entry::Duplicate { receiver: user(2), receiver_online: false, reply_to: None },
        ] {
            assert_eq!(Entry::decode(&owned(&entry.fields())), Ok(entry));
        }
    }

    #[test]
    fn what_the_script_appends_is_read() {
        let entry = Entry::Clear { receiver: user(2), reply_to: None };
        let mut fields = owned(&entry.fields());
        fields.push(("q".to_owned(), "R".to_owned()));
        assert_eq!(Entry::decode(&fields).unwrap().reply_to(), Some("R"));
    }

    #[test]
    fn the_error_names_what_is_wrong() {
        let with = |name: &str, value: &str| {
            let mut fields = owned(&Entry::Clear { receiver: user(2), reply_to: None }.fields());
            fields.retain(|(field, _)| field != name);
            fields.push((name.to_owned(), value.to_owned()));
            Entry::decode(&fields)
        };
        assert_eq!(with("v", "2"), Err(Malformed::Version { found: "2".to_owned() }));
        assert_eq!(with("k", "?"), Err(Malformed::EntryKind("?".to_owned())));
        assert_eq!(with("r", "0"), Err(Malformed::Field("r")));
        assert_eq!(Entry::decode(&[]), Err(Malformed::Field("v")));
    }
}
