//! What the writer has to know of the server and of the application's tables.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::error::UnavailableCause;
use super::read_pool::READ_ONLY;
use super::{StoreError, bounded};
use crate::config::Names;

/// The least `max_allowed_packet`. A dead letter holds a message in JSON as an SQL literal, where a byte takes
/// seven at most.
pub(crate) const MIN_PACKET_BYTES: usize = 1024 * 1024;

/// The longest text that is sent in one write, whatever the server accepts.
const STATEMENT_BYTES: usize = MIN_PACKET_BYTES - PACKET_OVERHEAD;

/// What a packet holds beside a statement.
const PACKET_OVERHEAD: usize = 1024;

/// A server, as the writer sees it at the beginning of a term.
#[derive(Clone, Copy, Debug)]
pub(super) struct Server {
    /// The longest text that is sent in one write.
    pub(super) statement_bytes: usize,
    /// Whether it may abort a transaction between two of its statements, and execute the next one as if
    /// nothing had happened: MariaDB as a Galera node does.
    pub(super) aborts_from_outside: bool,
    /// Whether this account may write although the server refuses writes.
    pub(super) ignores_read_only: bool,
    /// Whether a statement waits for a lock for a second at least: MySQL has no shorter time.
    pub(super) waits_for_locks: bool,
    /// The largest value of the counter's column.
    pub(super) most_unread: u64,
}

impl Server {
    /// Asks the server.
    ///
    /// # Errors
    ///
    /// [`UnavailableCause::ReadOnly`] if it refuses writes, even if this account is exempt from that: what it
    /// wrote there would be missing on the new primary.
    pub(super) async fn of(connection: &mut Conn, names: &Names) -> Result<Self, StoreError> {
        let packet: Option<usize> =
            bounded(connection.query_first("SELECT @@global.max_allowed_packet")).await?;
        let read_only: Option<bool> = bounded(connection.query_first(format!("SELECT {READ_ONLY}"))).await?;
        if read_only == Some(true) {
            return Err(StoreError::Unavailable(UnavailableCause::ReadOnly));
        }
        // MySQL manual and MariaDB manual, "read_only". An account sees its own privileges there.
        let privileges = "SELECT COUNT(*) FROM information_schema.user_privileges WHERE privilege_type IN \
                          ('SUPER', 'CONNECTION_ADMIN', 'READ_ONLY ADMIN', 'READ ONLY ADMIN')";
        let ignores_read_only: Option<u64> = bounded(connection.query_first(privileges)).await?;
        let waits_for_locks = "SELECT VERSION() NOT LIKE '%MariaDB%'";
        let waits_for_locks: Option<bool> = bounded(connection.query_first(waits_for_locks)).await?;
        // Percona XtraDB Cluster has it as a variable of sessions alone.
        let galera: Option<(String, String)> =
            bounded(connection.query_first("SHOW VARIABLES LIKE 'wsrep_on'")).await?;
        let column = "SELECT LOWER(column_type) FROM information_schema.columns \
                      WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ?";
        let counter = (names.user.bare(), names.unread_count.bare());
        let counter: Option<String> = bounded(connection.exec_first(column, counter)).await?;
        if let Some(bytes) = packet.filter(|bytes| *bytes < MIN_PACKET_BYTES) {
            return Err(StoreError::Unavailable(UnavailableCause::SmallPacket { bytes }));
        }
        Ok(Self {
            statement_bytes: STATEMENT_BYTES,
            aborts_from_outside: galera.is_some_and(|(_, value)| value == "ON"),
            ignores_read_only: ignores_read_only.is_some_and(|privileges| privileges > 0),
            waits_for_locks: waits_for_locks == Some(true),
            most_unread: most(&counter.unwrap_or_default()),
        })
    }
}

/// The largest value of an integer column (MySQL manual, "Integer Types"). Of a type that is unknown here, no
/// value is too large.
fn most(column_type: &str) -> u64 {
    let bits = match column_type.split(['(', ' ']).next() {
        Some("tinyint") => 8,
        Some("smallint") => 16,
        Some("mediumint") => 24,
        Some("int") => 32,
        _ => 64,
    };
    let signed = (1 << (bits - 1)) - 1;
    // Counters are read as signed numbers, so half of a BIGINT UNSIGNED is not used.
    if bits < 64 && column_type.contains("unsigned") { signed * 2 + 1 } else { signed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_counter_is_that_of_its_column() {
        for (column_type, largest) in [
            ("tinyint(4)", 127),
            ("smallint(6)", 32_767),
            ("smallint(5) unsigned", 65_535),
            ("mediumint", 8_388_607),
            ("int(11)", 2_147_483_647),
            ("int unsigned", 4_294_967_295),
            ("bigint(20) unsigned", i64::MAX.unsigned_abs()),
            ("decimal(10,0)", i64::MAX.unsigned_abs()),
        ] {
            assert_eq!(most(column_type), largest, "{column_type}");
        }
    }
}
