//! Starts the daemon of a stack again when it has ended by itself, as systemd does in an installation.

use std::time::{Duration, Instant};

use crate::stack::Stack;

/// The pause before the second start. It doubles with each daemon that ends soon after its start.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause, and the time after which a daemon counts as one that works.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// When the daemon was started, and how long the next start has to wait.
#[derive(Debug)]
pub(crate) struct Supervisor {
    started: Instant,
    pause: Duration,
}

impl Supervisor {
    /// For a daemon that is ready.
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), pause: Duration::ZERO }
    }

    /// Starts the daemon if it has ended and the pause is over. One that was killed by a command stays down.
    pub(crate) fn look(&mut self, stack: &mut Stack) {
        let age = self.started.elapsed();
        if age >= LONGEST_PAUSE {
            self.pause = Duration::ZERO;
        }
        if age < self.pause || !stack.daemon_has_ended() {
            return;
        }
        self.started = Instant::now();
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        if let Err(error) = stack.launch_daemon() {
            eprintln!("chatpushd          cannot be started: {error:#}");
        }
    }
}
