//! A page of stored messages on its way to one client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Outgoing;

/// Frames that were read from storage. Their bytes count as queued for clients until this is dropped, so it is
/// kept until they are written.
#[derive(Debug)]
pub struct Page {
    frames: Vec<Outgoing>,
    bytes: usize,
    /// Bytes queued for all connections.
    total: Arc<AtomicUsize>,
}

impl Page {
    pub(super) fn new(frames: Vec<Outgoing>, total: Arc<AtomicUsize>) -> Self {
        let bytes = frames.iter().map(Outgoing::bytes).sum();
        total.fetch_add(bytes, Ordering::Relaxed);
        Self { frames, bytes, total }
    }

    /// Takes the frames, in order.
    pub fn take(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.frames)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
