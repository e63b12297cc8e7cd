//! A connection confirms what it was sent, once, and remembers neither more nor less than it promises.
//!
//! The model beside it does the same in the plainest way, with lists that it searches.

use std::collections::VecDeque;
use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use chatpush_daemon::edge::session::tracking::Tracking;
use chatpush_wire::id::MessageId;

/// What happens on a connection. Messages are known by numbers; few of them, so that they come again.
#[derive(Arbitrary, Debug)]
enum Event {
    /// One message is sent.
    Send(u8),
    /// So many are sent, as a flush does.
    Page { first: u16, count: u16 },
    /// A ping goes out.
    Ping,
    /// The client answers the ping that is so many before the last one.
    Pong(u8),
    /// The client makes a number up.
    Forged(u64),
    /// The client names messages.
    Ack(Vec<u8>),
    /// It names a range of them.
    AckPage { first: u16, count: u16 },
}

/// Messages in a page of a flush.
const PAGE: u16 = 1_000;

/// Settled messages that are remembered.
const REMEMBERED: usize = 1_024;

/// Unconfirmed messages from which on no more are sent.
const UNCONFIRMED: usize = 4_096;

#[derive(Default)]
struct Model {
    /// Sent and not confirmed, each with the number of the ping behind it.
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
    // Each may send a page, which the model searches through.
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

/// A session begins to send while there is room, and ends what it has begun.
fn send(tracking: &mut Tracking, model: &mut Model, first: u16, count: u16) {
    if !tracking.has_room() {
        return;
    }
    for number in (0..count).map(|n| first.wrapping_add(n)) {
        let waits = model.waiting.iter().any(|(_, waiting)| *waiting == number);
        let known = waits || model.settled.contains(&number);
        assert_eq!(tracking.send(&Arc::new(id(number))), !known, "shown once while it is remembered");
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
