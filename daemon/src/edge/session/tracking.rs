//! Which stored messages one connection was sent and which of them its client has confirmed.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use chatpush_wire::id::MessageId;

/// How many confirmed ids are remembered, so that a message that arrives by two ways is shown once.
const REMEMBERED: usize = 1_024;

/// The tracked messages of one connection. It takes no memory until the first one.
#[derive(Debug, Default)]
pub struct Tracking {
    /// Sent and not confirmed, each with the number of the ping that follows it.
    unconfirmed: VecDeque<(u64, Arc<MessageId>)>,
    /// Confirmed, oldest first, at most [`REMEMBERED`].
    confirmed: VecDeque<Arc<MessageId>>,
    /// Every id in the two lists.
    known: HashSet<Arc<MessageId>>,
    /// The number of the last ping.
    ping: u64,
}

/// How many messages may be sent and unconfirmed. A page of a replay may exceed it.
const UNCONFIRMED: usize = 4_096;

impl Tracking {
    /// Whether more messages may be sent before some are confirmed.
    pub fn has_room(&self) -> bool {
        self.unconfirmed.len() < UNCONFIRMED
    }

    /// Records that a message is being sent. False if this connection has had it already.
    pub fn send(&mut self, id: &Arc<MessageId>) -> bool {
        if !self.known.insert(id.clone()) {
            return false;
        }
        self.unconfirmed.push_back((self.ping + 1, id.clone()));
        true
    }

    /// The number for a ping that is sent now: its pong confirms everything sent before it.
    pub fn ping(&mut self) -> u64 {
        self.ping += 1;
        self.ping
    }

    /// The ids that the pong to ping `number` confirms. A client may answer only the latest of several pings
    /// (RFC 6455 section 5.5.3), so a pong also stands for the pings before it. A number that was never sent
    /// confirms nothing.
    pub fn pong(&mut self, number: u64) -> Vec<MessageId> {
        if number > self.ping {
            return Vec::new();
        }
        let end = self.unconfirmed.partition_point(|(ping, _)| *ping <= number);
        let confirmed: Vec<_> = self.unconfirmed.drain(..end).map(|(_, id)| id).collect();
        self.remember(confirmed)
    }

    /// The ids among `ids` that were sent on this connection and not confirmed before.
    pub fn ack(&mut self, ids: &[MessageId]) -> Vec<MessageId> {
        let named: HashSet<_> = ids.iter().collect();
        let mut confirmed = Vec::new();
        self.unconfirmed.retain(|(_, id)| {
            let waits = !named.contains(id.as_ref());
            if !waits {
                confirmed.push(id.clone());
            }
            waits
        });
        self.remember(confirmed)
    }

    fn remember(&mut self, confirmed: Vec<Arc<MessageId>>) -> Vec<MessageId> {
        let ids = confirmed.iter().map(|id| MessageId::clone(id)).collect();
        self.confirmed.extend(confirmed);
        let excess = self.confirmed.len().saturating_sub(REMEMBERED);
        for id in self.confirmed.drain(..excess) {
            self.known.remove(&id);
        }
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> Arc<MessageId> {
        Arc::new(MessageId::of_row(number.into(), 0))
    }

    fn ids(numbers: std::ops::Range<u32>) -> Vec<MessageId> {
        numbers.map(|number| MessageId::clone(&id(number))).collect()
    }

    #[test]
    fn a_pong_confirms_everything_before_its_ping() {
        let mut tracking = Tracking::default();
        assert!(tracking.send(&id(0)) && tracking.send(&id(1)));
        let first = tracking.ping();
        assert!(tracking.send(&id(2)));
        let second = tracking.ping();
        assert!(tracking.send(&id(3)));
        assert_eq!(tracking.pong(first), ids(0..2));
        assert_eq!(tracking.pong(second), ids(2..3));
        assert_eq!(tracking.pong(second), []);
        assert!(!tracking.unconfirmed.is_empty(), "what was sent after the ping is not confirmed by it");
    }

    #[test]
    fn a_pong_to_a_ping_that_was_never_sent_confirms_nothing() {
        let mut tracking = Tracking::default();
        assert!(tracking.send(&id(0)));
        assert_eq!(tracking.pong(1), []);
        assert_eq!(tracking.pong(u64::MAX), []);
    }

    #[test]
    fn an_ack_confirms_what_it_names_and_nothing_else() {
        let mut tracking = Tracking::default();
        assert!((0..3).all(|number| tracking.send(&id(number))));
        assert_eq!(tracking.ack(&ids(1..2)), ids(1..2));
        assert_eq!(tracking.ack(&ids(1..2)), []);
        assert_eq!(tracking.ack(&ids(7..8)), [], "a client cannot confirm what it was not sent");
        assert_eq!(tracking.unconfirmed.len(), 2);
    }

    #[test]
    fn an_id_is_shown_once_while_it_is_remembered() {
        let mut tracking = Tracking::default();
        assert!(tracking.send(&id(0)));
        assert!(!tracking.send(&id(0)), "while it waits");
        let ping = tracking.ping();
        tracking.pong(ping);
        assert!(!tracking.send(&id(0)), "after it was confirmed");
        for number in 1..=1_024 {
            assert!(tracking.send(&id(number)));
        }
        let ping = tracking.ping();
        assert_eq!(tracking.pong(ping).len(), 1_024);
        assert!(tracking.send(&id(0)), "memory is bounded");
    }
}
