//! What functions return, and what they return in place of it when they fail.

mod due;

use std::collections::BTreeMap;

use chatpush_wire::id::{Sender, UserId};
use chatpush_wire::reply::{Row, SendTime};
use ext_php_rs::convert::IntoZval as _;
use ext_php_rs::flags::DataType;
use ext_php_rs::types::{ArrayKey, ZendHashTable, Zval};
use ext_php_rs::zend::BailoutGuard;

use crate::by_user;
use crate::delivery::Delivery;
use crate::error::Error;
use crate::exception;
use crate::fetched_rows::{self, RowStrings};
use crate::outcome::Outcome;
use crate::settings;
use crate::zend::RequestString;

/// A type that a function can return.
pub(crate) trait Returns: Sized {
    /// The type in PHP.
    const TYPE: DataType;

    /// Whether the type in PHP includes null.
    const NULLABLE: bool = false;

    /// Sets the answer to this value.
    fn set(self, answer: &mut Zval);

    /// Sets the answer to what stands for a failure, and raises the error.
    fn fail(error: Error, answer: &mut Zval);
}

/// Gives the outcome of a call to PHP.
pub(crate) fn give<T: Returns>(outcome: Result<T, Error>, answer: &mut Zval) {
    match outcome {
        Ok(value) => value.set(answer),
        Err(error) => T::fail(error, answer),
    }
}

impl Returns for () {
    const TYPE: DataType = DataType::Void;

    fn set(self, answer: &mut Zval) {
        answer.set_null();
    }

    fn fail(error: Error, answer: &mut Zval) {
        answer.set_null();
        exception::raise(error);
    }
}

impl Returns for bool {
    const TYPE: DataType = DataType::Bool;

    fn set(self, answer: &mut Zval) {
        answer.set_bool(self);
    }

    fn fail(error: Error, answer: &mut Zval) {
        // What is queued will be done. A caller who got false would repeat the call and do it twice.
        answer.set_bool(error.outcome() == Outcome::Queued);
        exception::raise(error);
    }
}

/// Whether something is known to be so.
pub(crate) struct Truth(pub(crate) bool);

impl Returns for Truth {
    const TYPE: DataType = DataType::Bool;

    fn set(self, answer: &mut Zval) {
        answer.set_bool(self.0);
    }

    fn fail(error: Error, answer: &mut Zval) {
        answer.set_bool(false);
        exception::raise(error);
    }
}

/// A count, which PHP gets as an integer of its own size.
impl Returns for u64 {
    const TYPE: DataType = DataType::Long;

    fn set(self, answer: &mut Zval) {
        answer.set_long(saturating(self));
    }

    fn fail(error: Error, answer: &mut Zval) {
        answer.set_long(0);
        exception::raise(error);
    }
}

/// Counts by name.
impl Returns for BTreeMap<String, u64> {
    const TYPE: DataType = DataType::Array;

    fn set(self, answer: &mut Zval) {
        let mut counts = ZendHashTable::new();
        // Filling it can meet memory_limit, which leaves by longjmp. The guard frees the names.
        let names = BailoutGuard::new(self);
        for (name, count) in names.iter() {
            // A number is an integer key, as in every array of PHP. PHP cannot refuse a new key.
            _ = counts.insert(ArrayKey::from(name.clone()), saturating(*count));
        }
        drop(names);
        answer.set_hashtable(counts);
    }

    fn fail(error: Error, answer: &mut Zval) {
        answer.set_hashtable(ZendHashTable::new());
        exception::raise(error);
    }
}

impl Returns for String {
    const TYPE: DataType = DataType::String;

    fn set(self, answer: &mut Zval) {
        // The allocation can meet memory_limit, which leaves by longjmp. The guard frees the text.
        let text = BailoutGuard::new(self);
        // A string in the memory of the request cannot fail to be set.
        let _ = answer.set_string(&text, false);
    }

    fn fail(error: Error, answer: &mut Zval) {
        Self::new().set(answer);
        exception::raise(error);
    }
}

/// User ids as a list.
impl Returns for Vec<UserId> {
    const TYPE: DataType = DataType::Array;

    fn set(self, answer: &mut Zval) {
        // Building the list can meet memory_limit, which leaves by longjmp. The guard frees the ids.
        let ids = BailoutGuard::new(self);
        let mut list = ZendHashTable::with_capacity(u32::try_from(ids.len()).unwrap_or(u32::MAX));
        for id in ids.iter() {
            if let Some(id) = sender(&Sender::from(id)) {
                // A value of the engine's own type cannot fail to be added.
                let _ = list.push(id);
            }
        }
        drop(ids);
        answer.set_hashtable(list);
    }

    fn fail(error: Error, answer: &mut Zval) {
        answer.set_hashtable(ZendHashTable::new());
        exception::raise(error);
    }
}

/// `None` says that a call failed, and that the message is not known to be queued.
impl Returns for Option<Delivery> {
    const TYPE: DataType = DataType::object("ChatPush\\Delivery");
    const NULLABLE: bool = true;

    fn set(self, answer: &mut Zval) {
        match self {
            // A case of a registered enum cannot fail to be set.
            Some(delivery) => _ = delivery.set_zval(answer, false),
            None => answer.set_null(),
        }
    }

    fn fail(error: Error, answer: &mut Zval) {
        (error.outcome() == Outcome::Queued).then_some(Delivery::Stored).set(answer);
        exception::raise(error);
    }
}

/// What became of a message for each receiver, as an array by id.
pub(crate) struct Deliveries(pub(crate) Vec<(UserId, Delivery)>);

impl Returns for Deliveries {
    const TYPE: DataType = DataType::Array;

    fn set(self, answer: &mut Zval) {
        // Building the array can meet memory_limit, which leaves by longjmp. The guard frees the deliveries.
        let deliveries = BailoutGuard::new(self.0);
        *answer = by_user::array(&deliveries);
    }

    fn fail(error: Error, answer: &mut Zval) {
        if settings::errors_are_warnings()
            && let Error::Partial(partial) = &error
        {
            let stored = partial.stored();
            let error = BailoutGuard::new(error);
            Self(stored).set(answer);
            exception::raise(error.into_inner());
        } else {
            answer.set_hashtable(ZendHashTable::new());
            exception::raise(error);
        }
    }
}

/// The stored rows of a user in pages, of which only one at a time is held outside of PHP's memory.
pub(crate) struct RowPages<P> {
    pub(crate) user: UserId,
    pub(crate) pages: P,
}

/// What is held while the list is built: the pages that follow, the rows of one, and their strings.
struct Building<P> {
    pages: P,
    rows: Vec<Row>,
    strings: Vec<RowStrings>,
}

/// Rows as PDO returns them, a list of arrays with numbers as numbers, and each with its message id.
impl<P: Iterator<Item = Result<Vec<Row>, Error>> + 'static> Returns for RowPages<P> {
    const TYPE: DataType = DataType::Array;

    fn set(self, answer: &mut Zval) {
        fetched_rows::sweep();
        let mut list = ZendHashTable::new();
        // Building the list can meet memory_limit, which leaves by longjmp. The guard frees what is held.
        let building = Building { pages: self.pages, rows: Vec::new(), strings: Vec::new() };
        let mut guard = BailoutGuard::new(building);
        let filled = fill(&mut list, &self.user, &mut guard);
        drop(guard);
        match filled {
            Some(Ok(())) => answer.set_hashtable(list),
            Some(Err(error)) => Self::fail(error, answer),
            None => {}
        }
    }

    fn fail(error: Error, answer: &mut Zval) {
        answer.set_hashtable(ZendHashTable::new());
        exception::raise(error);
    }
}

/// Appends all pages to a list, and remembers their rows. `None`: PHP refused a value.
fn fill<P: Iterator<Item = Result<Vec<Row>, Error>>>(
    list: &mut ZendHashTable,
    user: &UserId,
    building: &mut Building<P>,
) -> Option<Result<(), Error>> {
    let Building { pages, rows, strings } = building;
    for page in pages {
        match page {
            Ok(page) => *rows = page,
            Err(error) => return Some(Err(error)),
        }
        append(list, user, rows, strings)?;
        let strings = std::mem::take(strings);
        fetched_rows::remember(user, std::mem::take(rows).into_iter().zip(strings));
    }
    Some(Ok(()))
}

fn append(
    list: &mut ZendHashTable,
    user: &UserId,
    rows: &[Row],
    strings: &mut Vec<RowStrings>,
) -> Option<()> {
    for row in rows {
        let content = RequestString::new(&row.content)?;
        let message_id = RequestString::new(row.message_id.as_str())?;
        let mut columns = ZendHashTable::with_capacity(6);
        columns.insert("id", saturating(row.id)).ok()?;
        columns.insert("sender_id", sender(&row.sender)?).ok()?;
        columns.insert("receiver_id", sender(&Sender::from(user))?).ok()?;
        columns.insert("content", content.to_zval()).ok()?;
        match &row.send_time {
            SendTime::Seconds(seconds) => columns.insert("send_time", *seconds).ok()?,
            SendTime::Text(text) => columns.insert("send_time", text.as_str()).ok()?,
        }
        columns.insert("message_id", message_id.to_zval()).ok()?;
        list.push(columns).ok()?;
        strings.push(RowStrings { content, message_id });
    }
    Some(())
}

/// A user of a row: a number if the column holds numbers.
fn sender(user: &Sender) -> Option<Zval> {
    let mut value = Zval::new();
    match user {
        Sender::Int(id) | Sender::BigInt(id) => value.set_long(*id),
        Sender::Text(id) => value.set_string(id, false).ok()?,
    }
    Some(value)
}

fn saturating(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
