//! socket.io with its Redis adapter. PHP publishes what socket.io's Redis emitter would.

use std::process::Command;

use chatpush_stack::port;
use chatpush_stack::server::Server;

use crate::bench_env::{BenchEnv, source_folder};
use crate::cache::{Cache, output, run};
use crate::connect_spec::{ConnectSpec, Step};
use crate::peer::{ConnectSpecs, Peer, Php};
use crate::peers::{baseline, missing};

/// The version of socket.io.
pub fn version(cache: &Cache) -> Result<String, String> {
    if output("node", &["--version"]).is_none() {
        return Err("Node.js is missing: ./dev packages test".to_owned());
    }
    baseline::version(cache)?;
    let manifest = cache.folder("socket.io").join("node_modules/socket.io/package.json");
    let text = std::fs::read_to_string(manifest).map_err(|_| missing("socket.io", "socket-io"))?;
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    Ok(manifest["version"].as_str().unwrap_or("unknown").to_owned())
}

/// Fetches it with npm.
pub fn install(cache: &Cache) -> anyhow::Result<()> {
    baseline::install(cache)?;
    let folder = cache.create_folder("socket.io")?;
    run(Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"])
        .arg(&folder)
        .args(["socket.io@4", "@socket.io/redis-adapter@8", "redis@6"]))
}

/// Starts one Node.js process.
pub fn start(env: &BenchEnv) -> anyhow::Result<Peer> {
    let folder = env.new_folder("socket.io")?;
    let (port, log) = (port::free()?, folder.join("node.log"));
    let arguments = [
        source_folder().join("peers/socket.io.mjs").display().to_string(),
        env.cache.folder("socket.io").display().to_string(),
        env.redis_socket(),
        port.to_string(),
    ];
    let server = Server::start("node", &arguments, &[("NODE_ENV", "production".to_owned())], &log)?;
    env.wait_until_listening("socket.io listens", port, &log)?;
    let spec = move |user| ConnectSpec {
        address: format!("127.0.0.1:{port}"),
        user,
        // Engine.IO 4 opens with packet 0 and pings with 2; Socket.IO 5 connects with 40.
        target: "/socket.io/?EIO=4&transport=websocket".to_owned(),
        steps: vec![Step { wait_for: "\"sid\"".to_owned(), send: format!("40{{\"user\":{user}}}") }],
        ready: "40{\"sid\"".to_owned(),
        heartbeat: Some(("2".to_owned(), "3".to_owned())),
    };
    Ok(Peer {
        connect_specs: ConnectSpecs::PerUser(Box::new(spec)),
        php: Php { peer: "socket-io", ..baseline::php(env) },
        servers: vec![server],
        uses_redis: true,
    })
}
