//! Settings outside any table of the file that belong to no other part.

use std::net::SocketAddr;

use chatpush_wire::frame::{DEFAULT_TYPE, MessageType};
use chatpush_wire::id::UserIdType;
use chatpush_wire::key::Prefix;
use chatpush_wire::limit::TYPE_BYTES;

use super::setting::Setting;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::text("listen", "127.0.0.1:8089", "Address for browsers")
        .details("Usually behind a proxy that speaks TLS."),
    Setting::integer("threads", "0", 0..=1_024, "", "Threads that serve clients, Redis and MySQL").details(
        "0: half as many as processors, at least one. On a machine of its own, give the daemon as many \
         threads as processors.",
    ),
    Setting::integer(
        "drain_seconds",
        "10",
        0..=3_600,
        "seconds",
        "Longest time for closing the connections on SIGTERM",
    )
    .details("Clients are asked to connect elsewhere, spread over this time.").reloads(),
    Setting::text("prefix", Prefix::DEFAULT, "Prefix of every name in Redis").details(
        "The same as `chatpush.prefix` in PHP. 1 to 64 letters, digits, or any of `.` `_` `-` `:`. \
         Installations that share one Redis need different prefixes.",
    ),
    Setting::text("user_id_type", UserIdType::Int.name(), "Type of user ids: `int`, `bigint` or `text`").details(
        "`int`: 1 to 2147483647. `bigint`: any number of 64 bits but 0. `text`: 1 to 64 characters of \
         `A-Za-z0-9._@-`, in columns with a `_bin` collation. PHP learns it from Redis. An installation keeps the \
         type that it began with.",
    ),
    Setting::boolean("count_unread", true, "Whether storing a message increments the unread counter")
        .details("`false` if the application increments it itself."),
    Setting::boolean(
        "unread_by_conversation",
        false,
        "Whether unread messages are counted by conversation too",
    )
    .details(
        "In `chatpush_unread`: for `getUnreadCounts()` and `by` in the browser. Without a conversation, a \
             message counts for its sender. Needs `count_unread`.",
    ),
    Setting::boolean("receipts", false, "Whether senders are told when a client has confirmed their message")
        .details("A `delivered` frame, for clients with `chatpush.v1`."),
    Setting::boolean("carbons", false, "Whether senders get copies of their own messages")
        .details("For their other devices, if these use `chatpush.v1`."),
    Setting::boolean("flush_on_connect", true, "Whether stored messages are sent on connect")
        .details("`false` leaves that to the application."),
    Setting::text("default_type", DEFAULT_TYPE, "Type of messages that were stored without one")
        .details("At most 64 bytes."),
];

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} must be an address and a port, such as 127.0.0.1:8089"))
}

/// 0 stands for half as many threads as processors: Redis, MySQL and PHP need the others if they run on the
/// same machine.
pub(super) fn threads(number: usize) -> usize {
    match number {
        0 => (std::thread::available_parallelism().map_or(1, usize::from) / 2).max(1),
        number => number,
    }
}

pub(super) fn prefix(text: &str) -> Result<Prefix, String> {
    Prefix::try_from(text.to_owned()).map_err(|error| error.to_string())
}

pub(super) fn user_id_type(text: &str) -> Result<UserIdType, String> {
    text.parse::<UserIdType>().map_err(|error| error.to_string())
}

pub(super) fn message_type(text: &str) -> Result<MessageType, String> {
    if text.len() > TYPE_BYTES {
        return Err(format!("must have at most {TYPE_BYTES} bytes"));
    }
    Ok(MessageType::Name(text.to_owned()))
}
