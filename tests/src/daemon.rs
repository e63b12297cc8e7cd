//! The built daemon as a process.

use std::path::PathBuf;
use std::process::Output;

use chatpush_wire::id::UserId;
use chatpush_wire::token::{self, Secret};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::child::Server;
use crate::client::Client;
use crate::eventually::eventually;
use crate::site::{SECRET, Site};

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    server: Server,
    port: u16,
    admin: u16,
    log: PathBuf,
}

impl Daemon {
    /// Starts a daemon and waits until it is ready.
    pub async fn start(site: &Site) -> Self {
        let daemon = Self::launch(site);
        eventually(
            "the daemon is ready",
            || daemon.get("/ready"),
            |answer| answer.starts_with("HTTP/1.1 200"),
        )
        .await;
        daemon
    }

    /// Starts a daemon and waits for nothing.
    pub fn launch(site: &Site) -> Self {
        let (port, admin) = (free_port(), free_port());
        let mut environment = site.environment();
        environment.push(("CHATPUSH_LISTEN", format!("127.0.0.1:{port}")));
        environment.push(("CHATPUSH_ADMIN_LISTEN", format!("127.0.0.1:{admin}")));
        let log = site.servers().folder().join(format!("daemon-{port}.log"));
        let server = Server::start(&program(), &["run".to_owned()], &environment, &log);
        Self { server, port, admin, log }
    }

    /// Runs a command of the daemon to its end.
    pub async fn command(site: &Site, arguments: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.args(arguments).envs(site.environment()).current_dir(site.servers().folder());
        command.output().await.expect("the daemon's command starts")
    }

    /// A plain client of `user`.
    pub async fn connect(&self, user: u32) -> Client {
        Client::connect(self.port, &token(user), None).await.expect("the token is good")
    }

    /// A client of `user` that asks for a subprotocol.
    pub async fn connect_with(&self, user: u32, protocol: &str) -> Client {
        Client::connect(self.port, &token(user), Some(protocol)).await.expect("the token is good")
    }

    /// Where browsers connect.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The process.
    pub const fn process(&self) -> &Server {
        &self.server
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(self) -> Option<i32> {
        self.server.signal("TERM");
        self.server.wait()
    }

    /// Kills it as a power cut would.
    pub fn kill(self) {
        self.server.signal("KILL");
        self.server.wait();
    }

    /// The whole answer of its admin address, or nothing.
    pub async fn get(&self, path: &str) -> String {
        let Ok(mut socket) = TcpStream::connect(("127.0.0.1", self.admin)).await else {
            return String::new();
        };
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        if socket.write_all(request.as_bytes()).await.is_ok() {
            let _ = socket.read_to_string(&mut answer).await;
        }
        answer
    }
}

/// A token for a user, as PHP would make it.
pub fn token(user: u32) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    let user = UserId::try_from(i64::from(user)).expect("a user id");
    token::sign(&Secret::new(SECRET).expect("long enough"), user, now.as_secs(), 3600)
}

fn program() -> String {
    std::env::var("CHATPUSH_DAEMON").unwrap_or_else(|_| built("chatpushd"))
}

/// A built artefact of the release profile.
pub(crate) fn built(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/release").join(name);
    assert!(path.exists(), "{} is missing: cargo build --release", path.display());
    path.display().to_string()
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("the listener has an address").port()
}
