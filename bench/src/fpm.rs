//! The calls inside requests of PHP-FPM, through nginx.

use std::time::Duration;

use anyhow::Context as _;
use chatpush_stack::nginx::Nginx;
use chatpush_stack::php_fpm::PhpFpm;
use ureq::Agent;

use crate::bench_env::{BenchEnv, source_folder};
use crate::latency::LatencyHistogram;
use crate::peer::Php;

/// A private nginx and PHP-FPM that serve `bench/php/fpm.php`.
#[derive(Debug)]
pub struct Fpm {
    nginx: Nginx,
    _fpm: PhpFpm,
    agent: Agent,
}

impl Fpm {
    /// Starts both.
    pub fn start(env: &BenchEnv, php: &Php) -> anyhow::Result<Self> {
        let folder = env.new_folder("fpm")?;
        let mut environment = php.environment.clone();
        environment.push(("BENCH_PEER", php.peer.to_owned()));
        let fpm = env.block_on(PhpFpm::start(&folder, &php.settings, &[], &environment))?;
        let nginx = env.block_on(Nginx::start(&folder, None, &[("/", &source_folder().join("php"))], 9))?;
        let agent = Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build().into();
        Ok(Self { nginx, _fpm: fpm, agent })
    }

    /// Makes a call in so many requests, one after the other, after some that do not count.
    pub fn calls(
        &self,
        call: &str,
        users: std::ops::Range<u32>,
        calls: u32,
    ) -> anyhow::Result<LatencyHistogram> {
        let mut latencies = LatencyHistogram::default();
        for (number, user) in users.cycle().take((calls + WARM) as usize).enumerate() {
            let url = format!("http://127.0.0.1:{}/fpm.php?call={call}&user={user}", self.nginx.port());
            let text = self.agent.get(&url).call()?.body_mut().read_to_string()?;
            let nanoseconds = text.trim().parse().with_context(|| format!("{url} says {text:.300}"))?;
            if number >= WARM as usize {
                latencies.record(nanoseconds);
            }
        }
        Ok(latencies)
    }
}

/// Requests that fill caches and open what stays open, in each of the four workers.
const WARM: u32 = 20;
