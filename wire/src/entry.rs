//! Log entries: everything that is to happen in MySQL, as the fields of a Redis stream entry.
//!
//! Redis packs equal field names of neighbouring entries, so plain fields cost no more than one blob and
//! can be read with `redis-cli XRANGE`.
//!
//! | field | holds |
//! | --- | --- |
//! | `v` | [`crate::VERSION`] |
//! | `k` | kind: `m` message, `c` confirm, `a` ack, `z` clear, `e` echo |
//! | `r` | receiver |
//! | `s`, `c`, `t` | sender, content, type of a message |
//! | `i` | message id, or the ids of a confirm parted by line feeds |
//! | `n` | row ids of an ack parted by line feeds |
//! | `l` | `1` if the receiver was connected when the message was accepted |
//! | `q` | who waits for the commit ([`crate::ticket`]) |

use crate::frame::Type;
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
        kind: Option<Type>,
        /// Whether the receiver was connected when the message was accepted.
        live: bool,
        /// Who waits for the commit.
        ticket: Option<String>,
    },
    /// A client has these messages: their rows go.
    Confirm {
        /// Whose messages.
        receiver: UserId,
        /// Their ids.
        ids: Vec<MessageId>,
    },
    /// The application has rendered these rows itself: they go.
    Ack {
        /// Whose rows; rows of others stay.
        receiver: UserId,
        /// Row ids.
        rows: Vec<u64>,
        /// Who waits for the number of removed rows.
        ticket: Option<String>,
    },
    /// The unread counter becomes 0.
    Clear {
        /// Whose counter.
        receiver: UserId,
        /// Who waits for the commit.
        ticket: Option<String>,
    },
    /// A call was repeated: answer it once what it repeats is committed.
    Echo {
        /// Whose message the first call was for.
        receiver: UserId,
        /// What the first call found: whether the receiver was connected.
        live: bool,
        /// Who waits.
        ticket: Option<String>,
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
    /// A kind that this version does not have.
    #[error("unknown kind {0:?}")]
    Kind(String),
    /// A field is missing or holds what it must not.
    #[error("field {0:?} is missing or invalid")]
    Field(&'static str),
}

impl Entry {
    /// The entry as stream fields, names and values in turn. The script that accepts a message appends
    /// `l` and `q` itself, so they are left out here.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("v", crate::VERSION.to_owned()), ("k", self.kind().to_owned())];
        fields.push(("r", self.receiver().to_string()));
        match self {
            Self::Message { id, sender, content, kind, .. } => {
                fields.push(("i", id.to_string()));
                fields.push(("s", sender.to_string()));
                fields.push(("c", content.clone()));
                if let Some(kind) = kind {
                    fields.push(("t", kind.encode()));
                }
            }
            Self::Confirm { ids, .. } => fields.push(("i", join(ids))),
            Self::Ack { rows, .. } => fields.push(("n", join(rows))),
            Self::Clear { .. } | Self::Echo { .. } => {}
        }
        fields
    }

    /// Reads the fields of a stream entry.
    ///
    /// # Errors
    ///
    /// [`Malformed`], which names the version, kind or field that this version does not read.
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
        let live = get("l").is_some_and(|live| live == "1");
        let ticket = get("q").cloned();
        match text("k")?.as_str() {
            "m" => Ok(Self::Message {
                id: MessageId::try_from(text("i")?.clone()).map_err(|_| Malformed::Field("i"))?,
                sender: user("s")?,
                receiver,
                content: text("c")?.clone(),
                kind: match get("t") {
                    Some(kind) => Some(Type::decode(kind).ok_or(Malformed::Field("t"))?),
                    None => None,
                },
                live,
                ticket,
            }),
            "c" => Ok(Self::Confirm {
                receiver,
                ids: split(text("i")?, |id| MessageId::try_from(id.to_owned()).ok())
                    .ok_or(Malformed::Field("i"))?,
            }),
            "a" => Ok(Self::Ack {
                receiver,
                rows: split(text("n")?, |row| row.parse().ok()).ok_or(Malformed::Field("n"))?,
                ticket,
            }),
            "z" => Ok(Self::Clear { receiver, ticket }),
            "e" => Ok(Self::Echo { receiver, live, ticket }),
            other => Err(Malformed::Kind(other.to_owned())),
        }
    }

    /// Whose mailbox the entry is about.
    pub const fn receiver(&self) -> UserId {
        match self {
            Self::Message { receiver, .. }
            | Self::Confirm { receiver, .. }
            | Self::Ack { receiver, .. }
            | Self::Clear { receiver, .. }
            | Self::Echo { receiver, .. } => *receiver,
        }
    }

    /// Who waits for this entry's commit, if anybody does.
    pub fn ticket(&self) -> Option<&str> {
        match self {
            Self::Message { ticket, .. }
            | Self::Ack { ticket, .. }
            | Self::Clear { ticket, .. }
            | Self::Echo { ticket, .. } => ticket.as_deref(),
            Self::Confirm { .. } => None,
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Message { .. } => "m",
            Self::Confirm { .. } => "c",
            Self::Ack { .. } => "a",
            Self::Clear { .. } => "z",
            Self::Echo { .. } => "e",
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
                kind: Some(Type::Number(3)),
                live: false,
                ticket: None,
            },
            Entry::Confirm { receiver: user(2), ids: vec![id, MessageId::of_row(5, 6)] },
            Entry::Ack { receiver: user(2), rows: vec![1, u64::MAX], ticket: None },
            Entry::Ack { receiver: user(2), rows: Vec::new(), ticket: None },
            Entry::Clear { receiver: user(2), ticket: None },
            Entry::Echo { receiver: user(2), live: false, ticket: None },
        ] {
            assert_eq!(Entry::decode(&owned(&entry.fields())), Ok(entry));
        }
    }

    #[test]
    fn what_the_script_appends_is_read() {
        let entry = Entry::Clear { receiver: user(2), ticket: None };
        let mut fields = owned(&entry.fields());
        fields.push(("q".to_owned(), "R".to_owned()));
        assert_eq!(Entry::decode(&fields).unwrap().ticket(), Some("R"));
    }

    #[test]
    fn the_error_names_what_is_wrong() {
        let with = |name: &str, value: &str| {
            let mut fields = owned(&Entry::Clear { receiver: user(2), ticket: None }.fields());
            fields.retain(|(field, _)| field != name);
            fields.push((name.to_owned(), value.to_owned()));
            Entry::decode(&fields)
        };
        assert_eq!(with("v", "2"), Err(Malformed::Version { found: "2".to_owned() }));
        assert_eq!(with("k", "?"), Err(Malformed::Kind("?".to_owned())));
        assert_eq!(with("r", "0"), Err(Malformed::Field("r")));
        assert_eq!(Entry::decode(&[]), Err(Malformed::Field("v")));
    }
}
