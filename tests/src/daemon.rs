//! The built daemon, with the settings of an installation.

use std::ops::Deref;
use std::process::Output;

use chatpush_stack::daemon;
use chatpush_wire::id::UserId;
use chatpush_wire::token::{self, Secret};

use crate::client::Client;
use crate::test_env::{SECRET, TestEnv};

/// A running daemon.
#[derive(Debug)]
pub struct Daemon(daemon::Daemon);

impl Daemon {
    /// Starts a daemon and waits until it is ready.
    pub async fn start(env: &TestEnv) -> Self {
        let started = daemon::Daemon::start(env.servers().folder(), &env.environment()).await;
        Self(started.expect("the daemon becomes ready"))
    }

    /// Starts a daemon and waits for nothing.
    pub fn launch(env: &TestEnv) -> Self {
        let launched = daemon::Daemon::launch(env.servers().folder(), &env.environment());
        Self(launched.expect("the daemon starts"))
    }

    /// Stops it and starts another in its place; waits until that is ready.
    pub async fn restart(self, env: &TestEnv) -> Self {
        let ports = (self.port(), self.admin_port());
        let code = tokio::task::spawn_blocking(move || self.stop()).await.expect("the daemon stops");
        assert_eq!(code, Some(0));
        let started = daemon::Daemon::start_at(env.servers().folder(), &env.environment(), ports).await;
        Self(started.expect("the daemon becomes ready"))
    }

    /// Runs a command of the daemon to its end.
    pub async fn command(env: &TestEnv, arguments: &[&str]) -> Output {
        daemon::Daemon::command(env.servers().folder(), &env.environment(), arguments)
            .await
            .expect("the daemon's command starts")
    }

    /// A plain client of `user`.
    pub async fn connect(&self, user: u32) -> Client {
        Client::connect(self.port(), &token(user), None).await.expect("the token is good")
    }

    /// A client of `user` that asks for a subprotocol.
    pub async fn connect_with(&self, user: u32, protocol: &str) -> Client {
        Client::connect(self.port(), &token(user), Some(protocol)).await.expect("the token is good")
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(self) -> Option<i32> {
        self.0.stop()
    }

    /// Kills it as a power cut would.
    pub fn kill(self) {
        self.0.kill();
    }
}

impl Deref for Daemon {
    type Target = daemon::Daemon;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// A token for a user, as PHP would make it.
pub fn token(user: u32) -> String {
    token_of(SECRET, user, 3600)
}

/// A token by some key, for some seconds.
pub fn token_of(secret: &str, user: u32, ttl: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    let user = UserId::try_from(i64::from(user)).expect("a user id");
    token::sign(&Secret::new(secret).expect("long enough"), user, None, now.as_secs(), ttl)
}
