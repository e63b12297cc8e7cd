//! Answers by which a node says that it has not executed a command.

use chatpush_wire::address::Endpoint;
use chatpush_wire::cluster::Redirection;
use redis::{ServerError, Value};

/// Why a command has to be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// To another node.
    Redirected(Redirection),
    /// In a moment: a slot is being moved, a master is being replaced, or has just started.
    Later,
}

impl Again {
    /// What the answer of the node at `asked` says, if it is one of these.
    pub(super) fn of(answer: &Value, asked: &Endpoint) -> Option<Self> {
        let Value::ServerError(error) = answer else { return None };
        match error.code() {
            "MOVED" | "ASK" => Redirection::parse(&text(error), asked).map(Self::Redirected),
            code if is_temporary(code) => Some(Self::Later),
            _ => None,
        }
    }
}

/// Whether a node refuses a command for now, by the first word of its error (Redis Cluster specification; Redis source,
/// `createSharedObjects`).
fn is_temporary(code: &str) -> bool {
    matches!(code, "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "READONLY" | "MASTERDOWN")
}

fn text(error: &ServerError) -> String {
    format!("{} {}", error.code(), error.details().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    fn again(line: &str) -> Option<Again> {
        let asked = Endpoint::Tcp { host: "h".to_owned(), port: 1, tls: false };
        Again::of(&parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap(), &asked)
    }

    #[test]
    fn what_was_not_executed_is_recognised() {
        let other = Endpoint::Tcp { host: "10.0.0.2".to_owned(), port: 7001, tls: false };
        assert_eq!(
            again("MOVED 49 10.0.0.2:7001"),
            Some(Again::Redirected(Redirection::Moved(other.clone())))
        );
        assert_eq!(again("ASK 49 10.0.0.2:7001"), Some(Again::Redirected(Redirection::Ask(other))));
        for line in [
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "CLUSTERDOWN The cluster is down",
            "LOADING Redis is loading the dataset in memory",
        ] {
            assert_eq!(again(line), Some(Again::Later), "{line}");
        }
        for line in ["ERR what", "OOM command not allowed", "NOSCRIPT No matching script."] {
            assert_eq!(again(line), None, "{line}");
        }
    }
}
