//! nchan, a module of nginx: PHP posts to the server that holds the sockets.

use chatpush_stack::port;
use chatpush_stack::server::Server;

use crate::bench_env::{BenchEnv, source_folder};
use crate::cache::{Cache, output, version as find_version};
use crate::connect_spec::ConnectSpec;
use crate::peer::Peer;
use crate::peers::{fill, http_peer, missing};

const MODULE: &str = "ngx_nchan_module.so";

/// The version of the Debian package.
pub fn version(cache: &Cache) -> Result<String, String> {
    if output("nginx", &["-v"]).is_none() {
        return Err("nginx is missing: ./dev packages demo".to_owned());
    }
    cache.file("nchan", MODULE).ok_or_else(|| missing("nchan", "nchan"))?;
    let changes = cache.file("nchan", "changelog.Debian.gz").map(|path| path.display().to_string());
    let text = changes.and_then(|path| output("zcat", &[&path])).unwrap_or_default();
    Ok(find_version(text.lines().next().unwrap_or_default()).unwrap_or_else(|| "unknown".to_owned()))
}

/// Unpacks the Debian package, which fits the system's nginx.
pub fn install(cache: &Cache) -> anyhow::Result<()> {
    cache.unpack("nchan", &["libnginx-mod-nchan"])
}

/// Starts an nginx with this many workers.
pub fn start(env: &BenchEnv, workers: usize) -> anyhow::Result<Peer> {
    let folder = env.new_folder("nchan")?;
    let port = port::free()?;
    let module = env.cache.file("nchan", MODULE).unwrap_or_default().display().to_string();
    let (configuration, log) = (folder.join("nginx.conf"), folder.join("nginx.log"));
    fill(
        &source_folder().join("peers/nchan.conf"),
        &[
            ("module", &module),
            ("workers", &workers.to_string()),
            ("folder", &folder.display().to_string()),
            ("port", &port.to_string()),
        ],
        &configuration,
    )?;
    let arguments = ["-e", &log.display().to_string(), "-c", &configuration.display().to_string()];
    let server = Server::start("nginx", &arguments.map(str::to_owned), &[], &log)?;
    env.wait_until_listening("nchan listens", port, &log)?;
    let spec = move |user| ConnectSpec {
        address: format!("127.0.0.1:{port}"),
        user,
        target: format!("/sub/{user}"),
        ..ConnectSpec::default()
    };
    Ok(http_peer("nchan", port, spec, server))
}
