//! The channels that a connection is leaving.
//!
//! A node of a cluster that gives a slot away sends `sunsubscribe` for its channels by itself. The client library takes
//! that for the answer to the oldest command that waits for one, so from then on each answer on the connection may be
//! that to another command. Whoever sees such a push trusts no answer that comes behind it, and ends the connection.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redis::{PushInfo, Value};

use crate::broker::BrokerError;

/// What a connection is leaving. Cloning is shallow.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaving(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// A plain mutex: nothing awaits while holding it.
    channels: Mutex<HashSet<Vec<u8>>>,
    unasked: AtomicBool,
}

/// Why a channel was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It was asked for.
    Asked,
    /// The server has done it.
    Unasked,
}

impl Leaving {
    /// Call this before these channels are left.
    pub(super) fn expect(&self, channels: &[String]) {
        let mut leaving = self.0.channels.lock().unwrap_or_else(PoisonError::into_inner);
        leaving.extend(channels.iter().map(|channel| channel.clone().into_bytes()));
    }

    /// Takes a `sunsubscribe`.
    pub(super) fn left(&self, push: &PushInfo) -> Left {
        let mut leaving = self.0.channels.lock().unwrap_or_else(PoisonError::into_inner);
        match push.data.first() {
            Some(Value::BulkString(channel)) if leaving.remove(channel) => Left::Asked,
            _ => {
                self.0.unasked.store(true, Ordering::SeqCst);
                Left::Unasked
            }
        }
    }

    /// Makes sure that the answers so far are those to the commands that were sent. A push is seen before an answer that
    /// came behind it.
    ///
    /// # Errors
    ///
    /// If a channel was left unasked.
    pub(super) fn none_was_unasked(&self) -> Result<(), BrokerError> {
        if self.0.unasked.load(Ordering::SeqCst) {
            return Err(BrokerError::new("the Redis Cluster has moved partitions"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use redis::PushKind;

    use super::*;

    fn left(channel: &str) -> PushInfo {
        let data = vec![Value::BulkString(channel.as_bytes().to_vec()), Value::Int(0)];
        PushInfo { kind: PushKind::SUnsubscribe, data }
    }

    #[test]
    fn only_what_was_asked_for_is_expected_and_once() {
        let leaving = Leaving::default();
        leaving.expect(&["a".to_owned()]);
        assert_eq!(leaving.left(&left("a")), Left::Asked);
        leaving.none_was_unasked().unwrap();
        assert_eq!(leaving.left(&left("a")), Left::Unasked);
        leaving.none_was_unasked().unwrap_err();
    }
}
