//! Tells systemd when the daemon is ready, what it waits for, and that it lives (`sd_notify(3)`).

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::admin::{Admin, Part};

/// How often readiness is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A start that waits for Redis or MySQL ends after this time, so that nobody waits for it without end: the
/// installation of a package, or the start of the machine. Less than systemd's own timeout, after which it would
/// start the daemon again, which would not help.
const LONGEST_START: Duration = Duration::from_secs(60);

/// Whether a service manager started the process and wants to be told.
pub(crate) fn is_there() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Tells it until the process ends. Runs on the threads that serve clients, so that the watchdog sees when they
/// hang.
pub(crate) async fn tell(admin: Admin, stop: CancellationToken) {
    // Twice within each period of the watchdog (sd_watchdog_enabled(3)).
    let often = sd_notify::watchdog_enabled().map_or(LOOK_EVERY, |period| LOOK_EVERY.min(period / 2));
    let mut ticks = interval(often);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (began, mut was_ready, mut told) = (Instant::now(), false, String::new());
    while !stop.is_cancelled() {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => break,
        }
        let parts = admin.readiness().await;
        let waits_for: Vec<_> = parts.iter().filter(|part| !part.is_ready()).map(Part::to_string).collect();
        let mut states = vec![NotifyState::Watchdog];
        if !was_ready && (waits_for.is_empty() || began.elapsed() > LONGEST_START) {
            was_ready = true;
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

/// Sends one datagram, aside from the threads that serve clients: it waits while the service manager's queue is
/// full. If nobody is there, nothing is sent.
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
