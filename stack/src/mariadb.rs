//! A private MariaDB on a Unix socket, or the server that [`engine`](crate::engine) chooses instead.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::engine::Engine;
use crate::folder::Folder;
use crate::server::{Server, is_root};
use crate::wait::until;

/// The account of applications and daemons.
pub const USER: &str = "chatpush";
/// Its password.
pub const PASSWORD: &str = "pw";

/// The name of the data folder.
const DATA: &str = "db";

/// A MariaDB or MySQL with small buffers, and otherwise its defaults.
#[derive(Debug)]
pub struct MariaDb {
    server: Server,
}

impl MariaDb {
    /// Creates the data folder.
    pub async fn install(folder: &Path) -> anyhow::Result<()> {
        // It takes seconds to create one, so our process does that once, and then copies it.
        static PREPARED: OnceCell<Folder> = OnceCell::const_new();
        let prepared = PREPARED.get_or_try_init(prepare).await?;
        let copied = Command::new("cp")
            .args([OsStr::new("-a"), prepared.path().join(DATA).as_os_str(), folder.as_os_str()])
            .status()
            .await
            .context("cannot start cp")?;
        ensure!(copied.success(), "the data folder cannot be copied to {}", folder.display());
        Ok(())
    }

    /// Starts MariaDB on its data folder.
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        Self::start_with(folder, &[]).await
    }

    /// Starts MariaDB with more arguments, which override the others.
    pub async fn start_with(folder: &Path, more: &[&str]) -> anyhow::Result<Self> {
        let engine = Engine::chosen()?;
        // A server that starts deletes the temporary tables of others in its folder.
        let temporary = folder.join("db-tmp");
        std::fs::create_dir_all(&temporary)?;
        std::fs::set_permissions(&temporary, Permissions::from_mode(0o777))?;
        let mut arguments = vec![
            "--no-defaults".to_owned(),
            format!("--datadir={}", folder.join(DATA).display()),
            format!("--tmpdir={}", temporary.display()),
            format!("--socket={}", socket(folder).display()),
            "--skip-networking".to_owned(),
            "--innodb-buffer-pool-size=32M".to_owned(),
            "--innodb-log-file-size=8M".to_owned(),
            "--max-connections=500".to_owned(),
        ];
        arguments.extend(engine.arguments());
        // The first one counts.
        if is_root() && !more.iter().any(|argument| argument.starts_with("--user=")) {
            arguments.push("--user=root".to_owned());
        }
        arguments.extend(more.iter().map(|&argument| argument.to_owned()));
        let log = folder.join("mariadb.log");
        let server = Server::start(&engine.program(), &arguments, &[], &log)?;
        until("MariaDB answers", &log, async || sql(folder, "DO 1").await.is_ok()).await?;
        Ok(Self { server })
    }

    /// The process id.
    pub const fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Sends a signal by its name, such as `STOP`.
    pub fn signal(&self, name: &str) {
        self.server.signal(name);
    }

    /// Kills it with SIGKILL.
    pub fn kill(self) {
        self.server.kill();
    }
}

/// A folder with a new data folder.
async fn prepare() -> anyhow::Result<Folder> {
    let folder = Folder::new()?;
    let output = Engine::chosen()?
        .install(&folder.path().join(DATA))
        // In a shared folder, two concurrent runs delete each other's temporary files.
        .env("TMPDIR", folder.path())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot start the program that creates a data folder")?;
    ensure!(
        output.status.success(),
        "a data folder cannot be created:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    // In MySQL, the servers of all copies would have one UUID, and not replicate from each other.
    let _ = std::fs::remove_file(folder.path().join(DATA).join("auto.cnf"));
    Ok(folder)
}

/// Creates a database and grants all privileges on it to [`USER`].
pub async fn create_database(folder: &Path, name: &str) -> anyhow::Result<()> {
    let statements = format!(
        "CREATE DATABASE `{name}` CHARACTER SET utf8mb4; CREATE USER IF NOT EXISTS {USER}@localhost IDENTIFIED BY '{PASSWORD}'; \
         GRANT ALL ON `{name}`.* TO {USER}@localhost"
    );
    sql(folder, &statements).await.map(drop)
}

/// Runs statements as root. Returns the client's output, without column names.
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

/// The socket of the MariaDB in a folder.
pub fn socket(folder: &Path) -> PathBuf {
    folder.join("mariadb.sock")
}

/// The URL of a database behind a socket.
pub fn url(socket: &Path, database: &str) -> String {
    format!("mysql://{USER}:{PASSWORD}@localhost/{database}?socket={}", socket.display())
}
