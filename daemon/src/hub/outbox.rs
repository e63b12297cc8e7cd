//! Frames that wait for one connection: in order, bounded by count and by bytes, taken all at once. An empty
//! outbox holds no memory for frames.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Outgoing;
use crate::hub::close::Close;

/// Bytes that may wait for a connection whatever waits for others, so that those who do not read cannot take
/// the room of those who do.
const SHARE: usize = 64 * 1024;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Frames for one connection.
    pub frames: usize,
    /// Bytes for one connection, those included that are being written.
    pub bytes: usize,
    /// Bytes for all connections together; beyond it each may still have 64 KiB waiting.
    pub total: usize,
}

/// The queue between the hub and one session.
#[derive(Debug)]
pub(super) struct Outbox {
    bounds: Bounds,
    /// Bytes that wait for all connections.
    total: Arc<AtomicUsize>,
    /// A plain mutex: nothing awaits while holding it.
    state: Mutex<State>,
    notify: Notify,
}

#[derive(Debug, Default)]
struct State {
    frames: Vec<Outgoing>,
    /// Bytes of the frames above.
    waiting: usize,
    /// Bytes that the session has taken and not yet written.
    taken: usize,
    /// Why the connection has to end. Nothing follows it.
    end: Option<Close>,
}

impl Outbox {
    pub(super) fn new(bounds: Bounds, total: Arc<AtomicUsize>) -> Self {
        Self { bounds, total, state: Mutex::default(), notify: Notify::new() }
    }

    /// Queues a frame. Without room for it the connection ends as too slow, since a frame that is lost to it
    /// must not be followed by another.
    pub(super) fn push(&self, outgoing: &Outgoing) {
        let bytes = outgoing.frame.len();
        let mut state = self.state();
        if state.end.is_some() {
            return;
        }
        let own = state.waiting + state.taken + bytes;
        let fits = state.frames.len() < self.bounds.frames
            && own <= self.bounds.bytes
            && (own <= SHARE || self.total.load(Ordering::Relaxed) + bytes <= self.bounds.total);
        // A single frame always fits an empty outbox, whatever the bounds.
        if fits || (state.frames.is_empty() && state.taken == 0) {
            state.frames.push(outgoing.clone());
            state.waiting += bytes;
            self.total.fetch_add(bytes, Ordering::Relaxed);
        } else {
            state.end = Some(Close::Slow);
            let dropped = std::mem::take(&mut state.waiting);
            self.total.fetch_sub(dropped, Ordering::Relaxed);
            state.frames = Vec::new();
        }
        drop(state);
        self.wake();
    }

    /// Ends the connection for this reason, unless there is one already.
    pub(super) fn end(&self, close: Close) {
        self.state().end.get_or_insert(close);
        self.wake();
    }

    /// Lets the session look again.
    pub(super) fn wake(&self) {
        self.notify.notify_one();
    }

    /// Returns once the connection has to end, or `wanted` says so, which is told whether frames wait. For one
    /// waiter.
    pub(super) async fn ready(&self, wanted: impl Fn(bool) -> bool) {
        loop {
            let (ended, frames) = {
                let state = self.state();
                (state.end.is_some(), !state.frames.is_empty())
            };
            if ended || wanted(frames) {
                return;
            }
            self.notify.notified().await;
        }
    }

    /// Returns once the connection has to end without delay, and why.
    pub(super) async fn cut_short(&self) -> Close {
        loop {
            if let Some(close) = self.state().end.filter(|close| *close != Close::Restart) {
                return close;
            }
            self.notify.notified().await;
        }
    }

    /// Takes all that waits, in order, or nothing unless `open`. What was taken counts as waiting until
    /// [`Outbox::written`].
    ///
    /// # Errors
    ///
    /// Why the connection has to end.
    pub(super) fn take(&self, open: bool) -> Result<Vec<Outgoing>, Close> {
        let mut state = self.state();
        // A daemon that stops still hands over what it has.
        let last = open && state.end == Some(Close::Restart) && !state.frames.is_empty();
        if let Some(close) = state.end
            && !last
        {
            return Err(close);
        }
        if !open {
            return Ok(Vec::new());
        }
        state.taken += std::mem::take(&mut state.waiting);
        Ok(std::mem::take(&mut state.frames))
    }

    /// What was taken is written.
    pub(super) fn written(&self) {
        let written = std::mem::take(&mut self.state().taken);
        self.total.fetch_sub(written, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.total.fetch_sub(state.waiting + state.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::ws::Utf8Bytes;

    use super::*;

    fn frame(bytes: usize) -> Outgoing {
        Outgoing { frame: Utf8Bytes::from("x".repeat(bytes)), tracked: None }
    }

    fn outbox(frames: usize, bytes: usize, total: usize) -> Outbox {
        Outbox::new(Bounds { frames, bytes, total }, Arc::default())
    }

    #[test]
    fn frames_are_bounded_and_nothing_follows_a_lost_one() {
        let outbox = outbox(2, 100, 100);
        outbox.push(&frame(1));
        outbox.push(&frame(1));
        assert_eq!(outbox.take(true).map(|frames| frames.len()), Ok(2));
        (0..3).for_each(|_| outbox.push(&frame(1)));
        assert_eq!(outbox.take(true).unwrap_err(), Close::Slow);
        outbox.written();
        outbox.push(&frame(1));
        assert_eq!(outbox.take(true).unwrap_err(), Close::Slow);
    }

    #[test]
    fn bytes_count_until_they_are_written() {
        let outbox = outbox(10, 100, 1_000);
        outbox.push(&frame(60));
        assert!(outbox.take(true).is_ok());
        outbox.written();
        outbox.push(&frame(60));
        assert!(outbox.take(true).is_ok());
        outbox.push(&frame(60));
        assert_eq!(outbox.take(true).unwrap_err(), Close::Slow);
    }

    #[test]
    fn a_daemon_that_stops_hands_over_what_it_has() {
        let outbox = outbox(10, 100, 100);
        outbox.push(&frame(1));
        outbox.end(Close::Restart);
        assert_eq!(outbox.take(true).map(|frames| frames.len()), Ok(1));
        assert_eq!(outbox.take(true).unwrap_err(), Close::Restart);
    }

    #[test]
    fn a_frame_beyond_the_bounds_passes_an_empty_outbox() {
        let outbox = outbox(10, 100, 100);
        outbox.push(&frame(500));
        assert_eq!(outbox.take(true).map(|frames| frames.len()), Ok(1));
    }

    #[test]
    fn all_outboxes_share_one_bound_beyond_their_shares_and_give_back_what_they_held() {
        let total = Arc::new(AtomicUsize::new(0));
        let bounds = Bounds { frames: 10, bytes: 10 * SHARE, total: 3 * SHARE };
        let (one, other) = (Outbox::new(bounds, total.clone()), Outbox::new(bounds, total.clone()));
        one.push(&frame(3 * SHARE));
        other.push(&frame(SHARE / 2));
        other.push(&frame(SHARE / 2));
        assert_eq!(total.load(Ordering::Relaxed), 4 * SHARE, "its own share is there for everybody");
        other.push(&frame(1));
        assert_eq!(other.take(true).unwrap_err(), Close::Slow);
        assert_eq!(total.load(Ordering::Relaxed), 3 * SHARE);
        assert!(one.take(true).is_ok());
        drop(one);
        assert_eq!(total.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_closed_gate_lets_only_the_end_through() {
        use futures_util::FutureExt as _;
        let outbox = outbox(10, 100, 100);
        outbox.push(&frame(1));
        assert!(outbox.ready(|_| false).now_or_never().is_none());
        assert!(outbox.ready(|frames| frames).now_or_never().is_some());
        outbox.end(Close::Disconnected);
        assert!(outbox.ready(|_| false).now_or_never().is_some());
    }
}
