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
mod tests {
    use chatpush_wire::frame::unread;
    use tokio_tungstenite::tungstenite::Utf8Bytes;

    use super::*;

    fn frame(bytes: usize) -> Outgoing {
        Outgoing::new(Utf8Bytes::from("x".repeat(bytes)), None)
    }

    fn tracked(bytes: usize) -> Outgoing {
        Outgoing::new(frame(bytes).into_text(), Some(Arc::new(MessageId::of_row(1, 1))))
    }

    fn outbox(frames: usize, bytes: usize, total: usize) -> Outbox {
        Outbox::new(Format::Json, Bounds { frames, bytes, total }, Arc::default())
    }

    fn take(outbox: &Outbox) -> Result<Vec<Outgoing>, Close> {
        outbox.take(Sendable::Everything, || true)
    }

    #[test]
    fn frames_are_bounded_and_none_follows_a_lost_one() {
        let outbox = outbox(2, 100, 100);
        outbox.push(&frame(1));
        outbox.push(&frame(1));
        assert_eq!(take(&outbox).map(|frames| frames.len()), Ok(2));
        (0..3).for_each(|_| outbox.push(&frame(1)));
        assert_eq!(take(&outbox).unwrap_err(), Close::Slow);
        outbox.written();
        outbox.push(&frame(1));
        assert_eq!(take(&outbox).unwrap_err(), Close::Slow);
    }

    #[test]
    fn bytes_count_until_they_are_written() {
        let outbox = outbox(10, 100, 1_000);
        outbox.push(&frame(60));
        assert!(take(&outbox).is_ok());
        outbox.written();
        outbox.push(&frame(60));
        assert!(take(&outbox).is_ok());
        outbox.push(&frame(60));
        assert_eq!(take(&outbox).unwrap_err(), Close::Slow);
    }

    #[test]
    fn queued_frames_are_sent_before_a_close_that_was_asked_for() {
        for close in [Close::Restart, Close::Disconnected] {
            let outbox = outbox(10, 100, 100);
            outbox.push(&frame(1));
            outbox.end(close);
            outbox.push(&frame(1));
            assert_eq!(take(&outbox).map(|frames| frames.len()), Ok(1));
            assert_eq!(take(&outbox).unwrap_err(), close);
        }
    }

    #[test]
    fn a_replay_does_not_keep_back_the_last_pushes() {
        for sendable in [Sendable::Nothing, Sendable::OnlyPushed] {
            let outbox = outbox(10, 100, 100);
            outbox.push(&tracked(1));
            outbox.push(&frame(2));
            outbox.end(Close::Disconnected);
            let taken = outbox.take(sendable, || true).unwrap();
            assert_eq!(taken.iter().map(Outgoing::bytes).collect::<Vec<_>>(), [2]);
            assert_eq!(outbox.take(sendable, || true).unwrap_err(), Close::Disconnected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_to_a_client_that_was_disconnected_is_cut_short() {
        let (outbox, start) = (outbox(10, 100, 100), Instant::now());
        outbox.end(Close::Disconnected);
        assert_eq!(outbox.cut_short(Written::Stored).await, Close::Disconnected);
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..2 {
            assert_eq!(outbox.cut_short(Written::Queued).await, Close::Disconnected);
            assert_eq!(start.elapsed(), LAST_WRITE_TIMEOUT, "in total, whatever the number of writes");
        }
    }

    #[test]
    fn an_offered_frame_takes_no_more_than_half_and_ends_nothing() {
        let by_frames = outbox(4, 1_000, 1_000);
        assert_eq!([(); 3].map(|()| by_frames.offer(&frame(1))), [true, true, false]);
        let by_bytes = outbox(100, 100, 1_000);
        assert_eq!([30, 30, 20].map(|bytes| by_bytes.offer(&frame(bytes))), [true, false, true]);
        let by_total = outbox(100, 1_000, 100);
        assert_eq!([60, 50].map(|bytes| by_total.offer(&frame(bytes))), [false, true]);
        for outbox in [&by_frames, &by_bytes, &by_total] {
            outbox.push(&frame(1));
            assert!(take(outbox).is_ok());
        }
        by_total.end(Close::Restart);
        assert!(!by_total.offer(&frame(1)));
    }

    #[test]
    fn an_empty_outbox_takes_any_frame() {
        let outbox = outbox(10, 100, 100);
        outbox.push(&frame(500));
        assert_eq!(take(&outbox).map(|frames| frames.len()), Ok(1));
    }

    #[test]
    fn total_bound_applies_beyond_the_guaranteed_bytes() {
        let total = Arc::new(AtomicUsize::new(0));
        let bounds = Bounds { frames: 10, bytes: 10 * GUARANTEED_BYTES, total: 3 * GUARANTEED_BYTES };
        let (one, other) = (
            Outbox::new(Format::Json, bounds, total.clone()),
            Outbox::new(Format::Json, bounds, total.clone()),
        );
        one.push(&frame(3 * GUARANTEED_BYTES));
        other.push(&frame(GUARANTEED_BYTES / 2));
        other.push(&frame(GUARANTEED_BYTES / 2));
        assert_eq!(
            total.load(Ordering::Relaxed),
            4 * GUARANTEED_BYTES,
            "the guaranteed bytes are always available"
        );
        other.push(&frame(1));
        assert_eq!(take(&other).unwrap_err(), Close::Slow);
        assert_eq!(total.load(Ordering::Relaxed), 3 * GUARANTEED_BYTES);
        assert!(take(&one).is_ok());
        drop(one);
        assert_eq!(total.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_only_pushed_is_taken_from_among_what_a_replay_brings() {
        let total = Arc::new(AtomicUsize::new(0));
        let outbox = Outbox::new(Format::Json, Bounds { frames: 9, bytes: 99, total: 99 }, total.clone());
        for outgoing in [tracked(1), frame(2), tracked(3), frame(4)] {
            outbox.push(&outgoing);
        }
        outbox.push(&Outgoing::new(Utf8Bytes::from(unread(7, None, false)), None));
        let counter = unread(7, None, false).len();
        let bytes = |taken: Result<Vec<Outgoing>, Close>| {
            taken.unwrap().iter().map(Outgoing::bytes).collect::<Vec<_>>()
        };
        assert!(bytes(outbox.take(Sendable::Everything, || false)).is_empty());
        assert_eq!(bytes(outbox.take(Sendable::OnlyPushed, || false)), [2, 4]);
        assert!(bytes(outbox.take(Sendable::OnlyPushed, || true)).is_empty());
        assert_eq!(total.load(Ordering::Relaxed), 10 + counter, "what is being written counts");
        outbox.written();
        assert_eq!(total.load(Ordering::Relaxed), 4 + counter);
        assert_eq!(bytes(take(&outbox)), [1, 3, counter]);
    }

    #[test]
    fn messages_that_are_taken_back_are_not_sent_and_free_their_bytes() {
        let total = Arc::new(AtomicUsize::new(0));
        let outbox = Outbox::new(Format::Json, Bounds { frames: 9, bytes: 99, total: 99 }, total.clone());
        for outgoing in [frame(1), tracked(2), frame(4)] {
            outbox.push(&outgoing);
        }
        outbox.remove(&[MessageId::of_row(2, 2)]);
        assert_eq!(total.load(Ordering::Relaxed), 7, "another message waits");
        outbox.remove(&[MessageId::of_row(2, 2), MessageId::of_row(1, 1)]);
        assert_eq!(take(&outbox).unwrap().iter().map(Outgoing::bytes).collect::<Vec<_>>(), [1, 4]);
        outbox.written();
        assert_eq!(total.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn an_outbox_wakes_for_what_can_be_sent_and_for_the_end() {
        use futures_util::FutureExt as _;
        let outbox = outbox(10, 100, 100);
        outbox.push(&tracked(1));
        let ready = |sendable| outbox.ready(sendable, || false).now_or_never().is_some();
        assert_eq!([ready(Sendable::Nothing), ready(Sendable::OnlyPushed)], [false, false]);
        assert!(ready(Sendable::Everything));
        outbox.push(&frame(1));
        assert!(ready(Sendable::OnlyPushed) && !ready(Sendable::Nothing));
        outbox.end(Close::Disconnected);
        assert!(ready(Sendable::Nothing));
    }
}
