//! A connection confirms each message once, and remembers as many messages as documented.
//!
//! The result is compared with a simple model that searches lists.

use std::collections::VecDeque;
use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use chatpush_daemon::edge::session::tracking::Tracking;
use chatpush_wire::id::MessageId;

/// An event on a connection. Messages have numbers, and few of them, so that they repeat.
#[derive(Arbitrary, Debug)]
enum Event {
    /// One message is sent.
    Send(u8),
    /// A page of messages is sent, as a replay does.
    Page { first: u16, count: u16 },
    /// A ping is sent.
    Ping,
    /// The client answers an earlier ping: the last one minus this number.
    Pong(u8),
    /// The client sends a pong with an arbitrary number.
    Forged(u64),
    /// The client acknowledges messages.
    Ack(Vec<u8>),
    /// The client acknowledges a range of messages.
    AckPage { first: u16, count: u16 },
}

/// The messages in a page of a replay.
const PAGE: u16 = 1_000;

/// The number of confirmed messages that are remembered.
const REMEMBERED: usize = 1_024;

/// The number of unconfirmed messages at which sending stops.
const UNCONFIRMED: usize = 4_096;

#[derive(Default)]
struct Model {
    /// Sent and unconfirmed messages, each with the number of the ping behind it.
    waiting: Vec<(u64, u16)>,
    settled: VecDeque<u16>,
    pings: u64,
}

impl Model {
    fn settle(&mut self, confirmed: impl Fn(&(u64, u16)) -> bool) -> Vec<MessageId> {
        let (gone, left): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(confirmed);
        self.waiting = left;
        self.settled.extend(gone.iter().map(|(_, number)| number));
        let excess = self.settled.len().saturating_sub(REMEMBERED);
        self.settled.drain(..excess);
        gone.into_iter().map(|(_, number)| id(number)).collect()
    }
}

fn id(number: u16) -> MessageId {
    MessageId::of_row(number.into(), 0)
}

pub(super) fn run(data: &[u8]) {
    let (mut tracking, mut model) = (Tracking::default(), Model::default());
    let Ok(events) = Vec::<Event>::arbitrary_take_rest(Unstructured::new(data)) else { return };
    // The model is slow, and each event may send a page.
    for event in events.into_iter().take(64) {
        match event {
            Event::Send(number) => send(&mut tracking, &mut model, number.into(), 1),
            Event::Page { first, count } => send(&mut tracking, &mut model, first, count % (PAGE + 1)),
            Event::Ping => {
                model.pings += 1;
                assert_eq!(tracking.ping(), model.pings);
            }
            Event::Pong(back) => {
                let number = model.pings.saturating_sub(back.into());
                let expected = model.settle(|(ping, _)| *ping <= number);
                assert_eq!(tracking.pong(number), expected);
            }
            Event::Forged(number) => {
                let sent = number <= model.pings;
                let expected = model.settle(|(ping, _)| sent && *ping <= number);
                assert_eq!(tracking.pong(number), expected);
            }
            Event::Ack(numbers) => {
                let numbers: Vec<u16> = numbers.into_iter().map(Into::into).collect();
                acknowledge(&mut tracking, &mut model, &numbers);
            }
            Event::AckPage { first, count } => {
                let numbers: Vec<u16> = (0..count % (PAGE + 1)).map(|n| first.wrapping_add(n)).collect();
                acknowledge(&mut tracking, &mut model, &numbers);
            }
        }
        assert_eq!(tracking.has_room(), model.waiting.len() < UNCONFIRMED);
    }
}

/// Sends messages if there is room, as a session does; a page is always sent completely.
fn send(tracking: &mut Tracking, model: &mut Model, first: u16, count: u16) {
    if !tracking.has_room() {
        return;
    }
    for number in (0..count).map(|n| first.wrapping_add(n)) {
        let waits = model.waiting.iter().any(|(_, waiting)| *waiting == number);
        let known = waits || model.settled.contains(&number);
        assert_eq!(tracking.send(&Arc::new(id(number))), !known, "sent twice while it was remembered");
        if !known {
            model.waiting.push((model.pings + 1, number));
        }
    }
}

fn acknowledge(tracking: &mut Tracking, model: &mut Model, numbers: &[u16]) {
    let named: Vec<_> = numbers.iter().map(|number| id(*number)).collect();
    let expected = model.settle(|(_, number)| numbers.contains(number));
    assert_eq!(tracking.ack(&named), expected);
}
