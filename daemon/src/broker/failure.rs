//! What a failure of Redis is about.

use super::BrokerError;
use crate::base::backoff::Failure;

impl Failure for BrokerError {
    fn summary(&self) -> &'static str {
        // Redis's own words and those of the client library. The error keeps nothing else, since an answer
        // may hold a message.
        const CAUSES: [(&str, &str); 13] = [
            ("AuthenticationFailed", LOGIN_REFUSED),
            ("NOAUTH", LOGIN_REFUSED),
            ("refused to switch database", "the database number is refused"),
            ("NoPerm", LACKS_PERMISSION),
            // In a script: of Redis 7.0, and of later versions.
            ("The user executing the script can't", LACKS_PERMISSION),
            ("ACL failure in script", LACKS_PERMISSION),
            ("ReadOnly", "Redis is a replica"),
            ("is a replica", "Redis is a replica"),
            ("OOM", "Redis is at maxmemory"),
            ("NOREPLICAS", "Redis has too few replicas"),
            ("BusyLoading", "Redis is loading its data"),
            ("MISCONF", "Redis cannot write its file"),
            ("unexpectedly", "the answer cannot be read"),
        ];
        let text = self.to_string();
        let known = CAUSES.iter().find(|(word, _)| text.contains(word)).map(|(_, cause)| *cause);
        known.unwrap_or(if self.is_broken() { "connection lost" } else { "a command is refused" })
    }
}

const LACKS_PERMISSION: &str = "the account lacks a permission";
const LOGIN_REFUSED: &str = "login refused, the user name or the password is wrong";

#[cfg(test)]
mod tests {
    use redis::{RedisError, make_extension_error};

    use super::*;

    #[test]
    fn each_kind_of_failure_is_named() {
        let answer = |code: &str, detail: &str| {
            BrokerError::from(make_extension_error(code.to_owned(), Some(detail.to_owned()))).summary()
        };
        assert_eq!(answer("NOAUTH", "Authentication required."), LOGIN_REFUSED);
        assert_eq!(
            answer("MISCONF", "Redis is configured to save RDB snapshots"),
            "Redis cannot write its file"
        );
        assert_eq!(answer("NOREPLICAS", "Not enough good replicas to write."), "Redis has too few replicas");
        for detail in [
            "The user executing the script can't run this command or subcommand script: 28e6, on @user_script:1.",
            "ACL failure in script: User chat has no permissions to run the 'del' command script: 28e6",
        ] {
            assert_eq!(answer("ERR", detail), LACKS_PERMISSION);
        }
        assert_eq!(answer("WRONGTYPE", "Operation against a key"), "a command is refused");
        let io = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert_eq!(BrokerError::from(io).summary(), "connection lost");
    }
}
