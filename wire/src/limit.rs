//! Sizes, counts and lifetimes that both sides keep to.

use std::time::Duration;

/// Most conversations that the frame of an unread counter names. With the longest names it has 64 KiB then.
pub const UNREAD_CONVERSATIONS: usize = 800;

/// Longest content in bytes: MySQL's `TEXT` column.
pub const CONTENT_BYTES: usize = 65_535;

/// Longest message type in bytes.
pub const TYPE_BYTES: usize = 64;

/// Shortest token key in bytes: RFC 7518 section 3.2 requires at least the size of the hash output.
pub(crate) const SECRET_BYTES: usize = 32;

/// Longest lifetime of a token: a year.
pub const TOKEN_TTL: Duration = Duration::from_secs(31_536_000);

/// How long it is remembered that tokens were revoked: until the last of them has expired, and a day for
/// clocks that differ. A token that lives longer than [`TOKEN_TTL`], which only code of others can sign, is
/// accepted again after that.
pub const REVOCATION_TTL: Duration = Duration::from_secs(31_536_000 + 86_400);

/// Most users whose presence a grant allows to see.
pub const GRANT_PEERS: usize = 500;

/// Most rooms in a grant.
pub const GRANT_ROOMS: usize = 100;

/// Longest grant that is verified, in bytes. One with the most and longest names has less.
pub const GRANT_BYTES: usize = 64 * 1024;

/// Longest name of a room in bytes.
pub const ROOM_BYTES: usize = 64;

/// Most users that one call returns for a room, and that a daemon names.
pub const ROOM_USERS: usize = 10_000;

/// Longest name of a client event in bytes.
pub const EVENT_NAME_BYTES: usize = 32;

/// Longest value of a client event in bytes of JSON.
pub const EVENT_VALUE_BYTES: usize = 1_024;

/// Longest JSON of a subscription to Web Push in bytes, and longest frame that a client sends about one.
pub const PUSH_SUBSCRIPTION_BYTES: usize = 2_048;

/// Longest address of a push service in bytes.
pub const PUSH_ENDPOINT_BYTES: usize = 1_500;

/// Most rows that one call may return.
pub const ROWS_PER_CALL: u32 = 100_000;

/// Most users who are due in one call.
pub const DUE_USERS: u32 = 1_000;

/// Longest lease of a user who is due.
pub const LEASE_TIME: Duration = Duration::from_secs(86_400);

/// Most rows in one reply. The extension queries the rest of a longer list page by page.
pub const ROWS_PER_PAGE: u32 = 1_000;

/// Most bytes of content in one reply, so that none of the three sides holds a whole mailbox. A byte takes at
/// most six in JSON, and Redis disconnects a subscriber with more than 32 MB of output
/// (`client-output-buffer-limit pubsub`).
pub const BYTES_PER_PAGE: usize = 1024 * 1024;

/// Most row ids in one `ackOfflineMessage` call.
pub const ACK_IDS: usize = 10_000;

/// Most user ids in one list.
pub const LIST_IDS: usize = 10_000;

/// Most receivers of one script call. Redis executes nothing else meanwhile; each takes it about 8 µs.
pub const RECEIVERS_PER_SCRIPT: usize = 128;

/// Most messages in one partition's log. A full log refuses messages, but takes client acks.
pub const LOG_ENTRIES: u32 = 100_000;

/// Most queries in one partition's list, which refuses further ones, and in a daemon, which drops further
/// ones.
pub const WAITING_QUERIES: u32 = 10_000;

/// How long a query waits for a daemon.
pub const QUERY_TTL: Duration = Duration::from_secs(60);

/// How long a message id that the caller chose is remembered in Redis. It is also known while its row exists.
pub const CHOSEN_SEEN_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a generated message id is remembered at least. A call is repeated only before its own timeout, so
/// twice a longer timeout is enough.
pub const SEEN_TTL: Duration = Duration::from_secs(60);
