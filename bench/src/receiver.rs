//! A receiver process: holds many connections in one thread, notes what comes, and does what it is told.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, Write as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver as Orders, channel};

use anyhow::Context as _;
use mio::{Events, Poll, Token, Waker};

use crate::connect_spec::ConnectSpec;
use crate::connection::{Connection, Stage};
use crate::delays::Delays;
use crate::ledger::Ledger;
use crate::order::{Order, Progress, Report};
use crate::stamp::Stamp;

const ORDERS: Token = Token(usize::MAX);

/// Obeys orders from the standard input until it ends.
pub fn run() -> anyhow::Result<()> {
    let mut poll = Poll::new()?;
    let orders = listen(Arc::new(Waker::new(poll.registry(), ORDERS)?));
    let mut events = Events::with_capacity(1_024);
    let mut buffer = vec![0; 64 * 1024];
    let mut seen = Seen::default();
    let mut crowd = Crowd::default();
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            if event.token() != ORDERS {
                crowd.attend(event.token().0, &mut poll, &mut buffer, &mut seen);
            }
        }
        loop {
            match orders.try_recv() {
                Ok(order) => obey(order, &mut crowd, &mut seen)?,
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return Ok(()),
            }
        }
        crowd.open_more(&mut poll);
    }
}

/// Reads orders beside the poll, which cannot wait for a line.
fn listen(waker: Arc<Waker>) -> Orders<Order> {
    let (sender, orders) = channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(order) =
                line.map_err(anyhow::Error::from).and_then(|line| Ok(serde_json::from_str(&line)?))
            else {
                break;
            };
            if sender.send(order).is_err() {
                return;
            }
            // A poll that is gone needs no waking.
            let _ = waker.wake();
        }
        drop(sender);
        let _ = waker.wake();
    });
    orders
}

fn obey(order: Order, crowd: &mut Crowd, seen: &mut Seen) -> anyhow::Result<()> {
    match order {
        Order::Connect { specs, window, deaf } => {
            crowd.waiting.extend(specs);
            crowd.window = window;
            crowd.deaf = deaf;
            Ok(())
        }
        Order::Progress => {
            let mut progress = crowd.progress.clone();
            progress.opening += crowd.waiting.len();
            progress.received = seen.ledger.counts().received;
            progress.latest = seen.latest;
            answer(&progress)
        }
        Order::Report => {
            let seen = std::mem::take(seen);
            answer(&Report {
                counts: seen.ledger.counts(),
                intended: seen.intended.pairs(),
                called: seen.called.pairs(),
                latest: seen.latest,
            })
        }
        Order::Leave => {
            *crowd = Crowd { opened: crowd.opened, ..Crowd::default() };
            Ok(())
        }
    }
}

fn answer(answer: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    serde_json::to_writer(&mut output, answer)?;
    output.write_all(b"\n")?;
    output.flush().context("nobody listens to the answers")
}

/// What came since the last report.
#[derive(Default)]
struct Seen {
    ledger: Ledger,
    intended: Delays,
    called: Delays,
    latest: u64,
}

impl Seen {
    /// Looks for messages in a payload; some servers put several into one.
    fn look(&mut self, payload: &[u8], now: u64, user: u32) {
        let mut rest = payload;
        while let Some((stamp, end)) = Stamp::find(rest) {
            if self.ledger.note(&stamp, user) {
                self.intended.note(now.saturating_sub(stamp.intended));
                self.called.note(now.saturating_sub(stamp.called));
                self.latest = now;
            }
            rest = &rest[end..];
        }
    }
}

#[derive(Default)]
struct Crowd {
    connections: Vec<Option<Connection>>,
    waiting: VecDeque<ConnectSpec>,
    window: usize,
    deaf: bool,
    /// How many were ever opened.
    opened: usize,
    progress: Progress,
}

impl Crowd {
    fn open_more(&mut self, poll: &mut Poll) {
        while self.progress.opening < self.window {
            let Some(spec) = self.waiting.pop_front() else { break };
            self.opened += 1;
            let token = self.connections.len();
            let opened = Connection::open(spec, self.opened, self.deaf).and_then(|mut connection| {
                connection.register(poll.registry(), token)?;
                Ok(connection)
            });
            match opened {
                Ok(connection) => {
                    self.connections.push(Some(connection));
                    self.progress.opening += 1;
                }
                Err(error) => self.lost(&error),
            }
        }
    }

    fn attend(&mut self, token: usize, poll: &mut Poll, buffer: &mut [u8], seen: &mut Seen) {
        let Some(slot) = self.connections.get_mut(token) else { return };
        let Some(connection) = slot else { return };
        let before = connection.stage();
        let done = connection
            .write()
            .and_then(|()| connection.read(buffer, |payload, now, user| seen.look(payload, now, user)));
        let after = connection.stage();
        if before != Stage::Ready && after == Stage::Ready {
            self.progress.opening -= 1;
            self.progress.ready += 1;
            if self.deaf {
                // It was registered, and a socket that the poll forgot is only silent.
                let _ = connection.forget(poll.registry());
            }
        }
        if let Err(error) = done {
            *slot = None;
            if after == Stage::Ready {
                self.progress.ready -= 1;
            } else {
                self.progress.opening -= 1;
            }
            self.lost(&error);
        }
    }

    fn lost(&mut self, error: &io::Error) {
        self.progress.gone += 1;
        if self.progress.why.is_empty() {
            self.progress.why = error.to_string();
        }
    }
}
