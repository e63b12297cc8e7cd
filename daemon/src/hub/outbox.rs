//! The outbox: frames queued for one connection, in order, bounded in frames and bytes, and taken all at
//! once. An empty outbox allocates nothing for frames.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chatpush_wire::id::MessageId;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::{Format, Outgoing};
use crate::hub::close_code::Close;

/// Bytes that a connection may always have queued, whatever is queued for others, so that clients that do not
/// read cannot use up the memory of those that do.
pub(super) const GUARANTEED_BYTES: usize = 64 * 1024;

/// How long a client that the application has disconnected may take to read what was queued before.
const LAST_WRITE_TIMEOUT: Duration = Duration::from_millis(2_500);

/// The bounds of an outbox.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Frames for one connection.
    pub frames: usize,
    /// Bytes for one connection, including those being written.
    pub bytes: usize,
    /// Bytes for all connections together. Beyond it each connection may still have 64 KiB queued.
    pub total: usize,
}

/// Which of the queued frames can be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sendable {
    /// None.
    Nothing,
    /// Those that no replay brings: what is only pushed.
    OnlyPushed,
    /// All of them.
    Everything,
}

/// Where the frames of a write come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// From a page of stored messages, which come again.
    Stored,
    /// From the outbox.
    Queued,
}

/// The queue between the hub and one session.
#[derive(Debug)]
pub(super) struct Outbox {
    format: Format,
    bounds: Bounds,
    /// Whether the client knows client events.
    events: AtomicBool,
    /// Bytes queued for all connections.
    total: Arc<AtomicUsize>,
    /// A plain mutex: nothing awaits while holding it.
    state: Mutex<State>,
    notify: Notify,
}

#[derive(Debug, Default)]
struct State {
    frames: Vec<Outgoing>,
    /// How many of `frames` no replay brings.
    only_pushed: usize,
    /// Bytes of `frames`.
    queued: usize,
    /// Bytes that the session has taken and not yet written.
    taken: usize,
    /// Why the connection has to end. No frame is queued after it is set.
    end: Option<Close>,
    /// By when the last frames must be written, if that is bounded.
    last_write: Option<Instant>,
}

impl Outbox {
    pub(super) fn new(format: Format, bounds: Bounds, total: Arc<AtomicUsize>) -> Self {
        let events = AtomicBool::new(false);
        Self { format, bounds, events, total, state: Mutex::default(), notify: Notify::new() }
    }

    /// What the connection is sent.
    pub(super) const fn format(&self) -> Format {
        self.format
    }

    /// The client knows client events.
    pub(super) fn allow_events(&self) {
        self.events.store(true, Ordering::Relaxed);
    }

    /// Whether the client knows client events.
    pub(super) fn knows_events(&self) -> bool {
        self.events.load(Ordering::Relaxed)
    }

    /// Queues a frame that may be lost, while less than half of each bound is used. So it never ends the
    /// connection, and leaves room for what may not be lost. Returns whether it was queued.
    pub(super) fn offer(&self, outgoing: &Outgoing) -> bool {
        let bytes = outgoing.bytes();
        let mut state = self.state();
        let fits = state.end.is_none()
            && state.frames.len() < self.bounds.frames / 2
            && state.queued + state.taken + bytes <= self.bounds.bytes / 2
            && self.total.load(Ordering::Relaxed) + bytes <= self.bounds.total / 2;
        if fits {
            self.queue(&mut state, outgoing);
            drop(state);
            self.wake();
        }
        fits
    }

    /// Removes queued messages with these ids.
    pub(super) fn remove(&self, ids: &[MessageId]) {
        let mut state = self.state();
        let mut removed = 0;
        state.frames.retain(|outgoing| {
            let goes = outgoing.tracked().is_some_and(|id| ids.contains(id));
            removed += if goes { outgoing.bytes() } else { 0 };
            !goes
        });
        state.queued -= removed;
        self.total.fetch_sub(removed, Ordering::Relaxed);
    }

    fn queue(&self, state: &mut State, outgoing: &Outgoing) {
        state.frames.push(outgoing.clone());
        state.only_pushed += usize::from(!outgoing.is_replayed());
        state.queued += outgoing.bytes();
        self.total.fetch_add(outgoing.bytes(), Ordering::Relaxed);
    }

    /// Queues a frame. If it does not fit, the connection ends as too slow: after a lost frame no other may
    /// follow.
    pub(super) fn push(&self, outgoing: &Outgoing) {
        let bytes = outgoing.bytes();
        let mut state = self.state();
        if state.end.is_some() {
            return;
        }
        let own = state.queued + state.taken + bytes;
        let fits = state.frames.len() < self.bounds.frames
            && own <= self.bounds.bytes
            && (own <= GUARANTEED_BYTES || self.total.load(Ordering::Relaxed) + bytes <= self.bounds.total);
        // An empty outbox takes any frame, whatever the bounds.
        if fits || (state.frames.is_empty() && state.taken == 0) {
            self.queue(&mut state, outgoing);
        } else {
            state.end = Some(Close::Slow);
            let dropped = std::mem::take(&mut state.queued);
            self.total.fetch_sub(dropped, Ordering::Relaxed);
            (state.frames, state.only_pushed) = (Vec::new(), 0);
        }
        drop(state);
        self.wake();
    }

    /// Ends the connection for this reason, unless it already has one.
    pub(super) fn end(&self, close: Close) {
        let mut state = self.state();
        if state.end.is_none() {
            state.end = Some(close);
            state.last_write = (close == Close::Disconnected).then(|| Instant::now() + LAST_WRITE_TIMEOUT);
        }
        drop(state);
        self.wake();
    }

    /// Wakes the session up.
    pub(super) fn wake(&self) {
        self.notify.notify_one();
    }

    /// Returns once the connection has to end, `changed` is true, or frames are queued that are `sendable`.
    /// There must be only one waiter.
    pub(super) async fn ready(&self, sendable: Sendable, changed: impl Fn() -> bool) {
        loop {
            let (ended, has_frames) = {
                let state = self.state();
                (state.end.is_some(), state.has(sendable))
            };
            if ended || has_frames || changed() {
                return;
            }
            self.notify.notified().await;
        }
    }

    /// Returns once a write of such frames has to be given up, with the reason.
    pub(super) async fn cut_short(&self, written: Written) -> Close {
        loop {
            let (end, last_write) = {
                let state = self.state();
                (state.end, state.last_write)
            };
            match (end, last_write, written) {
                (Some(close), Some(last_write), Written::Queued) => {
                    sleep_until(last_write).await;
                    return close;
                }
                (Some(close), ..) if close != Close::Restart => return close,
                _ => self.notify.notified().await,
            }
        }
    }

    /// Takes the queued frames that are `sendable`, in order. They count as queued until [`Outbox::written`].
    /// `complete` says whether nothing was missed before the last one; if not, only a replay may bring what it
    /// brings. Before a close that is the last in the queue, what no replay brings is always sendable.
    ///
    /// # Errors
    ///
    /// Why the connection has to end.
    pub(super) fn take(
        &self,
        sendable: Sendable,
        complete: impl Fn() -> bool,
    ) -> Result<Vec<Outgoing>, Close> {
        let mut state = self.state();
        if let Some(close) = state.end {
            if !close.is_last_in_queue() {
                return Err(close);
            }
            if !state.has(sendable) {
                if state.only_pushed > 0 {
                    return Ok(state.take_only_pushed());
                }
                return Err(close);
            }
        }
        match sendable {
            // Asked behind the lock: frames that are queued after something was missed come after it was known.
            Sendable::Everything if complete() => {
                state.only_pushed = 0;
                state.taken += std::mem::take(&mut state.queued);
                Ok(std::mem::take(&mut state.frames))
            }
            Sendable::OnlyPushed => Ok(state.take_only_pushed()),
            Sendable::Everything | Sendable::Nothing => Ok(Vec::new()),
        }
    }

    /// The frames that were taken have been written.
    pub(super) fn written(&self) {
        let written = std::mem::take(&mut self.state().taken);
        self.total.fetch_sub(written, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether frames are queued that are `sendable`.
    fn has(&self, sendable: Sendable) -> bool {
        match sendable {
            Sendable::Nothing => false,
            Sendable::OnlyPushed => self.only_pushed > 0,
            Sendable::Everything => !self.frames.is_empty(),
        }
    }

    fn take_only_pushed(&mut self) -> Vec<Outgoing> {
        let frames = std::mem::take(&mut self.frames);
        let (only_pushed, replayed): (Vec<_>, Vec<_>) =
            frames.into_iter().partition(|outgoing| !outgoing.is_replayed());
        let bytes: usize = only_pushed.iter().map(Outgoing::bytes).sum();
        (self.frames, self.only_pushed) = (replayed, 0);
        self.queued -= bytes;
        self.taken += bytes;
        only_pushed
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.total.fetch_sub(state.queued + state.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
