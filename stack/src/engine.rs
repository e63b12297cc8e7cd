//! Which database server is started: MariaDB of the system, or a MariaDB or MySQL in a folder.

use std::path::{Path, PathBuf};

use anyhow::bail;
use tokio::process::Command;

/// The variable that names the folder of a server, as its tarball has it. Without it, MariaDB is looked for on the
/// `PATH`.
pub const VARIABLE: &str = "CHATPUSH_TEST_ENGINE";

/// A database server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// MariaDB, on the `PATH` or in a folder.
    MariaDb(Option<PathBuf>),
    /// MySQL 8 in a folder.
    MySql(PathBuf),
}

impl Engine {
    /// The one that [`VARIABLE`] chooses.
    ///
    /// # Errors
    ///
    /// If there is no server in its folder.
    pub fn chosen() -> anyhow::Result<Self> {
        let Some(folder) = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty()) else {
            return Ok(Self::MariaDb(None));
        };
        let folder = PathBuf::from(folder);
        if folder.join("bin/mariadbd").exists() {
            Ok(Self::MariaDb(Some(folder)))
        } else if folder.join("bin/mysqld").exists() {
            Ok(Self::MySql(folder))
        } else {
            bail!("{VARIABLE} is {}, which has neither bin/mariadbd nor bin/mysqld", folder.display())
        }
    }

    /// Whether it is MySQL, which replicates and authenticates in other ways than MariaDB.
    pub const fn is_mysql(&self) -> bool {
        matches!(self, Self::MySql(_))
    }

    /// The program of the server.
    pub(crate) fn program(&self) -> String {
        match self {
            Self::MariaDb(None) => "mariadbd".to_owned(),
            Self::MariaDb(Some(folder)) => folder.join("bin/mariadbd").display().to_string(),
            Self::MySql(folder) => folder.join("bin/mysqld").display().to_string(),
        }
    }

    /// What only this server needs to be told, beside its data folder.
    pub(crate) fn arguments(&self) -> Vec<String> {
        match self {
            Self::MariaDb(None) => Vec::new(),
            // Newer ones make a certificate at each start, which takes half a minute of a busy processor.
            Self::MariaDb(Some(folder)) => vec![base(folder), "--skip-ssl".to_owned()],
            Self::MySql(folder) => vec![
                base(folder),
                // Its second protocol listens on a fixed port.
                "--mysqlx=OFF".to_owned(),
                // It keeps a binary log, with which an application's account could not create a trigger.
                "--log-bin-trust-function-creators=1".to_owned(),
                // Tests make many rows by one recursive query.
                "--cte-max-recursion-depth=1000000".to_owned(),
            ],
        }
    }

    /// The command that creates a data folder, in which root has no password.
    pub(crate) fn install(&self, data: &Path) -> Command {
        let mut command = match self {
            Self::MariaDb(folder) => {
                let script = folder.as_ref().map(|folder| folder.join("scripts/mariadb-install-db"));
                let mut command = Command::new(script.unwrap_or_else(|| "mariadb-install-db".into()));
                command.args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"]);
                // The machine's host name may not resolve.
                command.arg("--force").args(folder.as_ref().map(|folder| base(folder)));
                command
            }
            Self::MySql(folder) => {
                let mut command = Command::new(self.program());
                command.args(["--no-defaults", "--initialize-insecure", "--user=root"]).arg(base(folder));
                command
            }
        };
        command.arg("--innodb-log-file-size=8M").arg(format!("--datadir={}", data.display()));
        command
    }
}

fn base(folder: &Path) -> String {
    format!("--basedir={}", folder.display())
}
