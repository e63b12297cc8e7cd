//! The built daemon as a process.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use crate::server::Server;
use crate::wait::until;
use crate::{artifacts, port};

/// A running daemon on free ports.
#[derive(Debug)]
pub struct Daemon {
    server: Server,
    port: u16,
    admin: u16,
    log: PathBuf,
}

impl Daemon {
    /// Starts a daemon without waiting until it is ready.
    pub fn launch(folder: &Path, environment: &[(&str, String)]) -> anyhow::Result<Self> {
        Self::launch_at(folder, environment, (port::free()?, port::free()?))
    }

    /// Starts a daemon on these ports, the one for clients first, without waiting until it is ready.
    pub(crate) fn launch_at(
        folder: &Path,
        environment: &[(&str, String)],
        (port, admin): (u16, u16),
    ) -> anyhow::Result<Self> {
        let mut environment = environment.to_vec();
        environment.push(("CHATPUSH_LISTEN", format!("127.0.0.1:{port}")));
        environment.push(("CHATPUSH_ADMIN_LISTEN", format!("127.0.0.1:{admin}")));
        if let Some(file) = no_file(&environment) {
            environment.push(file);
        }
        let log = folder.join(format!("chatpushd-{port}.log"));
        let server = Server::start(&artifacts::daemon()?, &["run".to_owned()], &environment, &log)?;
        Ok(Self { server, port, admin, log })
    }

    /// Starts a daemon and waits until it is ready.
    pub async fn start(folder: &Path, environment: &[(&str, String)]) -> anyhow::Result<Self> {
        Self::launch(folder, environment)?.ready().await
    }

    /// Starts a daemon on these ports, the one for clients first, and waits until it is ready.
    pub async fn start_at(
        folder: &Path,
        environment: &[(&str, String)],
        ports: (u16, u16),
    ) -> anyhow::Result<Self> {
        Self::launch_at(folder, environment, ports)?.ready().await
    }

    async fn ready(self) -> anyhow::Result<Self> {
        until("the daemon is ready", &self.log, async || self.is_ready().await).await?;
        Ok(self)
    }

    /// Runs another command of `chatpushd` and returns its output.
    pub async fn command(
        folder: &Path,
        environment: &[(&str, String)],
        arguments: &[&str],
    ) -> anyhow::Result<Output> {
        Command::new(artifacts::daemon()?)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .envs(no_file(environment))
            .current_dir(folder)
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot start chatpushd")
    }

    /// The port for clients.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The port of the admin listener.
    pub const fn admin_port(&self) -> u16 {
        self.admin
    }

    /// The process.
    pub const fn process(&self) -> &Server {
        &self.server
    }

    /// Returns the process alone, to keep it with other servers.
    pub fn into_server(self) -> Server {
        self.server
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Stops it with SIGTERM and returns its exit code.
    pub fn stop(self) -> Option<i32> {
        self.server.signal("TERM");
        self.server.wait()
    }

    /// Kills it with SIGKILL.
    pub fn kill(self) {
        self.server.kill();
    }

    /// Whether `/ready` answers with 200.
    pub async fn is_ready(&self) -> bool {
        self.get("/ready").await.starts_with("HTTP/1.1 200")
    }

    /// The whole answer of the admin listener, headers included. It is empty if the daemon is not there.
    pub async fn get(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        let exchange = timeout(Duration::from_secs(10), async {
            let mut socket = TcpStream::connect(("127.0.0.1", self.admin)).await?;
            socket.write_all(request.as_bytes()).await?;
            socket.read_to_string(&mut answer).await
        });
        // On an error, the answer holds what was received so far.
        let _ = exchange.await;
        answer
    }
}

/// Unless the environment names a configuration file: one that is empty. This machine may have chatpush installed,
/// with a file of its own.
fn no_file(environment: &[(&str, String)]) -> Option<(&'static str, String)> {
    let is_named = environment.iter().any(|(name, _)| *name == "CHATPUSH_CONFIG");
    (!is_named).then(|| ("CHATPUSH_CONFIG", "/dev/null".to_owned()))
}
