//! Errors of the database, sorted by what the caller has to do.
//!
//! Their text is complete: logs, PHP exceptions and `chatpush_dead` show one error, not a chain. `source()`
//! keeps the typed cause. MySQL's own text is part of it, and that may quote a value ("Incorrect string
//! value").

mod failure;

use std::time::Duration;

use chatpush_wire::entry::Malformed;
use mysql_async::{Error, ServerError};

use crate::log::position::Position;

/// A failure of the database.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// MySQL cannot be used now. Try again later.
    #[error("MySQL: {0}")]
    Unavailable(#[source] UnavailableCause),
    /// Another transaction holds a lock, or this one lost a deadlock. Nothing was changed; try again.
    #[error("MySQL: locked by another transaction: {0}")]
    Busy(#[source] ServerFailure),
    /// The data are refused. Trying again gives the same answer.
    #[error("MySQL: {0}")]
    Rejected(#[source] Rejection),
    /// MySQL answered with an error that this version does not know. If one entry meets it again and again,
    /// the entry is the reason.
    #[error("MySQL: {0}")]
    Unexpected(#[source] ServerFailure),
    /// The MySQL user lacks a privilege.
    #[error("MySQL: {0}")]
    Denied(#[source] ServerFailure),
    /// The database belongs to another installation, or to a newer version.
    #[error("MySQL: {0}")]
    Foreign(String),
    /// The server that was read from has reached only this position, less than was asked for.
    #[error("MySQL: the server is behind, at {0}")]
    Behind(Position),
    /// The application's tables cannot be used with these settings.
    #[error("MySQL: {0}")]
    Unfit(String),
    /// Another writer has moved the position. Nothing was changed.
    #[error("another daemon has written meanwhile")]
    Fenced,
    /// A statement took longer than this and was ended. Nothing was changed.
    #[error("MySQL: a statement took longer than {} s", .0.as_secs())]
    Slow(Duration),
    /// The server has taken the transaction away in the middle, as Galera does when another node wins.
    /// Nothing was changed; try again.
    #[error("MySQL: the server took the transaction away")]
    Aborted,
    /// The application has set a total to 0, and conversations still count. Nothing was changed; try again, and empty
    /// them first.
    #[error("MySQL: a total was set to 0")]
    Emptied,
    /// A row does not have the id that was expected, or a record is there already. Nothing was changed; try
    /// again, row by row.
    #[error("MySQL: the inserted rows are not where they were expected")]
    Unrecorded,
}

/// Why MySQL cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnavailableCause {
    /// The connection failed.
    #[error(transparent)]
    Connection(Error),
    /// The server refuses every statement, for instance because its disk is full.
    #[error(transparent)]
    Server(ServerFailure),
    /// MySQL did not answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// A statement took longer than this, and could not be ended.
    #[error("a statement took longer than {} s and could not be ended", .0.as_secs())]
    Stuck(Duration),
    /// The server is a replica, or was the primary before.
    #[error("the server refuses writes (read_only)")]
    ReadOnly,
    /// `ROLLBACK` failed.
    #[error("a transaction cannot be rolled back")]
    NotRolledBack,
    /// The server accepts only small statements.
    #[error("max_allowed_packet is {bytes} and must be at least {}", super::server::MIN_PACKET_BYTES)]
    SmallPacket {
        /// The value of the server.
        bytes: usize,
    },
    /// The tables of chatpush are missing or of an older version.
    #[error("{0}: run `chatpushd migrate`")]
    NotMigrated(String),
    /// Rows from before chatpush wait for a decision.
    #[error(
        "nobody has said yet what becomes of the rows in {0}, as it is used now: see `chatpushd adopt --help`"
    )]
    NotAdopted(String),
    /// The position table does not fit this version.
    #[error(
        "{table} must hold {expected} partitions and holds {found}: run `chatpushd migrate`, \
         or use the chatpushd that created it"
    )]
    Partitions {
        /// The position table.
        table: &'static str,
        /// How many partitions this version has.
        expected: usize,
        /// How many rows the table has.
        found: usize,
    },
    /// A column holds a value that its configured use does not allow.
    #[error("column {0} holds a value of an unusable type: run `chatpushd check`")]
    Column(&'static str),
}

/// Why an entry can never be applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Rejection {
    /// MySQL refuses the values.
    #[error(transparent)]
    Server(ServerFailure),
    /// This version cannot read the entry.
    #[error(transparent)]
    Malformed(Malformed),
    /// The key column gives no ids.
    #[error("the key column of the message table gives new rows no id: it needs AUTO_INCREMENT")]
    NoRowId,
    /// A statement is longer than the server accepts.
    #[error("a statement of {bytes} bytes is longer than max_allowed_packet lets it be ({most} bytes)")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The longest statement.
        most: usize,
    },
    /// MySQL repeats an error, which otherwise has other causes than the entry.
    #[error("{0}; it was tried {1} times")]
    Repeated(String, u32),
}

/// An error that the MySQL server answered.
#[derive(Debug, thiserror::Error)]
#[error("{} ({})", .0.message, .0.code)]
pub(crate) struct ServerFailure(pub ServerError);

/// What to do when an entry meets an error although it is tried alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// Somebody holds a lock. It is tried until that ends.
    Wait,
    /// The entry may be the reason, or the state of a table. It is given up soon.
    Suspect,
    /// As a rule the error has other reasons. It is given up late.
    SuspectLast,
    /// The entry took too long. It is given up after few tries.
    SuspectSlow,
    /// It has nothing to do with the entry: the connection has failed, or another daemon writes.
    End,
}

impl StoreError {
    /// Whether nothing is wrong with the entries as a rule: another try may succeed.
    pub(crate) const fn is_transient(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Aborted | Self::Emptied | Self::Unrecorded)
    }

    /// Whether only some of the entries may be the reason, so that others can be applied without them. The
    /// server has answered, and the connection serves. A trigger gives an entry any error there is.
    pub(crate) const fn concerns_entries(&self) -> bool {
        matches!(self, Self::Rejected(_)) || !matches!(self.treatment(), Treatment::End)
    }

    /// Whether another transaction holds a lock. MySQL manual, "Server Error Message Reference": 1205 is a lock
    /// wait timeout, 3572 the answer to NOWAIT.
    pub(crate) const fn is_locked(&self) -> bool {
        matches!(self.treatment(), Treatment::Wait)
    }

    /// What to do with an entry that meets this error alone.
    pub(crate) const fn treatment(&self) -> Treatment {
        match self {
            Self::Busy(failure) => match failure.0.code {
                1205 | 3572 => Treatment::Wait,
                // The longest time of a statement: no lock is waited for so long.
                1969 | 3024 => Treatment::SuspectSlow,
                _ => Treatment::SuspectLast,
            },
            Self::Unexpected(_) | Self::Denied(_) | Self::Rejected(_) => Treatment::Suspect,
            Self::Slow(_) => Treatment::SuspectSlow,
            Self::Aborted
            | Self::Emptied
            | Self::Unrecorded
            | Self::Unavailable(UnavailableCause::Server(_)) => Treatment::SuspectLast,
            Self::Unavailable(_) | Self::Foreign(_) | Self::Unfit(_) | Self::Behind(_) | Self::Fenced => {
                Treatment::End
            }
        }
    }

    /// Whether the connection is lost since a statement could not be ended, or not be rolled back. The entry
    /// may be the reason.
    pub(crate) const fn is_stuck(&self) -> bool {
        matches!(self, Self::Unavailable(UnavailableCause::Stuck(_) | UnavailableCause::NotRolledBack))
    }

    /// Whether the server lacks something, for instance room on its disk: an entry may meet that where a
    /// shorter one, or one of another user, does not. MySQL manual, "Server Error Message Reference": 1021 a
    /// full disk, 1026 and 1030 errors of the disk, 1037, 1038 and 1041 too little memory, 1114 a full table,
    /// which is what `InnoDB` says of a full disk.
    pub(crate) fn lacks_resource(&self) -> bool {
        matches!(self.code(), Some(1021 | 1026 | 1030 | 1037 | 1038 | 1041 | 1114))
    }

    /// What the server or this daemon says of it, for a dead letter.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Busy(failure) | Self::Unexpected(failure) | Self::Denied(failure) => failure.to_string(),
            Self::Unavailable(cause) => cause.to_string(),
            other => other.to_string(),
        }
    }

    /// The number of the server's error, if it is one.
    pub(crate) const fn code(&self) -> Option<u16> {
        match self {
            Self::Busy(failure)
            | Self::Unexpected(failure)
            | Self::Denied(failure)
            | Self::Unavailable(UnavailableCause::Server(failure))
            | Self::Rejected(Rejection::Server(failure)) => Some(failure.0.code),
            _ => None,
        }
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::Server(error) => Self::from(error),
            other => Self::Unavailable(UnavailableCause::Connection(other)),
        }
    }
}

impl From<ServerError> for StoreError {
    fn from(error: ServerError) -> Self {
        // MySQL manual, "Server Error Message Reference": 1205 is a lock wait timeout, 1213 a deadlock, 3572
        // the answer to NOWAIT, 1969 and 3024 the longest time of a statement, which a lock may use up. MariaDB's 1020 is a row that changed under a snapshot. TiDB manual, "Error
        // Codes": 8002, 8005, 8022, 8028 and 9007 are conflicts at the commit, which changed nothing.
        const BUSY: [u16; 11] = [1205, 1213, 1020, 1969, 3024, 3572, 8002, 8005, 8022, 8028, 9007];
        // The class of SQLSTATE for a transaction that the server has rolled back: a deadlock (40001), or a
        // conflict that Group Replication finds at the commit (3101, 40000).
        const ROLLED_BACK: &str = "40";
        // A trigger's own SIGNAL, whose state is the author's choice.
        const SIGNAL: u16 = 1644;
        // 1044, 1142 and 1143 are a privilege missing on the database, a table or a column.
        const DENIED: [u16; 3] = [1044, 1142, 1143];
        // Classes of SQLSTATE, its first two digits: 22 a value that does not fit, 23 a violated constraint,
        // 44 a CHECK option of a view, 45 a trigger's own SIGNAL.
        const REJECTED_CLASSES: [&str; 4] = ["22", "23", "44", "45"];
        // Rejected data in the general class HY000: 1265 and 1366 a value that does not fit its column or
        // character set, 1364 a column without a value or a default, 1526 no partition for it, 3819 a violated
        // CHECK, 3988 no way to convert it.
        const REJECTED: [u16; 6] = [1265, 1364, 1366, 1526, 3819, 3988];
        // The server as a whole: 1021 a full disk, 1037, 1038, 1040, 1041, 1203 and 1226 its limits, 1047 a
        // Galera node that is not in the cluster, 1053 its shutdown, 1152 to 1161 the connection, 1180 a failed
        // COMMIT, 1290, 1792 and 1836 a read-only server, 1927 a killed connection, 3032 its offline mode, 3100
        // a group that cannot agree on the commit, 4031 a connection that was idle for too long. What may also
        // be the fault of a trigger is not here, such as 1114, a full table.
        const SERVER: [u16; 27] = [
            1021, 1037, 1038, 1040, 1041, 1047, 1053, 1152, 1153, 1154, 1155, 1156, 1157, 1158, 1159, 1160,
            1161, 1180, 1203, 1226, 1290, 1792, 1836, 1927, 3032, 3100, 4031,
        ];
        let rolled_back = error.state.starts_with(ROLLED_BACK) && error.code != SIGNAL;
        let rejected = REJECTED.contains(&error.code)
            || REJECTED_CLASSES.iter().any(|class| error.state.starts_with(class));
        let failure = ServerFailure(error);
        match failure.0.code {
            code if rolled_back || BUSY.contains(&code) => Self::Busy(failure),
            code if DENIED.contains(&code) => Self::Denied(failure),
            _ if rejected => Self::Rejected(Rejection::Server(failure)),
            code if SERVER.contains(&code) => Self::Unavailable(UnavailableCause::Server(failure)),
            _ => Self::Unexpected(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn sorted(code: u16, state: &str) -> StoreError {
        ServerError { code, state: state.to_owned(), message: "m".to_owned() }.into()
    }

    #[test]
    fn server_errors_are_sorted_by_what_the_caller_has_to_do() {
        assert!(matches!(sorted(1205, "HY000"), StoreError::Busy(_)));
        assert!(matches!(sorted(1213, "40001"), StoreError::Busy(_)));
        assert!(matches!(sorted(3572, "HY000"), StoreError::Busy(_)));
        assert!(matches!(sorted(1969, "70100"), StoreError::Busy(_)));
        assert!(matches!(sorted(3101, "40000"), StoreError::Busy(_)));
        assert!(matches!(sorted(9007, "HY000"), StoreError::Busy(_)));
        assert!(matches!(sorted(3100, "HY000"), StoreError::Unavailable(_)));
        assert!(matches!(sorted(1406, "22001"), StoreError::Rejected(_)));
        assert!(matches!(sorted(1452, "23000"), StoreError::Rejected(_)));
        assert!(matches!(sorted(1644, "45000"), StoreError::Rejected(_)));
        assert!(matches!(sorted(1366, "HY000"), StoreError::Rejected(_)));
        assert!(matches!(sorted(1290, "HY000"), StoreError::Unavailable(_)));
        assert!(matches!(sorted(1146, "42S02"), StoreError::Unexpected(_)));
        assert!(matches!(sorted(1364, "HY000"), StoreError::Rejected(_)));
        assert!(matches!(sorted(1114, "HY000"), StoreError::Unexpected(_)));
        assert!(matches!(sorted(1644, "77777"), StoreError::Unexpected(_)));
        assert!(matches!(sorted(1644, "40001"), StoreError::Unexpected(_)));
        assert!(matches!(sorted(1142, "42000"), StoreError::Denied(_)));
    }

    #[test]
    fn only_a_lost_connection_is_never_the_fault_of_an_entry() {
        for code in [1142, 1146, 1213, 1242, 1290, 1969, 9007] {
            assert!(sorted(code, "HY000").concerns_entries(), "{code}");
        }
        assert_eq!(sorted(1205, "HY000").treatment(), Treatment::Wait);
        assert_eq!(sorted(1213, "40001").treatment(), Treatment::SuspectLast);
        assert_eq!(sorted(1290, "HY000").treatment(), Treatment::SuspectLast);
        let lost = Error::Io(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into());
        assert!(!StoreError::from(lost).concerns_entries());
        assert!(
            !StoreError::Unavailable(UnavailableCause::Timeout(Duration::from_secs(1))).concerns_entries()
        );
    }

    #[test]
    fn the_text_is_complete_and_the_source_is_kept() {
        let error = sorted(1142, "42000");
        assert_eq!(error.to_string(), "MySQL: m (1142)");
        let failure = error.source().and_then(|source| source.downcast_ref::<ServerFailure>()).unwrap();
        assert_eq!(failure.0.code, 1142);
    }
}
