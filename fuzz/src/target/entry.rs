//! A decoded log entry encodes to the same fields, and anything else is rejected.
//!
//! The parts of an input between `|` are fields, each `name=value`.

use chatpush_wire::VERSION;
use chatpush_wire::entry::Entry;
use chatpush_wire::id::UserIdType;
use chatpush_wire::new_entry::{self, NewMessage, NewMessageToMany};

pub(super) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let fields: Vec<_> = text
        .split('|')
        .filter_map(|field| field.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    for ids in UserIdType::ALL {
        let Ok(entry) = Entry::decode(&fields, ids) else { continue };
        assert_eq!(Entry::decode(&written(&entry), ids), Ok(entry));
    }
}

/// The fields as they stand in the log: the Lua scripts append `reply_to` and whether the receiver was
/// online, and write duplicates.
fn written(entry: &Entry) -> Vec<(String, String)> {
    let fields = match entry {
        Entry::Message { id, sender, receiver, content, message_type, conversation, .. } => {
            let message_type = message_type.as_ref();
            let conversation = conversation.as_ref();
            NewMessage { id, sender, receiver, content, message_type, conversation }.fields()
        }
        Entry::MessageToMany { id, sender, content, message_type, conversation, .. } => {
            let (message_type, conversation) = (message_type.as_ref(), conversation.as_ref());
            NewMessageToMany { id, sender, content, message_type, conversation }.fields()
        }
        Entry::ClientAck { receiver, ids } => new_entry::client_ack(receiver, ids),
        Entry::AppDelete { receiver, rows, .. } => new_entry::app_delete(receiver, rows),
        Entry::Recall { sender, receiver, ids, .. } => new_entry::recall(sender, receiver, ids),
        Entry::Forget { receiver, .. } => new_entry::forget(receiver),
        Entry::Clear { receiver, conversation, .. } => new_entry::clear(receiver, conversation.as_ref()),
        Entry::Duplicate { receiver, id, .. } => {
            let (receiver, id) = (receiver.to_string(), id.to_string());
            vec![("v", VERSION.into()), ("k", "e".into()), ("r", receiver.into()), ("i", id.into())]
        }
        Entry::DuplicateToMany { id, .. } => {
            vec![("v", VERSION.into()), ("k", "h".into()), ("r", "".into()), ("i", id.to_string().into())]
        }
    };
    let mut fields: Vec<_> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
    if let Entry::Message { receiver_online: true, .. } | Entry::Duplicate { receiver_online: true, .. } =
        entry
    {
        fields.push(("l".to_owned(), "1".to_owned()));
    }
    if let Entry::MessageToMany { receivers, .. } | Entry::DuplicateToMany { receivers, .. } = entry {
        let users: Vec<_> = receivers.iter().map(|receiver| receiver.user.to_string()).collect();
        let marks = receivers.iter().map(|receiver| match (receiver.repeated, receiver.online) {
            (false, online) => char::from(b'0' + u8::from(online)),
            (true, false) => 'd',
            (true, true) => 'D',
        });
        fields[2].1 = users.join("\n");
        fields.push(("l".to_owned(), marks.collect()));
    }
    if let Some(reply_to) = entry.reply_to() {
        fields.push(("q".to_owned(), reply_to.to_owned()));
    }
    fields
}
