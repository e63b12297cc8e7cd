//! What can go wrong with the database, by what follows from it.

use mysql_async::{Error, ServerError};

/// A failure of the database, sorted by what the caller has to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or its tables or privileges are not as they must be. Try again later.
    #[error("MySQL: {0}")]
    Unavailable(String),
    /// Somebody else holds a lock, or this transaction lost a deadlock. Nothing was changed; try again.
    #[error("MySQL: locked by another transaction: {0}")]
    Busy(String),
    /// It refuses the data for what they are. Trying again gives the same answer.
    #[error("MySQL: {0}")]
    Rejected(String),
    /// The user may not do that.
    #[error("MySQL: {0}")]
    Denied(String),
    /// Another writer has moved the position. Nothing was changed.
    #[error("another daemon has written meanwhile")]
    Fenced,
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::Server(error) => Self::from(error),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<ServerError> for StoreError {
    fn from(error: ServerError) -> Self {
        // MySQL manual, "Server Error Message Reference": 1205 is a lock wait timeout, 1213 a deadlock, and
        // MariaDB's 1020 a row that changed under a snapshot; 3572 is MySQL's answer to NOWAIT. The first two digits of SQLSTATE are its
        // class: 22 a value that does not fit, 23 a violated constraint, 45 a trigger's own SIGNAL, 44 a
        // CHECK option of a view.
        const BUSY: [u16; 4] = [1205, 1213, 1020, 3572];
        // 1044, 1142 and 1143 are a privilege missing on the database, a table or a column.
        const DENIED: [u16; 3] = [1044, 1142, 1143];
        const DATA: [&str; 4] = ["22", "23", "44", "45"];
        // MySQL gives these the class HY000 all the same: 1265 and 1366 a value that does not fit its column or
        // character set, 1526 no partition for it, 3819 a violated CHECK, 3988 no way to convert it.
        const DATA_TOO: [u16; 5] = [1265, 1366, 1526, 3819, 3988];
        let text = format!("{} ({})", error.message, error.code);
        if BUSY.contains(&error.code) {
            Self::Busy(text)
        } else if DENIED.contains(&error.code) {
            Self::Denied(text)
        } else if DATA_TOO.contains(&error.code) || DATA.iter().any(|class| error.state.starts_with(class)) {
            Self::Rejected(text)
        } else {
            Self::Unavailable(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: u16, state: &str) -> StoreError {
        ServerError { code, state: state.to_owned(), message: "m".to_owned() }.into()
    }

    #[test]
    fn errors_sort_by_what_follows_from_them() {
        let text = |code| format!("m ({code})");
        assert_eq!(kind(1205, "HY000"), StoreError::Busy(text(1205)));
        assert_eq!(kind(1213, "40001"), StoreError::Busy(text(1213)));
        assert_eq!(kind(1406, "22001"), StoreError::Rejected(text(1406)));
        assert_eq!(kind(1452, "23000"), StoreError::Rejected(text(1452)));
        assert_eq!(kind(1644, "45000"), StoreError::Rejected(text(1644)));
        assert_eq!(kind(1366, "HY000"), StoreError::Rejected(text(1366)));
        assert_eq!(kind(3572, "HY000"), StoreError::Busy(text(3572)));
        assert_eq!(kind(1146, "42S02"), StoreError::Unavailable(text(1146)));
        assert_eq!(kind(1142, "42000"), StoreError::Denied(text(1142)));
        assert_eq!(kind(1364, "HY000"), StoreError::Unavailable(text(1364)));
    }
}
