//! chatpush: the extension and one or more daemons from this build.

use std::time::{SystemTime, UNIX_EPOCH};

use chatpush_stack::artifacts;
use chatpush_stack::daemon::Daemon;
use chatpush_wire::id::UserId;
use chatpush_wire::token::{self, Secret};

use crate::bench_env::{BenchEnv, NAME, SECRET};
use crate::connect_spec::ConnectSpec;
use crate::peer::{ConnectSpecs, Peer, Php};

/// Starts one daemon.
pub fn start(env: &BenchEnv) -> anyhow::Result<Peer> {
    start_daemons(env, 1)
}

/// Starts one daemon with this environment.
pub fn start_with(env: &BenchEnv, environment: &[(&'static str, String)]) -> anyhow::Result<Peer> {
    start_all(env, 1, environment)
}

/// Starts several daemons. The users are spread over them.
pub fn start_daemons(env: &BenchEnv, count: usize) -> anyhow::Result<Peer> {
    start_all(env, count, &env.daemon_environment())
}

fn start_all(env: &BenchEnv, count: usize, environment: &[(&'static str, String)]) -> anyhow::Result<Peer> {
    let mut ports = Vec::new();
    let mut servers = Vec::new();
    for _ in 0..count {
        let daemon = env.block_on(Daemon::start(env.folder(), environment))?;
        ports.push(daemon.port());
        servers.push(daemon.into_server());
    }
    let secret = Secret::new(SECRET)?;
    let spec = move |user: u32| ConnectSpec {
        address: format!("127.0.0.1:{}", ports[user as usize % ports.len()]),
        user,
        target: format!("/ws?token={}", token(&secret, user)),
        // The daemon sends the counter after the stored messages; from then on it pushes live messages.
        ready: "\"unread_count\"".to_owned(),
        ..ConnectSpec::default()
    };
    Ok(Peer {
        connect_specs: ConnectSpecs::PerUser(Box::new(spec)),
        php: php(env)?,
        servers,
        uses_redis: true,
    })
}

/// How PHP calls it.
pub fn php(env: &BenchEnv) -> anyhow::Result<Php> {
    Ok(Php {
        peer: "chatpush",
        settings: vec![
            format!("extension={}", artifacts::extension()?),
            format!("chatpush.redis_url={}", env.redis_url()),
            format!("chatpush.prefix={NAME}"),
            "chatpush.timeout_ms=20000".to_owned(),
        ],
        environment: Vec::new(),
    })
}

fn token(secret: &Secret, user: u32) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    UserId::try_from(i64::from(user))
        .map(|user| token::sign(secret, user, None, now, 86_400))
        .unwrap_or_default()
}
