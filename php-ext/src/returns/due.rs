//! Users of whom somebody is to be told, as PHP gets them.

use chatpush_wire::due::{DueUser, LastMessage};
use ext_php_rs::flags::DataType;
use ext_php_rs::types::{ZendHashTable, Zval};
use ext_php_rs::zend::BailoutGuard;

use super::{Returns, saturating, sender};
use crate::error::Error;
use crate::exception;

impl Returns for Vec<DueUser> {
    const TYPE: DataType = DataType::Array;

    fn set(self, answer: &mut Zval) {
        let mut list = ZendHashTable::new();
        // Building the list can meet memory_limit, which leaves by longjmp. The guard frees the users.
        let users = BailoutGuard::new(self);
        for user in users.iter() {
            // PHP cannot refuse a value of its own types.
            let _ = due(user).map(|columns| list.push(columns));
        }
        drop(users);
        answer.set_hashtable(list);
    }

    fn fail(error: Error, answer: &mut Zval) {
        answer.set_hashtable(ZendHashTable::new());
        exception::raise(error);
    }
}

fn due(user: &DueUser) -> Option<ext_php_rs::boxed::ZBox<ZendHashTable>> {
    let mut columns = ZendHashTable::with_capacity(5);
    columns.insert("user_id", sender(&user.user)?).ok()?;
    columns.insert("waiting", saturating(user.waiting)).ok()?;
    columns.insert("unread", saturating(user.unread)).ok()?;
    match user.first_time {
        Some(time) => columns.insert("first_time", saturating(time)).ok()?,
        None => columns.insert("first_time", Zval::null()).ok()?,
    }
    // Whoever is leased is told, also where the type of the message was damaged in the database.
    match user.last.as_ref().and_then(message) {
        Some(last) => columns.insert("last", last).ok()?,
        None => columns.insert("last", Zval::null()).ok()?,
    }
    Some(columns)
}

/// Nothing is held here that an insertion that leaves by longjmp would leak; the type is encoded as
/// [`chatpush_wire::frame::MessageType::encode`] says.
fn message(last: &LastMessage) -> Option<ext_php_rs::boxed::ZBox<ZendHashTable>> {
    let mut columns = ZendHashTable::with_capacity(5);
    columns.insert("message_id", last.message_id.as_str()).ok()?;
    columns.insert("sender_id", sender(&last.sender)?).ok()?;
    match last.message_type.split_once(':')? {
        ("i", number) => columns.insert("type", number.parse::<i64>().ok()?).ok()?,
        (_, name) => columns.insert("type", name).ok()?,
    }
    columns.insert("content", last.content.as_str()).ok()?;
    columns.insert("time", saturating(last.time)).ok()?;
    Some(columns)
}
