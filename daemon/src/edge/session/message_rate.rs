//! How much a client sends.

use std::time::Duration;

use tokio::time::Instant;

/// The window over which messages that confirm nothing are counted.
const WINDOW: Duration = Duration::from_secs(10);

/// Counts one client's messages in fixed windows of ten seconds.
#[derive(Debug, Default)]
pub struct MessageRate {
    window_start: Option<Instant>,
    messages: u32,
    bytes: usize,
}

impl MessageRate {
    /// Counts one message. False if the current window has more than `max_messages` or `max_bytes` now.
    pub fn allows(&mut self, now: Instant, bytes: usize, max_messages: u32, max_bytes: usize) -> bool {
        if self.window_start.is_none_or(|start| now.duration_since(start) > WINDOW) {
            *self = Self { window_start: Some(now), ..Self::default() };
        }
        self.messages += 1;
        self.bytes += bytes;
        self.messages <= max_messages && self.bytes <= max_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_bytes_are_counted_per_window() {
        let start = Instant::now();
        let mut rate = MessageRate::default();
        assert!((0..10).all(|_| rate.allows(start, 1, 10, 1_000)));
        assert!(!rate.allows(start, 1, 10, 1_000));
        assert!(rate.allows(start + WINDOW * 2, 1_000, 10, 1_000));
        assert!(!rate.allows(start + WINDOW * 2, 1, 10, 1_000));
    }
}
