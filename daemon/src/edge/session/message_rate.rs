//! How much a client sends.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::Limits;

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
    /// Counts one message. False if there were too many messages or bytes in the current window.
    pub fn allows(&mut self, now: Instant, bytes: usize, limits: &Limits) -> bool {
        if self.window_start.is_none_or(|start| now.duration_since(start) > WINDOW) {
            *self = Self { window_start: Some(now), ..Self::default() };
        }
        self.messages += 1;
        self.bytes += bytes;
        self.messages <= limits.messages && self.bytes <= limits.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_bytes_are_counted_per_window() {
        let limits = Limits { messages: 10, bytes: 1_000, ..Limits::default() };
        let start = Instant::now();
        let mut rate = MessageRate::default();
        assert!((0..10).all(|_| rate.allows(start, 1, &limits)));
        assert!(!rate.allows(start, 1, &limits));
        assert!(rate.allows(start + WINDOW * 2, 1_000, &limits));
        assert!(!rate.allows(start + WINDOW * 2, 1, &limits));
    }
}
