//! Log entries as they are written. [`crate::entry`] describes the fields and reads them.

use std::borrow::Cow;

use crate::conversation::Conversation;
use crate::entry::{Addressee, field, kind};
use crate::frame::MessageType;
use crate::id::{MessageId, UserId};

/// The fields of a stream entry: names and values.
pub type Fields<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// A message to store, borrowed from the caller.
#[derive(Clone, Copy, Debug)]
pub struct NewMessage<'a> {
    /// The message's id.
    pub id: &'a MessageId,
    /// The sender.
    pub sender: &'a UserId,
    /// The owner of the mailbox.
    pub receiver: &'a UserId,
    /// The content, verbatim.
    pub content: &'a str,
    /// The message type, if there is one.
    pub message_type: Option<&'a MessageType>,
    /// The conversation, if it belongs to one.
    pub conversation: Option<&'a Conversation>,
}

impl<'a> NewMessage<'a> {
    /// The fields that the script which accepts the message appends to the log.
    pub fn fields(&self) -> Fields<'a> {
        let mut fields = head(kind::MESSAGE, self.receiver);
        fields.reserve_exact(5);
        fields.push((field::ID, self.id.as_str().into()));
        fields.push((field::SENDER, self.sender.to_string().into()));
        fields.push((field::CONTENT, self.content.into()));
        if let Some(message_type) = self.message_type {
            fields.push((field::MESSAGE_TYPE, message_type.encode().into()));
        }
        if let Some(conversation) = self.conversation {
            fields.push((field::CONVERSATION, conversation.as_str().into()));
        }
        fields
    }
}

/// A message to store for many receivers, borrowed from the caller.
#[derive(Clone, Copy, Debug)]
pub struct NewMessageToMany<'a> {
    /// The message's id, the same for each receiver.
    pub id: &'a MessageId,
    /// The sender.
    pub sender: &'a UserId,
    /// The content, verbatim.
    pub content: &'a str,
    /// The message type, if there is one.
    pub message_type: Option<&'a MessageType>,
    /// The conversation, if it belongs to one.
    pub conversation: Option<&'a Conversation>,
}

impl<'a> NewMessageToMany<'a> {
    /// The fields that the script which accepts the message appends to the log. It fills in the receivers.
    pub fn fields(&self) -> Fields<'a> {
        let mut fields = vec![
            (field::VERSION, crate::VERSION.into()),
            (field::KIND, kind::MESSAGE_TO_MANY.into()),
            (field::RECEIVER, "".into()),
            (field::ID, self.id.as_str().into()),
            (field::SENDER, self.sender.to_string().into()),
            (field::CONTENT, self.content.into()),
        ];
        if let Some(message_type) = self.message_type {
            fields.push((field::MESSAGE_TYPE, message_type.encode().into()));
        }
        if let Some(conversation) = self.conversation {
            fields.push((field::CONVERSATION, conversation.as_str().into()));
        }
        fields
    }
}

/// The fields of one receiver's message, from those of an entry that has many; as [`NewMessage::fields`], and
/// whether the receiver was connected. For a dead letter, which is of one receiver.
pub fn fields_of_one(fields: &[(String, String)], receiver: &Addressee) -> Vec<(String, String)> {
    let of_one = fields.iter().filter(|(name, _)| name != field::REPLY_TO).map(|(name, value)| {
        let value = match name.as_str() {
            field::KIND => kind::MESSAGE.to_owned(),
            field::RECEIVER => receiver.user.to_string(),
            field::RECEIVER_ONLINE => u8::from(receiver.online).to_string(),
            _ => value.clone(),
        };
        (name.clone(), value)
    });
    of_one.collect()
}

/// A client has confirmed messages: their rows are to be deleted.
pub fn client_ack(receiver: &UserId, ids: &[MessageId]) -> Fields<'static> {
    let mut fields = head(kind::CLIENT_ACK, receiver);
    fields.push((field::ID, join(ids).into()));
    fields
}

/// The application has shown rows itself: they are to be deleted.
pub fn app_delete(receiver: &UserId, rows: &[u64]) -> Fields<'static> {
    let mut fields = head(kind::APP_DELETE, receiver);
    fields.push((field::ROWS, join(rows).into()));
    fields
}

/// The unread counter is to become 0, or to lose what a conversation counts.
pub fn clear<'a>(receiver: &UserId, conversation: Option<&'a Conversation>) -> Fields<'a> {
    let mut fields = head(kind::CLEAR, receiver);
    fields.extend(conversation.map(|name| (field::CONVERSATION, name.as_str().into())));
    fields
}

/// Everything that is kept of a user is to be removed.
pub fn forget(user: &UserId) -> Fields<'static> {
    head(kind::FORGET, user)
}

/// The sender takes back a message to `receiver` that has one of these ids.
pub fn recall(sender: &UserId, receiver: &UserId, ids: &[MessageId]) -> Fields<'static> {
    let mut fields = head(kind::RECALL, receiver);
    fields.push((field::SENDER, sender.to_string().into()));
    fields.push((field::ID, join(ids).into()));
    fields
}

fn head<'a>(kind: &'static str, receiver: &UserId) -> Fields<'a> {
    vec![
        (field::VERSION, crate::VERSION.into()),
        (field::KIND, kind.into()),
        (field::RECEIVER, receiver.to_string().into()),
    ]
}

fn join<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Entry;
    use crate::id::UserIdType;

    fn read(fields: &Fields<'_>) -> Entry {
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_owned())).collect();
        Entry::decode(&fields, UserIdType::Int).unwrap()
    }

    #[test]
    fn a_message_to_many_reads_back_and_each_of_its_receivers_has_an_entry() {
        let id = MessageId::generate(1, [7; 10]);
        let user = |id| UserId::try_from(id).unwrap();
        let (message_type, content) = (MessageType::Name("chat".to_owned()), "a\0b \"😀\"");
        let conversation = Conversation::try_from("team".to_owned()).unwrap();
        let (sender, conversation) = (user(1), Some(&conversation));
        let new = NewMessageToMany {
            id: &id,
            sender: &sender,
            content,
            message_type: Some(&message_type),
            conversation,
        };
        let mut fields: Vec<_> =
            new.fields().into_iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
        fields[2].1 = "2\n66".to_owned();
        fields.extend([("l".to_owned(), "01".to_owned()), ("q".to_owned(), "C.1".to_owned())]);
        let Ok(Entry::MessageToMany { receivers, .. }) = Entry::decode(&fields, UserIdType::Int) else {
            panic!("{fields:?} is not a message to many");
        };
        for (receiver, online) in receivers.iter().zip([false, true]) {
            let expected = Entry::Message {
                id: id.clone(),
                sender: user(1),
                receiver: receiver.user.clone(),
                content: content.to_owned(),
                message_type: Some(message_type.clone()),
                conversation: conversation.cloned(),
                receiver_online: online,
                reply_to: None,
            };
            assert_eq!(Entry::decode(&fields_of_one(&fields, receiver), UserIdType::Int), Ok(expected));
        }
    }

    #[test]
    fn every_kind_reads_back() {
        let id = MessageId::generate(1, [7; 10]);
        let (sender, receiver) = (UserId::try_from(1).unwrap(), UserId::try_from(2).unwrap());
        let (content, message_type) = ("a\0b \"😀\"", MessageType::Number(3));
        let conversation = Conversation::try_from("team".to_owned()).unwrap();
        for (message_type, conversation) in
            [(None, None), (Some(&message_type), None), (Some(&message_type), Some(&conversation))]
        {
            let message = NewMessage {
                id: &id,
                sender: &sender,
                receiver: &receiver,
                content,
                message_type,
                conversation,
            };
            let expected = Entry::Message {
                id: id.clone(),
                sender: sender.clone(),
                receiver: receiver.clone(),
                content: content.to_owned(),
                message_type: message_type.cloned(),
                conversation: conversation.cloned(),
                receiver_online: false,
                reply_to: None,
            };
            assert_eq!(read(&message.fields()), expected);
        }
        let ids = vec![id, MessageId::of_row(5, 6)];
        let acked = Entry::ClientAck { receiver: receiver.clone(), ids: ids.clone() };
        assert_eq!(read(&client_ack(&receiver, &ids)), acked);
        let recalled = read(&recall(&sender, &receiver, &ids));
        let (from, to) = (sender.clone(), receiver.clone());
        assert_eq!(recalled, Entry::Recall { sender: from, receiver: to, ids, reply_to: None });
        for rows in [vec![1, u64::MAX], Vec::new()] {
            let expected =
                Entry::AppDelete { receiver: receiver.clone(), rows: rows.clone(), reply_to: None };
            assert_eq!(read(&app_delete(&receiver, &rows)), expected);
        }
        let forgotten = Entry::Forget { receiver: receiver.clone(), reply_to: None };
        assert_eq!(read(&forget(&receiver)), forgotten);
        for conversation in [None, Some(conversation)] {
            let expected = Entry::Clear {
                receiver: receiver.clone(),
                conversation: conversation.clone(),
                reply_to: None,
            };
            assert_eq!(read(&clear(&receiver, conversation.as_ref())), expected);
        }
    }
}
