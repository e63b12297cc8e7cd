//! Tells systemd when the daemon is ready, what it waits for, and that it lives (`sd_notify(3)`).

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::admin::{Admin, Part};

/// How often readiness is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// While Redis or MySQL is away at the start, the start takes as long as that: systemd waits this much longer
/// each time, in microseconds. A restart would not help.
const LONGER_START: u32 = 30_000_000;

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
    let (mut was_ready, mut told) = (false, String::new());
    while !stop.is_cancelled() {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => break,
        }
        let parts = admin.readiness().await;
        let waits_for: Vec<_> = parts.iter().filter(|part| !part.is_ready()).map(Part::to_string).collect();
        let mut states = vec![NotifyState::Watchdog];
        if waits_for.is_empty() && !was_ready {
            was_ready = true;
            states.push(NotifyState::Ready);
        } else if !was_ready {
            states.push(NotifyState::ExtendTimeoutUsec(LONGER_START));
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
