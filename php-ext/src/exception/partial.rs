//! The exception of a call for many receivers that failed for some.

use std::ffi::CStr;

use ext_php_rs::flags::DataType;
use ext_php_rs::types::{ZendHashTable, Zval};
use ext_php_rs::zend::{ClassEntry, ExecuteData, run_handler};

use super::{Class, Method, property};
use crate::by_user;
use crate::error::Partial;

/// `sendToUsers()` failed for some receivers, and not for others or not in the same way. `getOutcome()` is
/// `Unknown` if it is unknown for any of them, else `NotQueued` if it is that for any, else `Queued`. Repeating the
/// call with the same `$message_id` completes what was missing.
pub(super) static PARTIAL: Class = Class::new("ChatPush\\PartialException");

/// Returns for whom the message is stored, by receiver, in the order of the call.
///
/// @return array<string|int, Delivery>
const GET_DELIVERIES: Method =
    Method { name: "getDeliveries", returns: DataType::Array, handler: get_deliveries };

/// Returns what is known of the others, by receiver, in the order of the call.
///
/// @return array<string|int, Outcome>
const GET_OUTCOMES: Method = Method { name: "getOutcomes", returns: DataType::Array, handler: get_outcomes };

const DELIVERIES: &CStr = c"deliveries";
const OUTCOMES: &CStr = c"outcomes";

/// The private properties.
pub(super) const PROPERTIES: [&CStr; 2] = [DELIVERIES, OUTCOMES];

/// The methods.
pub(super) const METHODS: [Method; 2] = [GET_DELIVERIES, GET_OUTCOMES];

/// The properties of an exception.
pub(super) fn properties(partial: &Partial) -> [(&'static ClassEntry, &'static CStr, Zval); 2] {
    let scope = PARTIAL.entry();
    [
        (scope, DELIVERIES, by_user::array(&partial.deliveries)),
        (scope, OUTCOMES, by_user::array(&partial.outcomes)),
    ]
}

extern "C" fn get_deliveries(frame: &mut ExecuteData, answer: &mut Zval) {
    run_handler(std::panic::AssertUnwindSafe(|| give(frame, DELIVERIES, answer)));
}

extern "C" fn get_outcomes(frame: &mut ExecuteData, answer: &mut Zval) {
    run_handler(std::panic::AssertUnwindSafe(|| give(frame, OUTCOMES, answer)));
}

/// An exception that the application made itself has empty ones.
fn give(frame: &mut ExecuteData, name: &'static CStr, answer: &mut Zval) {
    if let Some(property) = property(frame, &PARTIAL, name) {
        if property.is_array() {
            *answer = property;
        } else {
            answer.set_hashtable(ZendHashTable::new());
        }
    }
}
