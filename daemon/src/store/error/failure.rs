//! What a failure of the database is about.

use super::{ServerFailure, StoreError, UnavailableCause};
use crate::base::backoff::Failure;

impl Failure for StoreError {
    fn summary(&self) -> &'static str {
        match self {
            Self::Unavailable(UnavailableCause::Connection(_) | UnavailableCause::NotRolledBack) => {
                "connection lost"
            }
            Self::Unavailable(UnavailableCause::Timeout(_)) => "no answer",
            Self::Unavailable(UnavailableCause::Stuck(_)) => "a statement cannot be ended",
            Self::Unavailable(UnavailableCause::Server(failure))
            | Self::Unexpected(failure)
            | Self::Denied(failure) => refused(failure),
            Self::Unavailable(UnavailableCause::Partitions { .. } | UnavailableCause::NotMigrated(_)) => {
                "the tables do not fit this version"
            }
            Self::Unavailable(UnavailableCause::Column(_)) => "a stored row cannot be read",
            Self::Unavailable(UnavailableCause::SmallPacket { .. }) => "max_allowed_packet is too small",
            Self::Unavailable(UnavailableCause::ReadOnly) => "MySQL is read-only",
            Self::Busy(_) => "a lock is held",
            Self::Rejected(_) => "a statement is refused",
            Self::Unavailable(UnavailableCause::NotAdopted(_)) => {
                "rows from before wait for `chatpushd adopt`"
            }
            Self::Unfit(_) => "the tables cannot be used",
            Self::Foreign(_) => "the database belongs to another installation",
            Self::Behind(_) => "the server is behind",
            Self::Fenced => "another daemon writes",
            Self::Slow(_) => "a statement takes too long",
            Self::Aborted => "the server took the transaction away",
            Self::Emptied => "a total was set to 0",
            Self::Unrecorded => "rows are not where they were expected",
        }
    }
}

/// MySQL manual, "Server Error Message Reference", and MariaDB's "Error Codes".
const fn refused(failure: &ServerFailure) -> &'static str {
    match failure.0.code {
        // 1130 names a host that may not connect, 1251 and 1275 an old password, 1698 the plugin that refused,
        // 1820 and 1862 an expired password, 3118, 3955 and 4151 a locked account.
        1045 | 1130 | 1251 | 1275 | 1698 | 1820 | 1862 | 3118 | 3955 | 4151 => {
            "login refused, the user name or the password is wrong"
        }
        1049 => "the database does not exist",
        1044 => "no access to the database",
        1142 | 1143 => "a privilege is missing",
        1146 => "a table is missing",
        1054 => "a column is missing",
        1040 | 1203 | 1226 => "MySQL has too many connections",
        1290 | 1792 | 1836 => "MySQL is read-only",
        _ => "a statement is refused",
    }
}

#[cfg(test)]
mod tests {
    use mysql_async::ServerError;

    use super::*;

    fn summary(code: u16) -> &'static str {
        let (message, state) = (String::new(), "HY000".to_owned());
        StoreError::from(ServerError { code, message, state }).summary()
    }

    #[test]
    fn each_kind_of_failure_is_named() {
        assert!(summary(1045).starts_with("login refused"));
        assert_eq!(summary(1049), "the database does not exist");
        assert_eq!(summary(1044), "no access to the database");
        assert_eq!(summary(1142), "a privilege is missing");
        assert_eq!(summary(1290), "MySQL is read-only");
        assert_eq!(summary(1064), "a statement is refused");
        let lost = mysql_async::Error::Io(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into());
        assert_eq!(StoreError::from(lost).summary(), "connection lost");
        let unreadable = StoreError::Unavailable(UnavailableCause::Column("send_time"));
        assert_eq!(unreadable.summary(), "a stored row cannot be read");
    }
}
