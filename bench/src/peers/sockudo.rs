//! Sockudo, a server for the Pusher protocol, with its local adapter.

use std::process::Command;

use chatpush_stack::port;
use chatpush_stack::server::Server;

use crate::bench_env::{BenchEnv, SECRET};
use crate::cache::{Cache, output, run, version as find_version};
use crate::connect_spec::{ConnectSpec, Step};
use crate::peer::Peer;
use crate::peers::{http_peer, missing};

/// Its version.
pub fn version(cache: &Cache) -> Result<String, String> {
    let text = output(&program(cache), &["--version"]).ok_or_else(|| missing("Sockudo", "sockudo"))?;
    Ok(find_version(&text).unwrap_or(text))
}

/// Builds it with cargo, which takes long. If protoc is missing, Debian's is unpacked for the build.
pub fn install(cache: &Cache) -> anyhow::Result<()> {
    let folder = cache.create_folder("sockudo")?;
    let mut build = Command::new("cargo");
    build.args(["install", "sockudo", "--locked", "--root"]).arg(&folder);
    if output("protoc", &["--version"]).is_none() {
        let packages = ["protobuf-compiler", "libprotoc32", "libprotobuf32", "libprotobuf-dev"];
        cache.unpack("protoc", &packages)?;
        let tools = cache.folder("protoc");
        let libraries = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
        build.env("PROTOC", tools.join("usr/bin/protoc"));
        build.env("PROTOC_INCLUDE", tools.join("usr/include"));
        build.env("LD_LIBRARY_PATH", tools.join(libraries));
    }
    run(&mut build)
}

/// Starts it on 127.0.0.1, with a key of the bench instead of its default key.
pub fn start(env: &BenchEnv) -> anyhow::Result<Peer> {
    let folder = env.new_folder("sockudo")?;
    let (port, log) = (port::free()?, folder.join("log"));
    let many = "100000000";
    let environment = [
        ("HOST", "127.0.0.1"),
        ("PORT", &port.to_string()),
        ("SOCKUDO_DEFAULT_APP_ID", "bench"),
        ("SOCKUDO_DEFAULT_APP_KEY", "bench"),
        ("SOCKUDO_DEFAULT_APP_SECRET", SECRET),
        ("SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS", "100000"),
        ("SOCKUDO_DEFAULT_APP_MAX_BACKEND_EVENTS_PER_SECOND", many),
        ("SOCKUDO_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SECOND", many),
        ("SOCKUDO_DEFAULT_APP_MAX_READ_REQUESTS_PER_SECOND", many),
        ("RATE_LIMITER_ENABLED", "false"),
        ("METRICS_ENABLED", "false"),
        ("LOG_LEVEL", "warn"),
        ("RUST_LOG", "warn"),
    ]
    .map(|(name, value)| (name, value.to_owned()));
    let server = Server::start(&program(&env.cache), &[], &environment, &log)?;
    env.wait_until_listening("Sockudo listens", port, &log)?;
    let spec = move |user| ConnectSpec {
        address: format!("127.0.0.1:{port}"),
        user,
        target: "/app/bench?protocol=7&client=bench&version=1".to_owned(),
        steps: vec![Step {
            wait_for: "connection_established".to_owned(),
            send: format!("{{\"event\":\"pusher:subscribe\",\"data\":{{\"channel\":\"user-{user}\"}}}}"),
        }],
        ready: "subscription_succeeded".to_owned(),
        heartbeat: Some((
            "{\"event\":\"pusher:ping\",\"data\":{}}".to_owned(),
            "{\"event\":\"pusher:pong\",\"data\":{}}".to_owned(),
        )),
    };
    Ok(http_peer("sockudo", port, spec, server))
}

fn program(cache: &Cache) -> String {
    cache.folder("sockudo").join("bin/sockudo").display().to_string()
}
