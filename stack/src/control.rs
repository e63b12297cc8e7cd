//! Lets another process kill the daemon of a running stack and start it again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

use crate::stack::Stack;
use crate::supervisor::Supervisor;

/// Ends the daemon with SIGKILL.
pub const KILL: &str = "kill daemon";

/// Starts the daemon again.
pub const START: &str = "start daemon";

/// How long a client may take to send its command, and to read the answer.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// How often the supervisor looks whether the daemon runs.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// The longest command, in bytes.
const COMMAND_BYTES: u64 = 64;

/// A listening socket. A client sends one line, [`KILL`] or [`START`]. When that is done, it gets one line
/// back: `ok`, or the error.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    socket: PathBuf,
}

impl Control {
    /// Listens on a socket of this name in the folder of the stack.
    pub fn listen(stack: &Stack, name: &str) -> anyhow::Result<Self> {
        let socket = stack.folder().join(name);
        let listener =
            UnixListener::bind(&socket).with_context(|| format!("cannot listen on {}", socket.display()))?;
        Ok(Self { listener, socket })
    }

    /// The path of the socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Executes commands until it is dropped or accepting a connection fails.
    pub async fn serve(self, stack: &mut Stack) -> anyhow::Result<()> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            answer(stack, stream).await;
        }
    }

    /// Executes commands, and starts the daemon again when it has ended without one.
    pub async fn supervise(self, stack: &mut Stack) -> anyhow::Result<()> {
        let mut supervisor = Supervisor::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => answer(stack, accepted?.0).await,
                () = sleep(LOOK_INTERVAL) => supervisor.look(stack),
            }
        }
    }
}

/// Executes the command of a client and answers it.
async fn answer(stack: &mut Stack, mut stream: UnixStream) {
    let answer = match execute(stack, &mut stream).await {
        Ok(()) => "ok\n".to_owned(),
        Err(error) => format!("{error:#}\n"),
    };
    // The client may have closed the connection already.
    let _ = timeout(COMMAND_TIMEOUT, stream.write_all(answer.as_bytes())).await;
}

/// Sends a command to a stack and waits until it is done.
pub async fn command(mut stream: UnixStream, line: &str) -> anyhow::Result<()> {
    let mut answer = String::new();
    stream.write_all(format!("{line}\n").as_bytes()).await?;
    stream.read_to_string(&mut answer).await?;
    ensure!(answer == "ok\n", "{line}: {}", answer.trim_end());
    Ok(())
}

async fn execute(stack: &mut Stack, stream: &mut UnixStream) -> anyhow::Result<()> {
    let mut command = String::new();
    let mut reader = BufReader::new(stream.take(COMMAND_BYTES));
    timeout(COMMAND_TIMEOUT, reader.read_line(&mut command)).await.context("no command was received")??;
    match command.trim_end() {
        KILL => stack.kill_daemon(),
        START => stack.start_daemon().await?,
        other => bail!("'{other}' is neither '{KILL}' nor '{START}'"),
    }
    Ok(())
}
