//! The calls inside requests of PHP-FPM, through nginx.

use std::time::Duration;

use anyhow::Context as _;
use chatpush_stack::nginx::Nginx;
use chatpush_stack::php_fpm::PhpFpm;
use ureq::Agent;

use crate::delays::Delays;
use crate::peer::Php;
use crate::place::{Place, sources};

/// A private nginx and PHP-FPM that serve `bench/php/page.php`.
#[derive(Debug)]
pub struct Page {
    nginx: Nginx,
    _fpm: PhpFpm,
    agent: Agent,
}

impl Page {
    /// Starts both.
    pub fn start(place: &Place, php: &Php) -> anyhow::Result<Self> {
        let folder = place.new_folder("page")?;
        let mut environment = php.environment.clone();
        environment.push(("BENCH_PEER", php.peer.to_owned()));
        let fpm = place.wait(PhpFpm::start(&folder, &php.settings, &[], &environment))?;
        let nginx = place.wait(Nginx::start(&folder, None, &[("/", &sources().join("php"))], 9))?;
        let agent = Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build().into();
        Ok(Self { nginx, _fpm: fpm, agent })
    }

    /// Makes a call in so many requests, one after the other, after some that do not count.
    pub fn calls(&self, call: &str, users: std::ops::Range<u32>, calls: u32) -> anyhow::Result<Delays> {
        let mut delays = Delays::default();
        for (number, user) in users.cycle().take((calls + WARM) as usize).enumerate() {
            let url = format!("http://127.0.0.1:{}/page.php?call={call}&user={user}", self.nginx.port());
            let text = self.agent.get(&url).call()?.body_mut().read_to_string()?;
            let nanoseconds = text.trim().parse().with_context(|| format!("{url} says {text:.300}"))?;
            if number >= WARM as usize {
                delays.note(nanoseconds);
            }
        }
        Ok(delays)
    }
}

/// Requests that fill caches and open what stays open, in each of the four workers.
const WARM: u32 = 20;
