//! The database of the cluster: one server, a primary with its replica, or a Galera cluster.

use std::path::{Path, PathBuf};

use anyhow::bail;
use chatpush_stack::folder::Folder;
use chatpush_stack::galera::Galera;
use chatpush_stack::mariadb::{self, MariaDb};
use chatpush_stack::replicated_mariadb::ReplicatedMariaDb;

use crate::cli::Arguments;
use crate::engine::Engine;
use crate::fault::FaultKind;

/// The nodes of a Galera cluster. The daemons use the first, the application the second.
const NODES: usize = 3;

/// Makes MySQL refuse a message with an error that daemons do not know: 1242, a subquery with two rows.
pub(crate) const POISON_TRIGGER: &str = "CREATE TRIGGER poison BEFORE INSERT ON offline_message FOR EACH ROW \
    SET @poison = IF(NEW.content LIKE '%-poison', (SELECT 1 UNION SELECT 2), 0)";

/// As many applications have it. It locks a user's row from the first message on, so a conflict with another
/// node takes the transaction away in its middle.
pub(crate) const FOREIGN_KEY: &str =
    "ALTER TABLE offline_message ADD FOREIGN KEY (receiver_id) REFERENCES `user` (id)";

/// Its servers.
#[derive(Debug)]
pub(crate) enum Database {
    /// One server. It ends before its folder is removed.
    Single(Option<MariaDb>, Folder),
    /// A primary and a replica.
    Pair(Box<ReplicatedMariaDb>),
    /// Nodes that can all be written to.
    Galera(Box<Galera>),
}

impl Database {
    /// Starts all servers, with empty databases.
    pub(crate) async fn start(arguments: &Arguments) -> anyhow::Result<Self> {
        if arguments.engine == Engine::Galera {
            let mut cluster = Galera::start().await?;
            for _ in 1..NODES {
                cluster.join().await?;
            }
            return Ok(Self::Galera(Box::new(cluster)));
        }
        if arguments.faults.contains(&FaultKind::MysqlFailover) {
            return Ok(Self::Pair(Box::new(ReplicatedMariaDb::start().await?)));
        }
        let folder = Folder::new()?;
        MariaDb::install(folder.path()).await?;
        let server = MariaDb::start(folder.path()).await?;
        Ok(Self::Single(Some(server), folder))
    }

    /// Keeps the data when this is dropped, and returns its folders.
    pub(crate) fn keep(&mut self) -> Vec<&Path> {
        match self {
            Self::Single(_, folder) => vec![folder.keep()],
            Self::Pair(pair) => pair.keep(),
            Self::Galera(cluster) => cluster.keep(),
        }
    }

    /// The folder of the server that daemons write to.
    pub(crate) fn folder(&self) -> &Path {
        match self {
            Self::Single(_, folder) => folder.path(),
            Self::Pair(pair) => pair.primary_folder(),
            Self::Galera(cluster) => cluster.folder(0),
        }
    }

    /// The socket of the server that daemons write to.
    pub(crate) fn socket(&self) -> PathBuf {
        mariadb::socket(self.folder())
    }

    /// The folder of the node that the application writes to at the same time.
    pub(crate) fn other_node(&self) -> Option<&Path> {
        match self {
            Self::Galera(cluster) => Some(cluster.folder(1)),
            _ => None,
        }
    }

    /// Kills the server that daemons write to with SIGKILL.
    ///
    /// # Errors
    ///
    /// In a Galera cluster.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Single(server, _) => {
                if let Some(server) = server.take() {
                    server.kill();
                }
            }
            _ => self.pair()?.kill_primary(),
        }
        Ok(())
    }

    /// Starts it again.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub(crate) async fn restart(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Single(server, folder) => *server = Some(MariaDb::start(folder.path()).await?),
            _ => self.pair()?.start_primary().await?,
        }
        Ok(())
    }

    /// The primary and its replica.
    ///
    /// # Errors
    ///
    /// If there is no replica.
    pub(crate) fn pair(&mut self) -> anyhow::Result<&mut ReplicatedMariaDb> {
        match self {
            Self::Pair(pair) => Ok(pair),
            _ => bail!("this fault needs a primary with a replica"),
        }
    }
}
