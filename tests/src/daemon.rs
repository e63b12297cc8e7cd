//! The built daemon, with the settings of an installation.

use std::fmt::Display;
use std::ops::Deref;
use std::process::Output;

use chatpush_stack::daemon;
use chatpush_wire::token::{self, Secret};
use tokio::time::timeout;

use crate::client::Client;
use crate::eventually::TEST_TIMEOUT;
use crate::test_env::{SECRET, TestEnv};

/// A running daemon. It is killed when this is dropped: a graceful end is for the tests that look at it.
#[derive(Debug)]
pub struct Daemon {
    /// `None` once it was stopped.
    running: Option<daemon::Daemon>,
}

impl Daemon {
    /// Starts a daemon and waits until it is ready.
    pub async fn start(env: &TestEnv) -> Self {
        let started = daemon::Daemon::start(env.servers().folder(), &env.environment()).await;
        Self { running: Some(started.expect("the daemon becomes ready")) }
    }

    /// Starts a daemon without waiting until it is ready.
    pub fn launch(env: &TestEnv) -> Self {
        let launched = daemon::Daemon::launch(env.servers().folder(), &env.environment());
        Self { running: Some(launched.expect("the daemon starts")) }
    }

    /// Stops it, starts another on the same ports, and waits until that is ready.
    pub async fn restart(self, env: &TestEnv) -> Self {
        let ports = (self.port(), self.admin_port());
        let code = tokio::task::spawn_blocking(move || self.stop()).await.expect("the daemon stops");
        assert_eq!(code, Some(0));
        let started = daemon::Daemon::start_at(env.servers().folder(), &env.environment(), ports).await;
        Self { running: Some(started.expect("the daemon becomes ready")) }
    }

    /// Runs another command of `chatpushd` and returns its output. Panics if it does not end in time.
    pub async fn command(env: &TestEnv, arguments: &[&str]) -> Output {
        let environment = env.environment();
        let command = daemon::Daemon::command(env.servers().folder(), &environment, arguments);
        let ended = timeout(TEST_TIMEOUT, command).await;
        ended.expect("the daemon's command ends").expect("the daemon's command starts")
    }

    /// Connects a client of `user` without a subprotocol.
    pub async fn connect(&self, user: u32) -> Client {
        Client::connect(self.port(), &token(user), None).await.expect("the handshake is accepted")
    }

    /// Connects a client of `user` with a subprotocol.
    pub async fn connect_with(&self, user: u32, protocol: &str) -> Client {
        Client::connect(self.port(), &token(user), Some(protocol)).await.expect("the handshake is accepted")
    }

    /// Connects a page of a user whose id has any type, with the subprotocol of `chatpush.js`.
    pub async fn connect_as(&self, user: &str) -> Client {
        let token = token_of(SECRET, user, 3600);
        Client::connect(self.port(), &token, Some("chatpush.v1")).await.expect("the handshake is accepted")
    }

    /// The value of a metric. With labels in its name it is that one; without, the sum over its labels.
    pub async fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").await;
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let value = rest
                .strip_prefix(' ')
                .or_else(|| rest.starts_with('{').then(|| rest.rsplit(' ').next())?)?;
            value.parse::<u64>().ok()
        });
        values.sum()
    }

    /// Stops it with SIGTERM and returns its exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.running.take()?.stop()
    }

    /// Kills it with SIGKILL.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(daemon) = self.running.take() {
            daemon.kill();
        }
    }
}

impl Deref for Daemon {
    type Target = daemon::Daemon;

    fn deref(&self) -> &Self::Target {
        self.running.as_ref().expect("it is not stopped")
    }
}

/// A token of a user, as PHP creates it.
pub fn token(user: u32) -> String {
    token_of(SECRET, user, 3600)
}

/// A token with this secret and lifetime in seconds.
pub fn token_of(secret: &str, user: impl Display, ttl: u64) -> String {
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("the clock is after 1970");
    token::sign(&Secret::new(secret).expect("long enough"), user, None, now.as_secs(), ttl)
}
