//! Signals: SIGTERM and SIGINT stop the daemon, SIGHUP reloads the certificate.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::base::error_text::error_text;
use crate::base::metrics;
use crate::edge::tls::Tls;

/// Handles signals from now on. `stop` is cancelled by the first SIGTERM or SIGINT; a SIGINT after it ends
/// the process at once, with exit code 1.
///
/// # Errors
///
/// When the signals cannot be received.
pub(crate) fn handle(stop: CancellationToken, tls: Option<Arc<Tls>>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => reload(tls.as_deref()),
            }
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

fn reload(tls: Option<&Tls>) {
    match tls.map(Tls::reload) {
        Some(Ok(())) => {
            metrics::CERTIFICATE_RELOADS.increment("ok");
            tracing::info!("certificate reloaded");
        }
        Some(Err(error)) => {
            metrics::CERTIFICATE_RELOADS.increment("failed");
            let error = error_text(&error);
            tracing::error!(error, "cannot reload the certificate; the old one stays");
        }
        None => tracing::info!("SIGHUP: there is no certificate to reload"),
    }
}
