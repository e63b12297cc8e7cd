//! What was written to a connection at a time.

use tokio::time::Instant;

use super::{DELIVERY_DURATION, FRAMES, MESSAGES};

/// Frames that were written to a connection at a time, recorded at once.
#[derive(Debug, Default)]
pub struct WrittenFrames {
    frames: u64,
    stored: u64,
    pushed: u64,
    /// When the first of those that are live reached this daemon: mostly there is one.
    first: Option<Instant>,
    /// The same of the others.
    others: Vec<Instant>,
}

impl WrittenFrames {
    /// Another frame.
    pub const fn frame(&mut self) {
        self.frames += 1;
    }

    /// It is a stored message.
    pub(crate) const fn stored(&mut self) {
        self.stored += 1;
    }

    /// It is a message that is stored nowhere.
    pub const fn pushed(&mut self) {
        self.pushed += 1;
    }

    /// It is live if it has reached this daemon at a time.
    pub fn arrived(&mut self, at: Option<Instant>) {
        if self.first.is_none() {
            self.first = at;
        } else {
            self.others.extend(at);
        }
    }

    /// They have been written now.
    pub fn record(self) {
        FRAMES.inc_by(self.frames);
        MESSAGES.sent.inc_by(self.stored);
        MESSAGES.pushed.inc_by(self.pushed);
        if let Some(first) = self.first {
            let now = Instant::now();
            for arrived in std::iter::once(first).chain(self.others) {
                DELIVERY_DURATION.observe(now - arrived);
            }
        }
    }
}
