//! Log entries as they are read: everything that is to happen in MySQL. [`crate::new_entry`] writes them.
//!
//! An entry is a Redis stream entry with plain fields. Redis stores equal field names of neighbouring entries
//! once, so this costs no more than one binary field, and `redis-cli XRANGE` shows the fields.
//!
//! | field | holds |
//! | --- | --- |
//! | `v` | [`crate::VERSION`] |
//! | `k` | entry kind: `m` message, `g` message to many, `c` client ack, `a` application delete, `z` clear, `e` duplicate, `h` duplicate to many, `x` recall, `f` forget |
//! | `r` | receiver; of the kinds to many, all of them, separated by line feeds |
//! | `s`, `c`, `t` | sender (also of a recall), content and type of a message |
//! | `o` | conversation of a message that belongs to one; of a clear, what is cleared alone |
//! | `i` | message id, also of a duplicate; of a client ack or a recall, the ids separated by line feeds |
//! | `n` | row ids of an application delete, separated by line feeds |
//! | `l` | `1` if the receiver was connected when the message was accepted; of the kinds to many, one mark for each receiver ([`Addressee`]): `1`, `0`, or `D`, `d` if the call was repeated for this one |
//! | `q` | where the answer goes after the commit ([`crate::reply_to`]) |
//! | `u` | of a message that was queued while no daemon was there: the run id of Redis; empty if unknown |
//!
//! Every entry begins with `v`, `k` and `r`. The scripts append `l`, `q` and `u`.

mod addressee;
mod decode;

use crate::conversation::Conversation;
use crate::frame::MessageType;
use crate::id::{MessageId, UserId, UserIdType};

pub use self::addressee::Addressee;

/// The names of the fields.
pub(crate) mod field {
    pub(crate) const VERSION: &str = "v";
    pub(crate) const KIND: &str = "k";
    pub(crate) const RECEIVER: &str = "r";
    pub(crate) const SENDER: &str = "s";
    pub(crate) const CONTENT: &str = "c";
    pub(crate) const MESSAGE_TYPE: &str = "t";
    pub(crate) const CONVERSATION: &str = "o";
    pub(crate) const ID: &str = "i";
    pub(crate) const ROWS: &str = "n";
    pub(crate) const RECEIVER_ONLINE: &str = "l";
    pub(crate) const REPLY_TO: &str = "q";
    pub(crate) const UNATTENDED: &str = "u";
}

/// The values of the entry kind.
pub(crate) mod kind {
    pub(crate) const MESSAGE: &str = "m";
    pub(crate) const MESSAGE_TO_MANY: &str = "g";
    pub(crate) const CLIENT_ACK: &str = "c";
    pub(crate) const APP_DELETE: &str = "a";
    pub(crate) const CLEAR: &str = "z";
    pub(crate) const DUPLICATE: &str = "e";
    pub(crate) const RECALL: &str = "x";
    pub(crate) const DUPLICATE_TO_MANY: &str = "h";
    pub(crate) const FORGET: &str = "f";

    /// Those with one receiver.
    pub(super) const TO_ONE: [&str; 7] = [MESSAGE, CLIENT_ACK, APP_DELETE, CLEAR, DUPLICATE, RECALL, FORGET];

    /// Those with many.
    pub(super) const TO_MANY: [&str; 2] = [MESSAGE_TO_MANY, DUPLICATE_TO_MANY];
}

/// The generation of entry kinds that this version reads. A version that adds a kind raises it. The new kind
/// is written only when the installation record has that generation: then every daemon reads it.
pub const GENERATION: u32 = 2;

/// The oldest generation that a daemon may read. A record that is new, or that Redis had lost, begins with
/// it: an older daemon may be running. No version of the first generation, which had no conversations, was
/// released.
pub const OLDEST_GENERATION: u32 = 2;

/// The generation in which a message may belong to a conversation.
pub const CONVERSATIONS: u32 = 2;

/// The generation in which a message may be recalled.
pub const RECALLS: u32 = 2;
/// The generation in which an entry may have many receivers.
pub const MANY_RECEIVERS: u32 = 2;

/// The generation in which a user may be forgotten.
pub const FORGETS: u32 = 2;

/// One entry of a partition's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Insert a row and count it as unread.
    Message {
        /// The message's id.
        id: MessageId,
        /// The sender.
        sender: UserId,
        /// The owner of the mailbox.
        receiver: UserId,
        /// The content, verbatim.
        content: String,
        /// The message type, if there is one.
        message_type: Option<MessageType>,
        /// The conversation, if it belongs to one.
        conversation: Option<Conversation>,
        /// Whether the receiver was connected when the message was accepted.
        receiver_online: bool,
        /// Where the answer goes after the commit.
        reply_to: Option<String>,
    },
    /// Insert a row for each of many receivers and count it as unread. They are all of one partition.
    MessageToMany {
        /// The message's id, the same for each receiver.
        id: MessageId,
        /// The sender.
        sender: UserId,
        /// The owners of the mailboxes. For those that are repeated, the first call is answered again.
        receivers: Vec<Addressee>,
        /// The content, verbatim.
        content: String,
        /// The message type, if there is one.
        message_type: Option<MessageType>,
        /// The conversation, if it belongs to one.
        conversation: Option<Conversation>,
        /// Where the one answer for all goes after the commit.
        reply_to: Option<String>,
    },
    /// A client has confirmed messages: delete their rows.
    ClientAck {
        /// The owner of the mailbox.
        receiver: UserId,
        /// The messages.
        ids: Vec<MessageId>,
    },
    /// The application has shown rows itself: delete them.
    AppDelete {
        /// The owner of the mailbox. Rows of other users stay.
        receiver: UserId,
        /// Row ids.
        rows: Vec<u64>,
        /// Where the number of deleted rows goes after the commit.
        reply_to: Option<String>,
    },
    /// Set the unread counter to 0, or take away what one conversation counts.
    Clear {
        /// The owner of the counter.
        receiver: UserId,
        /// The conversation; none for all of them.
        conversation: Option<Conversation>,
        /// Where the answer goes after the commit.
        reply_to: Option<String>,
    },
    /// A call was repeated: answer it after the first one's entry, and as that.
    Duplicate {
        /// The owner of the mailbox.
        receiver: UserId,
        /// The message.
        id: MessageId,
        /// Whether the receiver was connected at the first call.
        receiver_online: bool,
        /// Where the answer goes.
        reply_to: Option<String>,
    },
    /// Remove everything that is kept of a user.
    Forget {
        /// The user.
        receiver: UserId,
        /// Where the answer goes after the commit.
        reply_to: Option<String>,
    },
    /// The sender takes back a message that no client has confirmed.
    Recall {
        /// The sender. Messages of others stay.
        sender: UserId,
        /// The owner of the mailbox.
        receiver: UserId,
        /// The ids that the message may have.
        ids: Vec<MessageId>,
        /// Where the answer goes after the commit.
        reply_to: Option<String>,
    },
    /// The same for many receivers, all of whom are repeated.
    DuplicateToMany {
        /// The owners of the mailboxes.
        receivers: Vec<Addressee>,
        /// The message.
        id: MessageId,
        /// Where the one answer for all goes.
        reply_to: Option<String>,
    },
}

/// Why this version cannot read an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Another version wrote it.
    #[error("entry of version {found:?}, this is version {}", crate::VERSION)]
    Version {
        /// The version in the entry.
        found: String,
    },
    /// This version does not have the entry kind.
    #[error("unknown entry kind {0:?}")]
    EntryKind(String),
    /// A field is missing or invalid.
    #[error("field {0:?} is missing or invalid")]
    Field(&'static str),
}

/// Where the answer to an entry goes, even if the rest of the entry is malformed.
pub fn reply_to(fields: &[(String, String)]) -> Option<&str> {
    get(fields, field::REPLY_TO)
}

/// The run id of the Redis process that queued this message while no daemon was there, empty if it is unknown. None
/// if a daemon was there.
pub fn unattended(fields: &[(String, String)]) -> Option<&str> {
    get(fields, field::UNATTENDED)
}

/// The receivers and the id of a message, even if the rest of the entry is malformed: those receivers that can be
/// read, and for whom the call was not repeated. User ids have this type.
pub fn message(fields: &[(String, String)], ids: UserIdType) -> Option<(Vec<UserId>, MessageId)> {
    get(fields, field::KIND).filter(|kind| [kind::MESSAGE, kind::MESSAGE_TO_MANY].contains(kind))?;
    let id = MessageId::try_from(get(fields, field::ID)?.to_owned()).ok()?;
    let marks = get(fields, field::RECEIVER_ONLINE).unwrap_or_default();
    let receivers = get(fields, field::RECEIVER)?.split('\n').enumerate();
    let new = receivers.filter(|(at, _)| !marks.get(*at..).is_some_and(|mark| mark.starts_with(['d', 'D'])));
    Some((new.filter_map(|(_, text)| ids.text(text).ok()).collect(), id))
}

/// The fields without the one that says where the answer goes.
pub fn without_reply_to(fields: &[(String, String)]) -> impl Iterator<Item = &(String, String)> {
    fields.iter().filter(|(name, _)| name != field::REPLY_TO)
}

/// Whose mailboxes or counters an entry changes, from its first fields alone: version, kind and receiver.
/// Every kind of entry must be covered, because a barrier relies on it. User ids have this type.
///
/// # Errors
///
/// [`Malformed`]: this version cannot tell, so it may be anybody's.
pub fn receivers(head: &[(String, String)], ids: UserIdType) -> Result<Vec<UserId>, Malformed> {
    check_version(head)?;
    match get(head, field::KIND).ok_or(Malformed::Field(field::KIND))? {
        kind if kind::TO_ONE.contains(&kind) => Ok(vec![user(head, field::RECEIVER, ids)?]),
        kind if kind::TO_MANY.contains(&kind) => {
            addressee::users(get(head, field::RECEIVER).ok_or(Malformed::Field(field::RECEIVER))?, ids)
        }
        kind => Err(Malformed::EntryKind(kind.to_owned())),
    }
}

/// What an entry does to the mailbox of its receivers, as far as it matters to unread messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// It stores a message for each. A repeated call does not.
    Message,
    /// It takes a message back.
    Recall,
    /// Anything else.
    Other,
}

/// Which of these an entry is, from its first fields alone.
pub fn kind(head: &[(String, String)]) -> EntryKind {
    match get(head, field::KIND) {
        Some(kind::MESSAGE | kind::MESSAGE_TO_MANY) => EntryKind::Message,
        Some(kind::RECALL) => EntryKind::Recall,
        _ => EntryKind::Other,
    }
}

fn check_version(fields: &[(String, String)]) -> Result<(), Malformed> {
    let version = get(fields, field::VERSION).ok_or(Malformed::Field(field::VERSION))?;
    if version != crate::VERSION {
        return Err(Malformed::Version { found: version.to_owned() });
    }
    Ok(())
}

fn user(fields: &[(String, String)], name: &'static str, ids: UserIdType) -> Result<UserId, Malformed> {
    get(fields, name).and_then(|text| ids.text(text).ok()).ok_or(Malformed::Field(name))
}

fn get<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
}

impl Entry {
    /// Where the answer goes after the commit, if anybody waits for one.
    pub fn reply_to(&self) -> Option<&str> {
        match self {
            Self::Message { reply_to, .. }
            | Self::MessageToMany { reply_to, .. }
            | Self::AppDelete { reply_to, .. }
            | Self::Clear { reply_to, .. }
            | Self::Duplicate { reply_to, .. }
            | Self::Forget { reply_to, .. }
            | Self::Recall { reply_to, .. }
            | Self::DuplicateToMany { reply_to, .. } => reply_to.as_deref(),
            Self::ClientAck { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
