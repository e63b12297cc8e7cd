//! What makes a row of the application's table the message that was stored, in SQL.

use crate::base::fault_injection::{self, Promise};
use crate::config::Names;

/// The digest of a row of the message table: 8 bytes of the SHA-256 of sender and content. It is the same in
/// every session, whatever its time zone and character set. `alias` is the table's alias with its dot, or empty.
pub(super) fn digest(names: &Names, alias: &str) -> String {
    let Names { sender_id, content, send_time, .. } = names;
    // The fault test shows that it notices an identity that rests on time.
    let time = match send_time {
        Some(send_time) if fault_injection::breaks(Promise::Identity) => {
            format!(", UNIX_TIMESTAMP({alias}{send_time})")
        }
        _ => String::new(),
    };
    // Both are converted: MariaDB 11.8 mixes no text in ASCII with one that is converted to utf8mb4.
    format!(
        "UNHEX(LEFT(SHA2(CONCAT(CONVERT(COALESCE({alias}{sender_id}, 0) USING utf8mb4), ':', \
         CONVERT(COALESCE({alias}{content}, '') USING utf8mb4){time}), 256), 16))"
    )
}

/// The condition that our record `m` and the row `o` of the message table are the same message. The id alone
/// is not enough: after a TRUNCATE, row ids are used again.
pub(crate) fn record_of_row(names: &Names) -> String {
    format!(
        "o.{} = m.`offline_id` AND o.{} = m.`receiver_id` AND m.`digest` = {}",
        names.id,
        names.receiver_id,
        digest(names, "o.")
    )
}
