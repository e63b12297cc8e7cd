//! Lets the command beside the stack kill the daemon and start it again.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use crate::stack::Stack;

/// How long somebody who has connected may take to say what they want.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest command, in bytes.
const COMMAND: u64 = 64;

/// Where the command connects. Each connection says one line, `kill daemon` or `start daemon`, and is answered
/// by one when that is done: `ok`, or what is wrong.
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

    /// What the command needs to know.
    pub fn environment(&self) -> (&'static str, String) {
        ("CHATPUSH_TEST_CONTROL", self.socket.display().to_string())
    }

    /// Does what it is told, until it is dropped or nobody can connect any more.
    pub async fn serve(self, stack: &mut Stack) -> anyhow::Result<()> {
        loop {
            let (mut stream, _) = self.listener.accept().await?;
            let answer = match obey(stack, &mut stream).await {
                Ok(()) => "ok\n".to_owned(),
                Err(error) => format!("{error:#}\n"),
            };
            // Who does not wait for the answer does without.
            let _ = timeout(COMMAND_TIMEOUT, stream.write_all(answer.as_bytes())).await;
        }
    }
}

async fn obey(stack: &mut Stack, stream: &mut UnixStream) -> anyhow::Result<()> {
    let mut command = String::new();
    let mut reader = BufReader::new(stream.take(COMMAND));
    timeout(COMMAND_TIMEOUT, reader.read_line(&mut command)).await.context("no command came")??;
    match command.trim_end() {
        "kill daemon" => stack.kill_daemon(),
        "start daemon" => stack.start_daemon().await?,
        other => bail!("'{other}' is neither 'kill daemon' nor 'start daemon'"),
    }
    Ok(())
}
