//! A receiver process: holds many connections in one thread and records the messages that arrive.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, Write as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver as Requests, channel};

use anyhow::Context as _;
use mio::{Events, Poll, Token, Waker};

use crate::connect_spec::ConnectSpec;
use crate::connection::{Connection, State};
use crate::latency::LatencyHistogram;
use crate::ledger::Ledger;
use crate::message_header::MessageHeader;
use crate::receiver_protocol::{Progress, ReceiverReport, Request};

const REQUESTS: Token = Token(usize::MAX);

/// Executes requests from standard input until it is closed.
pub fn run() -> anyhow::Result<()> {
    let mut poll = Poll::new()?;
    let requests = read_requests(Arc::new(Waker::new(poll.registry(), REQUESTS)?));
    let mut events = Events::with_capacity(1_024);
    let mut buffer = vec![0; 64 * 1024];
    let mut recorder = Recorder::default();
    let mut connections = Connections::default();
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            if event.token() != REQUESTS {
                connections.handle_event(event.token().0, &mut poll, &mut buffer, &mut recorder);
            }
        }
        loop {
            match requests.try_recv() {
                Ok(request) => execute(request, &mut connections, &mut recorder)?,
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return Ok(()),
            }
        }
        connections.open_more(&mut poll);
    }
}

/// Reads requests in a thread and wakes the poll, which cannot wait for standard input itself.
fn read_requests(waker: Arc<Waker>) -> Requests<Request> {
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(request) =
                line.map_err(anyhow::Error::from).and_then(|line| Ok(serde_json::from_str(&line)?))
            else {
                break;
            };
            if sender.send(request).is_err() {
                return;
            }
            // Waking fails only if the poll has ended.
            let _ = waker.wake();
        }
        drop(sender);
        let _ = waker.wake();
    });
    requests
}

fn execute(request: Request, connections: &mut Connections, recorder: &mut Recorder) -> anyhow::Result<()> {
    match request {
        Request::Connect { specs, max_opening, stalled } => {
            connections.waiting.extend(specs);
            connections.max_opening = max_opening;
            connections.stalled = stalled;
            Ok(())
        }
        Request::Progress => {
            let mut progress = connections.progress.clone();
            progress.opening += connections.waiting.len();
            progress.received = recorder.ledger.counts().received;
            progress.latest = recorder.latest;
            respond(&progress)
        }
        Request::Report => {
            let recorder = std::mem::take(recorder);
            respond(&ReceiverReport {
                counts: recorder.ledger.counts(),
                intended: recorder.intended.buckets(),
                called: recorder.called.buckets(),
                latest: recorder.latest,
            })
        }
    }
}

fn respond(response: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    serde_json::to_writer(&mut output, response)?;
    output.write_all(b"\n")?;
    output.flush().context("cannot write the response")
}

/// What has arrived since the last report.
#[derive(Default)]
struct Recorder {
    ledger: Ledger,
    intended: LatencyHistogram,
    called: LatencyHistogram,
    latest: u64,
}

impl Recorder {
    /// Records the messages in a payload. Some servers put several into one frame.
    fn record(&mut self, payload: &[u8], now: u64, user: u32) {
        let mut rest = payload;
        while let Some((header, end)) = MessageHeader::find(rest) {
            if self.ledger.record(&header, user) {
                self.intended.record(now.saturating_sub(header.intended));
                self.called.record(now.saturating_sub(header.called));
                self.latest = now;
            }
            rest = &rest[end..];
        }
    }
}

#[derive(Default)]
struct Connections {
    slots: Vec<Option<Connection>>,
    waiting: VecDeque<ConnectSpec>,
    max_opening: usize,
    stalled: bool,
    /// How many connections have been opened so far.
    opened: usize,
    progress: Progress,
}

impl Connections {
    fn open_more(&mut self, poll: &mut Poll) {
        while self.progress.opening < self.max_opening {
            let Some(spec) = self.waiting.pop_front() else { break };
            self.opened += 1;
            let token = self.slots.len();
            let opened = Connection::open(spec, self.opened, self.stalled).and_then(|mut connection| {
                connection.register(poll.registry(), token)?;
                Ok(connection)
            });
            match opened {
                Ok(connection) => {
                    self.slots.push(Some(connection));
                    self.progress.opening += 1;
                }
                Err(error) => self.count_failure(&error),
            }
        }
    }

    fn handle_event(&mut self, token: usize, poll: &mut Poll, buffer: &mut [u8], recorder: &mut Recorder) {
        let Some(slot) = self.slots.get_mut(token) else { return };
        let Some(connection) = slot else { return };
        let before = connection.state();
        let result = connection
            .write()
            .and_then(|()| connection.read(buffer, |payload, now, user| recorder.record(payload, now, user)));
        let after = connection.state();
        if before != State::Ready && after == State::Ready {
            self.progress.opening -= 1;
            self.progress.ready += 1;
            if self.stalled {
                // Deregistering fails only for a socket that is not registered. The socket stays open.
                let _ = connection.deregister(poll.registry());
            }
        }
        if let Err(error) = result {
            *slot = None;
            if after == State::Ready {
                self.progress.ready -= 1;
            } else {
                self.progress.opening -= 1;
            }
            self.count_failure(&error);
        }
    }

    fn count_failure(&mut self, error: &io::Error) {
        self.progress.failed += 1;
        if self.progress.reason.is_empty() {
            self.progress.reason = error.to_string();
        }
    }
}
