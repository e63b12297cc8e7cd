//! Bounds that both sides hold to.

use std::time::Duration;

/// Longest content in bytes: MySQL's `TEXT` column.
pub const CONTENT_BYTES: usize = 65_535;

/// Longest message type in bytes.
pub const TYPE_BYTES: usize = 64;

/// Shortest token key in bytes: RFC 7518 section 3.2 asks for at least the size of the hash output.
pub const SECRET_BYTES: usize = 32;

/// Most rows that one call may ask for.
pub const ROWS_PER_CALL: u32 = 100_000;

/// Most rows in one reply; the extension asks again for the rest of a longer list.
pub const ROWS_PER_PAGE: u32 = 1_000;

/// Most bytes of content in one reply, so that neither Redis nor a daemon holds a mailbox at once. In JSON a byte takes six
/// at most, and Redis cuts a subscriber off for whom more than 32 MB wait (`client-output-buffer-limit pubsub`).
pub const BYTES_PER_PAGE: usize = 4 * 1024 * 1024;

/// Most row ids in one `ackOfflineMessage` call.
pub const ACK_IDS: usize = 10_000;

/// Messages that may wait in one partition's log. Beyond it stores are refused; confirms never are.
pub const LOG_ENTRIES: u32 = 100_000;

/// Questions that may wait in one partition's list before further ones are refused, and in a daemon before further
/// ones are let go.
pub const WAITING_QUERIES: u32 = 10_000;

/// How long a question waits for a daemon.
pub const QUERY_TTL: Duration = Duration::from_secs(60);

/// How long a message id that the caller chose is remembered, beside as long as its row is there.
pub const CHOSEN_SEEN_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a generated message id is remembered at least. A call repeats itself only within its own time, so twice that
/// is enough where it is longer.
pub const SEEN_TTL: Duration = Duration::from_secs(60);
