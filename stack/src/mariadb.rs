//! A private MariaDB on a Unix socket.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use tokio::process::Command;

use crate::server::{Server, is_root};
use crate::wait::until;

/// The account that applications and daemons use.
pub const USER: &str = "chatpush";
/// Its password.
pub const PASSWORD: &str = "pw";

/// A MariaDB with a small footprint and otherwise its own defaults.
#[derive(Debug)]
pub struct MariaDb {
    server: Server,
}

impl MariaDb {
    /// Makes the data folder.
    pub async fn install(folder: &Path) -> anyhow::Result<()> {
        let output = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"])
            // A machine need not be able to look its own name up.
            .arg("--force")
            .arg("--innodb-log-file-size=8M")
            .arg(format!("--datadir={}", folder.join("db").display()))
            // Two that are made at once take each other's temporary files away in a common folder.
            .env("TMPDIR", folder)
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot start mariadb-install-db")?;
        ensure!(
            output.status.success(),
            "mariadb-install-db failed:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// Starts MariaDB on what it had written before.
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        Self::start_with(folder, &[]).await
    }

    /// The same with more arguments, which win.
    pub async fn start_with(folder: &Path, more: &[&str]) -> anyhow::Result<Self> {
        let mut arguments = vec![
            "--no-defaults".to_owned(),
            format!("--datadir={}", folder.join("db").display()),
            format!("--socket={}", socket(folder).display()),
            "--skip-networking".to_owned(),
            "--innodb-buffer-pool-size=32M".to_owned(),
            "--innodb-log-file-size=8M".to_owned(),
            "--max-connections=500".to_owned(),
        ];
        if is_root() {
            arguments.push("--user=root".to_owned());
        }
        arguments.extend(more.iter().map(|&argument| argument.to_owned()));
        let log = folder.join("mariadb.log");
        let server = Server::start("mariadbd", &arguments, &[], &log)?;
        until("MariaDB answers", &log, async || sql(folder, "DO 1").await.is_ok()).await?;
        Ok(Self { server })
    }

    /// Its process id.
    pub const fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Kills it as a power cut would.
    pub fn kill(self) {
        self.server.kill();
    }
}

/// Makes a database that [`USER`] may do everything with.
pub async fn create_database(folder: &Path, name: &str) -> anyhow::Result<()> {
    let statements = format!(
        "CREATE DATABASE `{name}`; CREATE USER IF NOT EXISTS {USER}@localhost IDENTIFIED BY '{PASSWORD}'; \
         GRANT ALL ON `{name}`.* TO {USER}@localhost"
    );
    sql(folder, &statements).await.map(drop)
}

/// Runs statements as the administrator and returns what the client prints, without headings.
pub async fn sql(folder: &Path, statements: &str) -> anyhow::Result<String> {
    let output = Command::new("mariadb")
        .args(["--no-defaults", "--batch", "--skip-column-names", "--user=root"])
        .arg(format!("--socket={}", socket(folder).display()))
        .args(["--execute", statements])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot start the mariadb client")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The socket of the MariaDB of a folder.
pub fn socket(folder: &Path) -> PathBuf {
    folder.join("mariadb.sock")
}

/// The address of a database behind a socket, for the daemon.
pub fn url(socket: &Path, database: &str) -> String {
    format!("mysql://{USER}:{PASSWORD}@localhost/{database}?socket={}", socket.display())
}
