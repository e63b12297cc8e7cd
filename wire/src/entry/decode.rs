//! Reading an entry, and the generation that reads it.

use super::{
    CONVERSATIONS, Entry, FORGETS, MANY_RECEIVERS, Malformed, RECALLS, addressee, check_version, field, get,
    kind, reply_to, user,
};
use crate::conversation::Conversation;
use crate::frame::MessageType;
use crate::id::{MessageId, UserIdType};

/// A field that an entry may lack.
fn optional<T>(
    fields: &[(String, String)],
    name: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Malformed> {
    get(fields, name).map(|text| parse(text).ok_or(Malformed::Field(name))).transpose()
}

fn conversation(text: &str) -> Option<Conversation> {
    Conversation::try_from(text.to_owned()).ok()
}

impl Entry {
    /// The generation that it is of (see [`super::GENERATION`]).
    pub const fn generation(&self) -> u32 {
        match self {
            Self::MessageToMany { .. } | Self::DuplicateToMany { .. } => MANY_RECEIVERS,
            Self::Message { conversation: Some(_), .. } | Self::Clear { conversation: Some(_), .. } => {
                CONVERSATIONS
            }
            Self::Recall { .. } => RECALLS,
            Self::Forget { .. } => FORGETS,
            Self::Message { .. }
            | Self::ClientAck { .. }
            | Self::AppDelete { .. }
            | Self::Clear { .. }
            | Self::Duplicate { .. } => 1,
        }
    }

    /// Reads the fields of a stream entry, whose user ids have this type.
    ///
    /// # Errors
    ///
    /// [`Malformed`], which names the version, entry kind or field that this version does not read.
    pub fn decode(fields: &[(String, String)], ids: UserIdType) -> Result<Self, Malformed> {
        let text = |name| get(fields, name).ok_or(Malformed::Field(name));
        check_version(fields)?;
        let receiver = || user(fields, field::RECEIVER, ids);
        let sender = || user(fields, field::SENDER, ids);
        let id = || MessageId::try_from(text(field::ID)?.to_owned()).map_err(|_| Malformed::Field(field::ID));
        let content = || text(field::CONTENT).map(str::to_owned);
        let message_type = || optional(fields, field::MESSAGE_TYPE, MessageType::decode);
        let conversation = || optional(fields, field::CONVERSATION, conversation);
        let receiver_online = get(fields, field::RECEIVER_ONLINE).is_some_and(|online| online == "1");
        let reply_to = reply_to(fields).map(str::to_owned);
        match text(field::KIND)? {
            kind::MESSAGE => Ok(Self::Message {
                receiver: receiver()?,
                id: id()?,
                sender: sender()?,
                content: content()?,
                message_type: message_type()?,
                conversation: conversation()?,
                receiver_online,
                reply_to,
            }),
            kind::MESSAGE_TO_MANY => Ok(Self::MessageToMany {
                receivers: addressee::addressees(fields, ids)?,
                id: id()?,
                sender: sender()?,
                content: content()?,
                message_type: message_type()?,
                conversation: conversation()?,
                reply_to,
            }),
            kind::CLIENT_ACK => {
                Ok(Self::ClientAck { receiver: receiver()?, ids: message_ids(text(field::ID)?)? })
            }
            kind::APP_DELETE => Ok(Self::AppDelete {
                receiver: receiver()?,
                rows: split(text(field::ROWS)?, |row| row.parse().ok())
                    .ok_or(Malformed::Field(field::ROWS))?,
                reply_to,
            }),
            kind::RECALL => Ok(Self::Recall {
                sender: sender()?,
                receiver: receiver()?,
                ids: message_ids(text(field::ID)?)?,
                reply_to,
            }),
            kind::CLEAR => Ok(Self::Clear { receiver: receiver()?, conversation: conversation()?, reply_to }),
            kind::FORGET => Ok(Self::Forget { receiver: receiver()?, reply_to }),
            kind::DUPLICATE => {
                Ok(Self::Duplicate { receiver: receiver()?, id: id()?, receiver_online, reply_to })
            }
            kind::DUPLICATE_TO_MANY => Ok(Self::DuplicateToMany {
                receivers: addressee::addressees(fields, ids)?,
                id: id()?,
                reply_to,
            }),
            other => Err(Malformed::EntryKind(other.to_owned())),
        }
    }

    /// Whether it is of a kind with many receivers.
    pub const fn has_many_receivers(&self) -> bool {
        matches!(self, Self::MessageToMany { .. } | Self::DuplicateToMany { .. })
    }
}

fn message_ids(list: &str) -> Result<Vec<MessageId>, Malformed> {
    split(list, |id| MessageId::try_from(id.to_owned()).ok()).ok_or(Malformed::Field(field::ID))
}

fn split<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text.split('\n').filter(|item| !item.is_empty()).map(parse).collect()
}
