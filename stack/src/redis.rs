//! A private Redis on a Unix socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::time::timeout;

use crate::server::Server;
use crate::wait::until;

/// How long a server may take to answer a question.
pub const ASK_TIMEOUT: Duration = Duration::from_secs(20);

/// A Redis that syncs each write to its append-only file.
#[derive(Debug)]
pub struct Redis {
    server: Server,
    socket: PathBuf,
}

impl Redis {
    /// Starts Redis on the data in the folder, if there is any.
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        Self::start_with(folder, &[]).await
    }

    /// Starts Redis with more arguments, which override the others.
    pub async fn start_with(folder: &Path, more: &[&str]) -> anyhow::Result<Self> {
        let socket = socket(folder);
        let log = folder.join("redis.log");
        let mut arguments = vec!["--unixsocket".to_owned(), socket.display().to_string()];
        arguments.extend(["--dir".to_owned(), folder.display().to_string()]);
        let settings = ["--port", "0", "--save", "", "--appendonly", "yes", "--appendfsync", "always"];
        arguments.extend(settings.iter().chain(more).map(|&argument| argument.to_owned()));
        let server = Server::start("redis-server", &arguments, &[], &log)?;
        until("Redis answers", &log, async || answers(&socket).await).await?;
        Ok(Self { server, socket })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        url(&self.socket)
    }

    /// The process id.
    pub const fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Sends it a signal by its name.
    pub fn signal(&self, name: &str) {
        self.server.signal(name);
    }

    /// Kills it with SIGKILL.
    pub fn kill(self) {
        self.server.kill();
    }
}

/// The socket of the Redis in a folder.
pub fn socket(folder: &Path) -> PathBuf {
    folder.join("redis.sock")
}

/// The URL of a socket.
pub fn url(socket: &Path) -> String {
    format!("unix://{}", socket.display())
}

/// Asks the server on this port; a line for each part of the answer.
///
/// # Errors
///
/// If `redis-cli` cannot be started, or the server does not answer for [`ASK_TIMEOUT`].
pub async fn ask(port: u16, command: &[&str]) -> anyhow::Result<String> {
    let mut asking = Command::new("redis-cli");
    asking.args(["-p", &port.to_string()]).args(command).kill_on_drop(true);
    let output = timeout(ASK_TIMEOUT, asking.output()).await.context("the server does not answer")?;
    Ok(String::from_utf8(output.context("cannot start redis-cli")?.stdout)?)
}

async fn answers(socket: &Path) -> bool {
    let ping = timeout(Duration::from_secs(1), async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(b"PING\r\n").await?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(answer == *b"+PONG\r\n")
    });
    matches!(ping.await, Ok(Ok(true)))
}
