//! A private Galera cluster: MariaDB nodes that replicate to each other.

use std::path::Path;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use crate::folder::Folder;
use crate::mariadb::MariaDb;
use crate::port;
use crate::server::is_root;

/// Where Debian's package galera-4 puts Galera.
const LIBRARY: &str = "/usr/lib/galera/libgalera_smm.so";

/// The account that the nodes run as if we are root. rsync, which copies the data to a node that joins, gives
/// up the rights of root (rsyncd.conf(5), "uid").
const ACCOUNT: &str = "mysql";

/// A running cluster.
#[derive(Debug)]
pub struct Galera {
    nodes: Vec<Node>,
}

/// One node. Its MariaDB ends before its folder is removed.
#[derive(Debug)]
struct Node {
    _mariadb: MariaDb,
    /// Where it listens for the others.
    address: String,
    folder: Folder,
}

impl Galera {
    /// Starts a cluster of one node.
    ///
    /// # Errors
    ///
    /// If a program is missing, or the node does not start.
    pub async fn start() -> anyhow::Result<Self> {
        ensure!(is_installed(), "Galera is missing: install the packages galera-4, rsync and mariadb-server");
        let mut cluster = Self { nodes: Vec::new() };
        let folder = Folder::new()?;
        MariaDb::install(folder.path()).await?;
        cluster.add(folder).await?;
        Ok(cluster)
    }

    /// Keeps the data of all nodes when this is dropped, and returns their folders.
    pub fn keep(&mut self) -> Vec<&Path> {
        self.nodes.iter_mut().map(|node| node.folder.keep()).collect()
    }

    /// Starts one more node, and waits until it has all data.
    ///
    /// # Errors
    ///
    /// If it does not join.
    pub async fn join(&mut self) -> anyhow::Result<()> {
        let folder = Folder::new()?;
        std::fs::create_dir(folder.path().join("db"))?;
        self.add(folder).await
    }

    /// The folder of a node, with its socket; the first is 0.
    ///
    /// # Panics
    ///
    /// If there is no such node.
    pub fn folder(&self, node: usize) -> &Path {
        self.nodes[node].folder.path()
    }

    async fn add(&mut self, folder: Folder) -> anyhow::Result<()> {
        let [address, transfer, snapshot] =
            [port::free()?, port::free()?, port::free()?].map(|port| format!("127.0.0.1:{port}"));
        let others: Vec<_> = self.nodes.iter().map(|node| node.address.as_str()).collect();
        let mut arguments = vec![
            "--wsrep-on=ON".to_owned(),
            format!("--wsrep-provider={LIBRARY}"),
            format!("--wsrep-cluster-address=gcomm://{}", others.join(",")),
            format!("--wsrep-node-address={address}"),
            "--wsrep-sst-method=rsync".to_owned(),
            format!("--wsrep-sst-receive-address={snapshot}"),
            format!(
                "--wsrep-provider-options=gmcast.listen_addr=tcp://{address};ist.recv_addr={transfer};\
                 gcache.size=16M"
            ),
            "--binlog-format=ROW".to_owned(),
            "--innodb-autoinc-lock-mode=2".to_owned(),
            // A cluster on one machine shows nothing about durability.
            "--innodb-flush-log-at-trx-commit=0".to_owned(),
        ];
        if others.is_empty() {
            arguments.push("--wsrep-new-cluster".to_owned());
        }
        if is_root() {
            arguments.push(format!("--user={ACCOUNT}"));
            give_to(ACCOUNT, folder.path()).await?;
        }
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let mariadb = MariaDb::start_with(folder.path(), &arguments).await?;
        self.nodes.push(Node { _mariadb: mariadb, address, folder });
        Ok(())
    }
}

/// Whether the programs are there.
pub fn is_installed() -> bool {
    let found = |name: &str| Path::new("/usr/bin").join(name).exists();
    Path::new(LIBRARY).exists() && found("rsync") && found("wsrep_sst_rsync")
}

async fn give_to(account: &str, folder: &Path) -> anyhow::Result<()> {
    let changed = Command::new("chown").arg("-R").arg(account).arg(folder).status().await;
    let changed = changed.context("cannot start chown")?;
    ensure!(changed.success(), "cannot give {} to the account {account}", folder.display());
    Ok(())
}
