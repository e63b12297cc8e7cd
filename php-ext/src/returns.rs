//! What functions return, and what they return in place of it when they fail.

use chatpush_wire::reply::Row;
use ext_php_rs::boxed::ZBox;
use ext_php_rs::convert::IntoZval as _;
use ext_php_rs::flags::DataType;
use ext_php_rs::types::{ZendHashTable, Zval};
use ext_php_rs::zend::BailoutGuard;

use crate::delivery::Delivery;
use crate::error::Error;
use crate::exception;

/// A type that a function can return.
pub(crate) trait Returns: Sized {
    /// The type in PHP.
    const TYPE: DataType;

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

/// No value of the enum says that a call failed, so it always throws.
impl Returns for Delivery {
    const TYPE: DataType = DataType::object("ChatPush\\Delivery");

    fn set(self, answer: &mut Zval) {
        // A case of a registered enum cannot fail to be set.
        let _ = self.set_zval(answer, false);
    }

    fn fail(error: Error, _answer: &mut Zval) {
        exception::throw(error);
    }
}

/// Rows as PDO returns them: a list of arrays, with numbers as numbers.
impl Returns for Vec<Row> {
    const TYPE: DataType = DataType::Array;

    fn set(self, answer: &mut Zval) {
        // Building the list can meet memory_limit, which leaves by longjmp. The guard frees the rows.
        let rows = BailoutGuard::new(self);
        if let Some(list) = list(&rows) {
            answer.set_hashtable(list);
        }
    }

    fn fail(error: Error, answer: &mut Zval) {
        answer.set_hashtable(ZendHashTable::new());
        exception::raise(error);
    }
}

fn list(rows: &[Row]) -> Option<ZBox<ZendHashTable>> {
    let mut list = ZendHashTable::with_capacity(u32::try_from(rows.len()).ok()?);
    for row in rows {
        let mut columns = ZendHashTable::with_capacity(5);
        columns.insert("id", saturating(row.id)).ok()?;
        columns.insert("sender_id", row.sender_id).ok()?;
        columns.insert("receiver_id", row.receiver_id).ok()?;
        columns.insert("content", row.content.as_str()).ok()?;
        columns.insert("send_time", row.send_time.as_str()).ok()?;
        list.push(columns).ok()?;
    }
    Some(list)
}

fn saturating(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
