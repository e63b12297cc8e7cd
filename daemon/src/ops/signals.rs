//! Signals: SIGTERM and SIGINT stop the daemon, SIGHUP reads the configuration again.

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::reload::Reloader;

/// Handles signals from now on. `stop` is cancelled by the first SIGTERM or SIGINT; a SIGINT after it ends
/// the process at once, with exit code 1.
///
/// # Errors
///
/// When the signals cannot be received.
pub(crate) fn handle(stop: CancellationToken, mut reloader: Reloader) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
    let stopped = stop.clone();
    // On a task of its own: a file on a disk that hangs must not keep the daemon from stopping.
    tokio::spawn(stopped.run_until_cancelled_owned(async move {
        while hangup.recv().await.is_some() {
            reloader.reload().await;
        }
    }));
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping; Ctrl-C stops at once");
        stop.cancel();
        // Supervisors may repeat SIGTERM, so only SIGINT cuts the stop short. What is not written waits in
        // the log.
        interrupt.recv().await;
        std::process::exit(1);
    });
    Ok(())
}
