//! Tells systemd when the daemon is ready, what it waits for, and that it lives (`sd_notify(3)`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::admin::{Admin, Part};

/// How often readiness is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A start that waits for Redis or MySQL ends after this time, so that nobody waits for it without end: the
/// installation of a package, or the start of the machine. Less than systemd's own timeout, after which
/// it would start the daemon again, which would not help.
const LONGEST_START: Duration = Duration::from_secs(60);

/// The service manager that has started the process and wants to be told. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Manager {
    /// Whether it was told that the daemon is ready.
    was_ready: Arc<AtomicBool>,
}

impl Manager {
    /// None if none wants to be told.
    pub(crate) fn of_environment() -> Option<Self> {
        std::env::var_os("NOTIFY_SOCKET").map(|_| Self { was_ready: Arc::default() })
    }

    /// Tells it that the configuration is read again. Not during the start, which would end with
    /// [`Self::reloaded`].
    pub(crate) async fn reloading(&self) {
        if self.was_ready.load(Ordering::Relaxed) {
            let now = NotifyState::monotonic_usec_now().ok();
            notify([NotifyState::Reloading].into_iter().chain(now).collect(), None).await;
        }
    }

    /// Tells it that the configuration was read.
    pub(crate) async fn reloaded(&self) {
        if self.was_ready.load(Ordering::Relaxed) {
            notify(vec![NotifyState::Ready], None).await;
        }
    }

    /// Tells it until the process ends. Runs on the threads that serve clients, so that the watchdog
    /// sees when they hang.
    pub(crate) async fn tell(self, admin: Admin, stop: CancellationToken) {
        // Twice within each period of the watchdog (sd_watchdog_enabled(3)).
        let often = sd_notify::watchdog_enabled().map_or(LOOK_EVERY, |period| LOOK_EVERY.min(period / 2));
        let mut ticks = interval(often);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (began, mut told) = (Instant::now(), String::new());
        while !stop.is_cancelled() {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => break,
            }
            let parts = admin.readiness().await;
            let waits_for: Vec<_> =
                parts.iter().filter(|part| !part.is_ready()).map(Part::to_string).collect();
            let mut states = vec![NotifyState::Watchdog];
            if !self.was_ready.load(Ordering::Relaxed)
                && (waits_for.is_empty() || began.elapsed() > LONGEST_START)
            {
                self.was_ready.store(true, Ordering::Relaxed);
                states.push(NotifyState::Ready);
            }
            let line = match waits_for.as_slice() {
                [] => "ready".to_owned(),
                parts => format!("not ready: {}", parts.join("; ")),
            };
            notify(states, (line != told).then(|| line.clone())).await;
            told = line;
        }
        notify(vec![NotifyState::Stopping], Some("stopping: clients connect elsewhere".to_owned())).await;
        loop {
            ticks.tick().await;
            notify(vec![NotifyState::Watchdog], None).await;
        }
    }
}

/// Sends one datagram, aside from the threads that serve clients: it waits while the service manager's
/// queue is full. If nobody is there, nothing is sent.
async fn notify(changes: Vec<NotifyState<'static>>, status: Option<String>) {
    let sent = tokio::task::spawn_blocking(move || {
        let status = status.map(|text| text.replace('\n', " "));
        let mut all: Vec<NotifyState<'_>> = changes;
        all.extend(status.as_deref().map(NotifyState::Status));
        sd_notify::notify(&all)
    });
    if let Ok(Err(error)) = sent.await {
        tracing::debug!(%error, "cannot tell the service manager");
    }
}
