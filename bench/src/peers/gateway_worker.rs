//! GatewayWorker with GatewayClient. Composer installs them, in a folder that an environment variable names.

use std::path::PathBuf;

use anyhow::bail;
use chatpush_stack::port;
use chatpush_stack::server::Server;
use chatpush_stack::wait::until;

use crate::bench_env::{BenchEnv, source_folder};
use crate::cache::output;
use crate::clients::{Clients, ConnectOptions};
use crate::connect_spec::ConnectSpec;
use crate::peer::{ConnectSpecs, Peer, Php};

/// The environment variable with the folder.
const VARIABLE: &str = "CHATPUSH_BENCH_GATEWAYWORKER";

/// The version of Workerman, on which GatewayWorker runs.
pub fn version() -> Result<String, String> {
    let autoload = folder().map(|folder| folder.join("vendor/autoload.php")).filter(|file| file.is_file());
    let Some(autoload) = autoload else {
        return Err(format!(
            "GatewayWorker is missing: in an empty folder, composer require workerman/gateway-worker \
             workerman/gatewayclient; then name the folder in {VARIABLE}"
        ));
    };
    let code = "require $argv[1]; echo Workerman\\Worker::VERSION;";
    let text = output("php", &["-r", code, &autoload.display().to_string()]).unwrap_or_default();
    Ok(format!("on Workerman {}", text.trim().trim_start_matches('v')))
}

/// Fails with instructions if it is not installed.
pub fn install() -> anyhow::Result<()> {
    if let Err(missing) = version() {
        bail!(missing);
    }
    Ok(())
}

/// Starts a register, two gateways and two business workers.
pub fn start(env: &BenchEnv) -> anyhow::Result<Peer> {
    let folder = env.new_folder("gateway-worker")?;
    let log = folder.join("php.log");
    let (port, register, start_port) = (port::free()?, port::free()?, port::free()?);
    let library = self::folder().unwrap_or_default().display().to_string();
    let environment = [
        ("BENCH_GATEWAYWORKER", library.clone()),
        ("BENCH_FOLDER", folder.display().to_string()),
        ("BENCH_PORT", port.to_string()),
        ("BENCH_REGISTER", register.to_string()),
        ("BENCH_START_PORT", start_port.to_string()),
    ];
    let script = source_folder().join("peers/gateway-worker.php").display().to_string();
    let server = Server::start("php", &[script, "start".to_owned()], &environment, &log)?;
    env.wait_until_listening("GatewayWorker listens", port, &log)?;
    let spec = move |user| ConnectSpec {
        address: format!("127.0.0.1:{port}"),
        user,
        target: format!("/?user={user}"),
        ready: "bound".to_owned(),
        ..ConnectSpec::default()
    };
    // A gateway listens before it is connected to a business worker, and refuses clients until then.
    let answers =
        async || Clients::connect(&(1..=20).map(spec).collect::<Vec<_>>(), ConnectOptions::default()).is_ok();
    env.block_on(until("GatewayWorker's workers have found each other", &log, answers))?;
    Ok(Peer {
        connect_specs: ConnectSpecs::PerUser(Box::new(spec)),
        php: Php {
            peer: "gateway-worker",
            settings: Vec::new(),
            environment: vec![
                ("BENCH_GATEWAYWORKER", library),
                ("BENCH_REGISTER", format!("127.0.0.1:{register}")),
            ],
        },
        servers: vec![server],
        uses_redis: false,
    })
}

fn folder() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).map(PathBuf::from)
}
