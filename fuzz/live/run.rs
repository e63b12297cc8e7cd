//! Runs batches of mutated clients, and checks the daemon after some of them.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::cli::Arguments;
use crate::client;
use crate::harness::Harness;

/// Concurrent clients in a batch.
const CLIENTS: u64 = 16;

/// Batches between two checks of the daemon.
const BATCHES: u64 = 4;

/// Runs for the requested time, and returns the number of clients.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<u64> {
    let mut harness = Harness::start().await?;
    let ends = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut count = 0;
    while Instant::now() < ends {
        let first = count;
        for _ in 0..BATCHES {
            // Each client has its own generator, so that its bytes do not depend on timing.
            let batch = (count..count + CLIENTS).map(|number| {
                let rng = fastrand::Rng::with_seed(arguments.seed.wrapping_mul(1 << 32).wrapping_add(number));
                client::run(harness.port(), rng)
            });
            let results = join_all(batch).await;
            count += CLIENTS;
            if let Err(error) = results.into_iter().collect::<anyhow::Result<()>>() {
                harness.keep();
                return Err(error);
            }
        }
        if let Err(error) = harness.check().await {
            harness.keep();
            return Err(error.context(format!("after the clients {first} to {count}")));
        }
    }
    harness.check_idle().await.context("at the end")?;
    Ok(count)
}
