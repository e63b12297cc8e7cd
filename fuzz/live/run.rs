//! The run: batches of strangers, and a look at the daemon after each.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::cli::Arguments;
use crate::client;
use crate::harness::Harness;

/// Strangers that are there at the same time.
const CLIENTS: u64 = 16;

/// Groups of them between two looks at the daemon.
const BATCHES: u64 = 4;

/// Runs for the time that was asked for, and returns how many strangers there were.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<u64> {
    let mut harness = Harness::start().await?;
    let ends = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut count = 0;
    while Instant::now() < ends {
        let first = count;
        for _ in 0..BATCHES {
            // Each has a generator of its own, so that what it sends does not depend on who is faster.
            let group = (count..count + CLIENTS).map(|number| {
                let rng = fastrand::Rng::with_seed(arguments.seed.wrapping_mul(1 << 32).wrapping_add(number));
                client::run(harness.port(), rng)
            });
            let results = join_all(group).await;
            count += CLIENTS;
            if let Err(error) = results.into_iter().collect::<anyhow::Result<()>>() {
                harness.keep();
                return Err(error);
            }
        }
        if let Err(error) = harness.check().await {
            harness.keep();
            return Err(error.context(format!("after the strangers {first} to {count}")));
        }
    }
    harness.check_idle().await.context("at the end")?;
    Ok(count)
}
