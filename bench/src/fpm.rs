//! PHP calls in requests to PHP-FPM, through nginx.

use std::time::Duration;

use anyhow::Context as _;
use chatpush_stack::nginx::Nginx;
use chatpush_stack::php_fpm::PhpFpm;
use ureq::Agent;

use crate::bench_env::{BenchEnv, source_folder};
use crate::latency::LatencyHistogram;
use crate::peer::Php;

/// An nginx and a PHP-FPM that serve `bench/php/fpm.php`.
#[derive(Debug)]
pub struct Fpm {
    nginx: Nginx,
    _pool: PhpFpm,
    agent: Agent,
}

impl Fpm {
    /// Starts them.
    pub fn start(env: &BenchEnv, php: &Php) -> anyhow::Result<Self> {
        let folder = env.new_folder("fpm")?;
        let mut environment = php.environment.clone();
        environment.push(("BENCH_PEER", php.peer.to_owned()));
        let pool = env.block_on(PhpFpm::start(&folder, &php.settings, &[], &environment))?;
        let nginx = env.block_on(Nginx::start(&folder, None, &[("/", &source_folder().join("php"))], 9))?;
        let agent = Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build().into();
        Ok(Self { nginx, _pool: pool, agent })
    }

    /// Measures a call in sequential requests, after some warm-up requests.
    pub fn calls(
        &self,
        call: &str,
        users: std::ops::Range<u32>,
        calls: u32,
    ) -> anyhow::Result<LatencyHistogram> {
        let mut latencies = LatencyHistogram::default();
        for (number, user) in users.cycle().take((calls + WARMUP) as usize).enumerate() {
            let url = format!("http://127.0.0.1:{}/fpm.php?call={call}&user={user}", self.nginx.port());
            let text = self.agent.get(&url).call()?.body_mut().read_to_string()?;
            let nanoseconds = text.trim().parse().with_context(|| format!("{url} answered {text:.300}"))?;
            if number >= WARMUP as usize {
                latencies.record(nanoseconds);
            }
        }
        Ok(latencies)
    }
}

/// Warm-up requests: enough for each of the four workers to fill its caches and open its connections.
const WARMUP: u32 = 20;
