//! The functions that PHP sees: arguments in, one call, the answer out.

#![allow(
    clippy::doc_markdown,
    rustdoc::invalid_html_tags,
    reason = "these are PHPDoc comments, which the stubs take over"
)]

use std::panic::AssertUnwindSafe;

use chatpush_wire::frame::DEFAULT_TYPE;
use chatpush_wire::reply::Row;
use ext_php_rs::args::Arg;
use ext_php_rs::boxed::ZBox;
use ext_php_rs::builders::FunctionBuilder;
use ext_php_rs::convert::IntoZval as _;
use ext_php_rs::flags::DataType;
use ext_php_rs::types::{ZendHashTable, Zval};
use ext_php_rs::zend::{BailoutGuard, ExecuteData, run_handler};

use crate::error::Error;
use crate::zend::{Call, TextOrNumber};
use crate::{arguments, calls, settings, zend};

/// Declares the handler of a PHP function, with the documentation that the stubs take over.
macro_rules! function {
    ($(#[$doc:meta])* $name:ident($call:ident, $answer:ident) $body:block) => {
        $(#[$doc])*
        extern "C" fn $name(frame: &mut ExecuteData, $answer: &mut Zval) {
            run_handler(AssertUnwindSafe(|| {
                let $call = &Call(frame);
                // A body that ends early has thrown: PHP then ignores the answer.
                let _: Option<()> = (|| $body)();
            }));
        }
    };
}

function! {
    /// Pushes a message to every device of a user who is connected now.
    ///
    /// One Redis round trip, at most once, in order per receiver for one caller. Pushing a content that
    /// `getOfflineMessage()` returned earlier in the same request delivers that stored row, which goes once
    /// the receiver's client has confirmed it.
    ///
    /// @param int $receiver_id 1 to 2147483647
    /// @param string $content UTF-8, at most 65,535 bytes
    /// @param string|int $type what the front end is told the message is, at most 64 bytes
    /// @return bool true: Redis queued it to at least one daemon that holds a connection of that user; false: nobody is there
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\TimeoutException no answer in time, the outcome is unknown
    push_message(call, answer) {
        let (receiver, content, message_type) = call.number_text_and_either()?;
        let receiver = arguments::user(1, receiver)?;
        let content = arguments::content(2, content)?;
        let message_type = arguments::message_type(3, message_type)?;
        reply(calls::push(receiver, content, &message_type), answer, false, Zval::set_bool);
        Some(())
    }
}

function! {
    /// Stores a message for a user and counts it as unread, in one transaction, exactly once.
    ///
    /// A receiver who is connected after all gets it at once. Inside an open transaction of the application
    /// that has touched the receiver's row of the user table this call waits for itself: commit first.
    ///
    /// @param int $sender_id 1 to 2147483647
    /// @param int $receiver_id 1 to 2147483647
    /// @param string $content UTF-8, at most 65,535 bytes
    /// @return bool true: the row is committed in MySQL, or is in the durable queue if `chatpush.durability` is `queued`
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs or the backlog is full: nothing was queued
    /// @throws \ChatPush\TimeoutException not committed in time; the text says whether the message is queued and will be stored
    store_offline_message(call, answer) {
        let (sender, receiver, content) = call.two_numbers_and_text()?;
        let sender = arguments::user(1, sender)?;
        let receiver = arguments::user(2, receiver)?;
        let content = arguments::content(3, content)?;
        reply(calls::store(sender, receiver, content), answer, false, Zval::set_bool);
        Some(())
    }
}

function! {
    /// Returns the messages stored for a user, oldest first. Reading removes nothing.
    ///
    /// Sees every store that returned before the call.
    ///
    /// @param int $user_id 1 to 2147483647
    /// @param int $limit at most so many, 1 to 100000
    /// @param int $after_id only rows with a larger id
    /// @return list<array{id: int, sender_id: int, receiver_id: int, content: string, send_time: string}>
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
    /// @throws \ChatPush\TimeoutException no answer in time
    get_offline_message(call, answer) {
        let (user, [limit, after]) = call.numbers([1000, 0])?;
        let user = arguments::user(1, user)?;
        let limit = arguments::limit(2, limit)?;
        let after = arguments::after(3, after)?;
        match calls::rows(user, limit, after) {
            Ok(rows) => answer.set_hashtable(list(rows)?),
            Err(error) => {
                answer.set_hashtable(ZendHashTable::new());
                error.tell();
            }
        }
        Some(())
    }
}

function! {
    /// Returns what `user.unread_count` holds now, also after the application's own SQL.
    ///
    /// Sees every store that returned before the call. An unknown user has 0.
    ///
    /// @param int $user_id 1 to 2147483647
    /// @return int 0 or more
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs, or it could not answer
    /// @throws \ChatPush\TimeoutException no answer in time
    get_unread_count(call, answer) {
        let user = arguments::user(1, call.number()?)?;
        reply(calls::unread(user).map(saturating), answer, 0, Zval::set_long);
        Some(())
    }
}

function! {
    /// Stores a message exactly once and pushes it in the same step to whoever is there.
    ///
    /// The row goes once a client has confirmed it. With a `$message_id` a repeated call is the same message: it is
    /// remembered for 24 hours and as long as its row is there, by sender and receiver, and the second call
    /// waits for the first one's commit and answers what that one did.
    ///
    /// A failure is thrown also where `chatpush.errors` asks for warnings, since no value says it.
    ///
    /// @param int $sender_id 1 to 2147483647
    /// @param int $receiver_id 1 to 2147483647
    /// @param string $content UTF-8, at most 65,535 bytes
    /// @param string|int $type what the front end is told the message is, at most 64 bytes
    /// @param string|null $message_id 1 to 64 printable ASCII characters; null: every call is a message of its own
    /// @return Delivery whether somebody was there
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs or the backlog is full: nothing was queued
    /// @throws \ChatPush\TimeoutException not committed in time; the text says whether the message is queued and will be stored
    send_message(call, answer) {
        let given = call.message()?;
        let sender = arguments::user(1, given.sender)?;
        let receiver = arguments::user(2, given.receiver)?;
        let content = arguments::content(3, given.content)?;
        let message_type = arguments::message_type(4, given.message_type.unwrap_or(TextOrNumber::Text(DEFAULT_TYPE.as_bytes())))?;
        let id = match given.id {
            Some(chosen) => Some(arguments::message_id(5, sender, chosen)?),
            None => None,
        };
        match calls::send(sender, receiver, content, &message_type, id) {
            // An enum case that is registered has no way to fail.
            Ok(delivery) => _ = delivery.set_zval(answer, false),
            Err(error) => error.throw(),
        }
        Some(())
    }
}

function! {
    /// Tells whether a daemon holds a connection of the user now.
    ///
    /// @param int $user_id 1 to 2147483647
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\TimeoutException no answer in time
    is_online(call, answer) {
        let user = arguments::user(1, call.number()?)?;
        reply(calls::is_online(user), answer, false, Zval::set_bool);
        Some(())
    }
}

function! {
    /// Ends a user's connections on every daemon, as after signing out or a ban.
    ///
    /// They are closed with code 4403, on which a client does not connect again by itself. A token that is still
    /// valid opens a new one: do not give out another.
    ///
    /// @param int $user_id 1 to 2147483647
    /// @return bool true: at least one daemon that holds a connection of that user was told; false: nobody is there
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\TimeoutException no answer in time, the outcome is unknown
    disconnect_user(call, answer) {
        let user = arguments::user(1, call.number()?)?;
        reply(calls::disconnect(user), answer, false, Zval::set_bool);
        Some(())
    }
}

function! {
    /// Sets a user's unread counter to 0 and tells the user's devices.
    ///
    /// @param int $user_id 1 to 2147483647
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs: nothing was queued
    /// @throws \ChatPush\TimeoutException not done in time; the text says whether it is queued
    clear_unread_count(call, answer) {
        let user = arguments::user(1, call.number()?)?;
        reply(calls::clear_unread(user), answer, (), |answer, ()| answer.set_null());
        Some(())
    }
}

function! {
    /// Removes stored messages that the application has shown itself instead of pushing them.
    ///
    /// @param int $user_id 1 to 2147483647
    /// @param list<int> $ids row ids as `getOfflineMessage()` returned them, at most 10,000; rows of other users stay
    /// @return int how many rows were removed
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\ConnectionException Redis cannot be reached
    /// @throws \ChatPush\UnavailableException no daemon runs: nothing was queued
    /// @throws \ChatPush\TimeoutException not done in time; the text says whether it is queued
    ack_offline_message(call, answer) {
        let (user, ids) = call.number_and_array()?;
        let user = arguments::user(1, user)?;
        let ids = arguments::row_ids(2, ids)?;
        reply(calls::acknowledge(user, ids).map(saturating), answer, 0, Zval::set_long);
        Some(())
    }
}

function! {
    /// Makes a token with which a user's browser connects: `new WebSocket(url + '?token=' + token)`.
    ///
    /// @param int $user_id 1 to 2147483647
    /// @param int $ttl_seconds how long it is valid, 1 to 31536000
    /// @return string a JSON Web Token, signed with `chatpush.secret`
    /// @throws \ValueError an argument is out of range
    /// @throws \ChatPush\Exception `chatpush.secret` is not set or too short
    connect_token(call, answer) {
        let (user, [ttl]) = call.numbers([3600])?;
        let user = arguments::user(1, user)?;
        let ttl = arguments::ttl(2, ttl)?;
        reply(calls::connect_token(user, ttl), answer, String::new(), set_text);
        Some(())
    }
}

/// Every function under each of its names.
pub(crate) fn table() -> Vec<FunctionBuilder<'static>> {
    type Build = fn(&str) -> FunctionBuilder<'static>;
    const CLASSIC: [(&str, Build); 4] = [
        ("pushMessage", |name| {
            FunctionBuilder::new(name, push_message)
                .arg(int("receiver_id"))
                .arg(Arg::new("content", DataType::String))
                .arg(Arg::new("type", DataType::String))
                .returns(DataType::Bool, false, false)
        }),
        ("storeOfflineMessage", |name| {
            FunctionBuilder::new(name, store_offline_message)
                .arg(int("sender_id"))
                .arg(int("receiver_id"))
                .arg(Arg::new("content", DataType::String))
                .returns(DataType::Bool, false, false)
        }),
        ("getOfflineMessage", |name| {
            FunctionBuilder::new(name, get_offline_message)
                .arg(int("user_id"))
                .not_required()
                .arg(int("limit").default("1000"))
                .arg(int("after_id").default("0"))
                .returns(DataType::Array, false, false)
        }),
        ("getUnreadCount", |name| {
            FunctionBuilder::new(name, get_unread_count).arg(int("user_id")).returns(
                DataType::Long,
                false,
                false,
            )
        }),
    ];
    const OURS: [(&str, Build); 6] = [
        ("disconnectUser", |name| {
            FunctionBuilder::new(name, disconnect_user).arg(int("user_id")).returns(
                DataType::Bool,
                false,
                false,
            )
        }),
        ("sendMessage", |name| {
            FunctionBuilder::new(name, send_message)
                .arg(int("sender_id"))
                .arg(int("receiver_id"))
                .arg(Arg::new("content", DataType::String))
                .not_required()
                .arg(Arg::new("type", DataType::String).default("'text'"))
                .arg(Arg::new("message_id", DataType::String).allow_null().default("null"))
                .returns(DataType::object("ChatPush\\Delivery"), false, false)
        }),
        ("isOnline", |name| {
            FunctionBuilder::new(name, is_online).arg(int("user_id")).returns(DataType::Bool, false, false)
        }),
        ("clearUnreadCount", |name| {
            FunctionBuilder::new(name, clear_unread_count).arg(int("user_id")).returns(
                DataType::Void,
                false,
                false,
            )
        }),
        ("ackOfflineMessage", |name| {
            FunctionBuilder::new(name, ack_offline_message)
                .arg(int("user_id"))
                .arg(Arg::new("ids", DataType::Array))
                .returns(DataType::Long, false, false)
        }),
        ("connectToken", |name| {
            FunctionBuilder::new(name, connect_token)
                .arg(int("user_id"))
                .not_required()
                .arg(int("ttl_seconds").default("3600"))
                .returns(DataType::String, false, false)
        }),
    ];
    let namespaced = CLASSIC.iter().chain(&OURS).map(|(name, build)| build(&format!("ChatPush\\{name}")));
    // An application that owns one of the four names keeps it with chatpush.global_functions=0.
    let global =
        CLASSIC.iter().filter(|_| settings::wants_global_functions()).map(|(name, build)| build(name));
    namespaced.chain(global).collect()
}

/// What the builder cannot say of the functions' types.
pub(crate) fn refine_types() {
    const TYPE_OF_PUSH: usize = 2;
    const TYPE_OF_SEND: usize = 3;
    zend::allow_int("ChatPush\\sendMessage", TYPE_OF_SEND);
    zend::allow_int("ChatPush\\pushMessage", TYPE_OF_PUSH);
    if settings::wants_global_functions() {
        zend::allow_int("pushMessage", TYPE_OF_PUSH);
    }
}

fn int(name: &str) -> Arg<'static> {
    Arg::new(name, DataType::Long)
}

/// Gives the answer or, behind the fallback, tells the error.
fn reply<T>(outcome: Result<T, Error>, answer: &mut Zval, fallback: T, set: impl Fn(&mut Zval, T)) {
    match outcome {
        Ok(value) => set(answer, value),
        Err(error) => {
            set(answer, fallback);
            error.tell();
        }
    }
}

fn set_text(answer: &mut Zval, text: impl AsRef<str>) {
    // Setting a string of the request's own memory has no way to fail.
    let _ = answer.set_string(text.as_ref(), false);
}

fn saturating(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The rows as PDO would give them: a list of arrays, numbers as numbers.
fn list(rows: Vec<Row>) -> Option<ZBox<ZendHashTable>> {
    // Building the list can meet memory_limit, which leaves by longjmp; the guard frees the rows then.
    let rows = BailoutGuard::new(rows);
    let mut list = ZendHashTable::with_capacity(u32::try_from(rows.len()).ok()?);
    for row in rows.iter() {
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
