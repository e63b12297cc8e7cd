//! Lets another process kill the daemon of a running stack and start it again.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use crate::stack::Stack;

/// How long a client may take to send its command, and to read the answer.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest command, in bytes.
const COMMAND_BYTES: u64 = 64;

/// A listening socket. A client sends one line, `kill daemon` or `start daemon`. When that is done, it gets
/// one line back: `ok`, or the error.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    socket: PathBuf,
}

impl Control {
    /// Listens in the folder of the stack.
    pub fn listen(stack: &Stack) -> anyhow::Result<Self> {
        let socket = stack.folder().join("control.sock");
        let listener =
            UnixListener::bind(&socket).with_context(|| format!("cannot listen on {}", socket.display()))?;
        Ok(Self { listener, socket })
    }

    /// The environment variable with the path of the socket.
    pub fn environment(&self) -> (&'static str, String) {
        ("CHATPUSH_TEST_CONTROL", self.socket.display().to_string())
    }

    /// Executes commands until it is dropped or accepting a connection fails.
    pub async fn serve(self, stack: &mut Stack) -> anyhow::Result<()> {
        loop {
            let (mut stream, _) = self.listener.accept().await?;
            let answer = match execute(stack, &mut stream).await {
                Ok(()) => "ok\n".to_owned(),
                Err(error) => format!("{error:#}\n"),
            };
            // The client may have closed the connection already.
            let _ = timeout(COMMAND_TIMEOUT, stream.write_all(answer.as_bytes())).await;
        }
    }
}

async fn execute(stack: &mut Stack, stream: &mut UnixStream) -> anyhow::Result<()> {
    let mut command = String::new();
    let mut reader = BufReader::new(stream.take(COMMAND_BYTES));
    timeout(COMMAND_TIMEOUT, reader.read_line(&mut command)).await.context("no command was received")??;
    match command.trim_end() {
        "kill daemon" => stack.kill_daemon(),
        "start daemon" => stack.start_daemon().await?,
        other => bail!("'{other}' is neither 'kill daemon' nor 'start daemon'"),
    }
    Ok(())
}
