//! The application's own writes on another node of a Galera cluster: the rows of the same users, all the
//! time.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use chatpush_stack::mariadb;
use fastrand::Rng;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::cluster::NAME;

/// The pause between two writes.
const PAUSE: Duration = Duration::from_millis(2);

/// A client that writes until it is dropped.
#[derive(Debug)]
pub(crate) struct Application {
    _client: Child,
    writing: JoinHandle<()>,
}

impl Application {
    /// Starts to write to the node in `folder`.
    pub(crate) fn start(folder: &Path, seed: u64, users: u32) -> anyhow::Result<Self> {
        let mut client = Command::new("mariadb")
            // A write that loses a conflict is an error, and the next one follows.
            .args(["--no-defaults", "--force", "--user=root"])
            .arg(format!("--socket={}", mariadb::socket(folder).display()))
            .arg(NAME)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the mariadb client")?;
        let input = client.stdin.take().context("the client has no input")?;
        Ok(Self { _client: client, writing: tokio::spawn(write(input, Rng::with_seed(seed), users)) })
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.writing.abort();
    }
}

async fn write(mut input: ChildStdin, mut rng: Rng, users: u32) {
    loop {
        let (user, password) = (rng.u32(1..=users), rng.u32(..));
        let update = format!("UPDATE `user` SET password = '{password}' WHERE id = {user};\n");
        if input.write_all(update.as_bytes()).await.is_err() {
            return;
        }
        sleep(PAUSE).await;
    }
}
