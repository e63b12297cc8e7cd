//! Polling with a deadline.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

/// How long a server may take to start. It is long, because the machine may be busy.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// Polls until `probe` returns true.
///
/// # Errors
///
/// After `START_TIMEOUT`, with the end of the log.
pub async fn until(
    what: &str,
    log: &std::path::Path,
    mut probe: impl AsyncFnMut() -> bool,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + START_TIMEOUT;
    while !probe().await {
        if Instant::now() > deadline {
            bail!("{what}: not within {START_TIMEOUT:?}; the end of {}:\n{}", log.display(), tail(log));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// The last lines of a log.
fn tail(log: &std::path::Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
