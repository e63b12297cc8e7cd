//! The baseline: phpredis and PDO, as tutorials use them. The client subscribes to Redis directly, without a
//! daemon or a WebSocket, so nothing that goes through Redis can be faster.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::bench_env::BenchEnv;
use crate::cache::{Cache, output, version as find_version};
use crate::connect_spec::{ConnectSpec, Step};
use crate::peer::{ConnectSpecs, Peer, Php};
use crate::peers::missing;

/// The version of phpredis.
pub fn version(cache: &Cache) -> Result<String, String> {
    let directives = directives(cache).ok_or_else(|| missing("phpredis", "baseline"))?;
    let mut arguments: Vec<&str> = directives.iter().flat_map(|directive| ["-d", directive]).collect();
    arguments.extend(["-r", "echo phpversion('redis');"]);
    output("php", &arguments)
        .and_then(|text| find_version(&text))
        .ok_or_else(|| missing("phpredis", "baseline"))
}

/// Unpacks Debian's phpredis for the PHP in `PATH`.
pub fn install(cache: &Cache) -> anyhow::Result<()> {
    if version(cache).is_ok() {
        return Ok(());
    }
    let php = output("php", &["-r", "echo PHP_MAJOR_VERSION, '.', PHP_MINOR_VERSION;"]).unwrap_or_default();
    cache.unpack("phpredis", &[&format!("php{php}-redis"), &format!("php{php}-igbinary")])
}

/// Starts no server: Redis and MariaDB are part of the environment.
pub fn start(env: &BenchEnv) -> anyhow::Result<Peer> {
    let socket = env.redis_socket();
    let spec = move |users: &[u32]| {
        let mut subscribe = format!("*{}\r\n$9\r\nSUBSCRIBE\r\n", users.len() + 1);
        for channel in users.iter().copied().map(channel) {
            // Writing to a String cannot fail.
            let _ = write!(subscribe, "${}\r\n{channel}\r\n", channel.len());
        }
        ConnectSpec {
            address: socket.clone(),
            steps: vec![Step { wait_for: String::new(), send: subscribe }],
            ready: users.last().copied().map(channel).unwrap_or_default(),
            ..ConnectSpec::default()
        }
    };
    Ok(Peer {
        connect_specs: ConnectSpecs::Shared(Box::new(spec)),
        php: php(env),
        servers: Vec::new(),
        uses_redis: true,
    })
}

/// How PHP calls it.
pub fn php(env: &BenchEnv) -> Php {
    Php {
        peer: "baseline",
        settings: directives(&env.cache).unwrap_or_default(),
        environment: env.php_environment(),
    }
}

/// The settings that load phpredis: none if php.ini loads it, otherwise the unpacked extensions.
pub fn directives(cache: &Cache) -> Option<Vec<String>> {
    let loaded = output("php", &["-m"])?;
    let is_loaded = |name: &str| loaded.lines().any(|line| line.eq_ignore_ascii_case(name));
    if is_loaded("redis") {
        return Some(Vec::new());
    }
    let load = |path: PathBuf| format!("extension={}", path.display());
    let mut directives = Vec::new();
    if !is_loaded("igbinary") {
        directives.extend(cache.file("phpredis", "igbinary.so").map(load));
    }
    directives.push(load(cache.file("phpredis", "redis.so")?));
    Some(directives)
}

fn channel(user: u32) -> String {
    format!("user:{user}")
}
