//! Centrifugo on its own, with the memory engine, a personal channel for each user, and its HTTP API for PHP.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chatpush_stack::port;
use chatpush_stack::server::Server;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::bench_env::{BenchEnv, SECRET, source_folder};
use crate::cache::{Cache, output, run, version as find_version};
use crate::connect_spec::{ConnectSpec, Step};
use crate::peer::Peer;
use crate::peers::{fill, http_peer, missing};

/// The Go module to build. `CHATPUSH_BENCH_CENTRIFUGO` names an installed program instead.
const MODULE: &str = "github.com/centrifugal/centrifugo/v6@latest";

/// Its version.
pub fn version(cache: &Cache) -> Result<String, String> {
    let program = program(cache);
    let text = output(&program, &["version"]).ok_or_else(|| missing("Centrifugo", "centrifugo"))?;
    // A program built by `go install` does not know its own version, but Go records that of the module in it.
    let built = output("go", &["version", "-m", &program]).unwrap_or_default();
    let module = built.lines().find(|line| line.split_whitespace().next() == Some("mod"));
    Ok(module
        .and_then(|line| find_version(line.rsplit("centrifugo").next()?))
        .or_else(|| find_version(&text))
        .unwrap_or(text))
}

/// Builds it with Go.
pub fn install(cache: &Cache) -> anyhow::Result<()> {
    let folder = cache.create_folder("centrifugo")?;
    run(Command::new("go").args(["install", MODULE]).env("GOBIN", &folder).env("GOFLAGS", "-modcacherw"))
}

/// Starts it.
pub fn start(env: &BenchEnv) -> anyhow::Result<Peer> {
    let folder = env.new_folder("centrifugo")?;
    let (port, log, configuration) = (port::free()?, folder.join("log"), folder.join("centrifugo.json"));
    let values = [("port", &*port.to_string()), ("secret", SECRET)];
    fill(&source_folder().join("peers/centrifugo.json"), &values, &configuration)?;
    let arguments = ["--config".to_owned(), configuration.display().to_string()];
    let server = Server::start(&program(&env.cache), &arguments, &[], &log)?;
    env.wait_until_listening("Centrifugo listens", port, &log)?;
    let spec = move |user| ConnectSpec {
        address: format!("127.0.0.1:{port}"),
        user,
        target: "/connection/websocket".to_owned(),
        steps: vec![Step {
            wait_for: String::new(),
            send: format!("{{\"id\":1,\"connect\":{{\"token\":\"{}\"}}}}", token(user)),
        }],
        ready: "\"connect\"".to_owned(),
        heartbeat: Some(("{}".to_owned(), "{}".to_owned())),
    };
    Ok(http_peer("centrifugo", port, spec, server))
}

fn program(cache: &Cache) -> String {
    let named = std::env::var("CHATPUSH_BENCH_CENTRIFUGO").ok();
    named.unwrap_or_else(|| cache.folder("centrifugo").join("centrifugo").display().to_string())
}

/// A JSON Web Token (RFC 7519, HS256) for a user. It does not expire.
fn token(user: u32) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let head = encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{head}.{}", encode(format!("{{\"sub\":\"{user}\"}}").as_bytes()));
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()) else { return signed };
    mac.update(signed.as_bytes());
    format!("{signed}.{}", encode(&mac.finalize().into_bytes()))
}
