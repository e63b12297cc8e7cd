//! Which database server it is, and what it promises beside the settings that every server has.

use std::collections::HashMap;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::ops::check::Finding;
use crate::store::{StoreError, bounded};

const NAME: &str = "MySQL server";

pub(super) async fn check(connection: &mut Conn) -> Result<Vec<Finding>, StoreError> {
    let version: Option<String> = bounded(connection.query_first("SELECT VERSION()")).await?;
    let version = version.unwrap_or_default();
    // What a server does not know is missing here. Percona XtraDB Cluster has `wsrep_on` for sessions alone.
    let names = "WHERE Variable_name IN ('version_comment', 'wsrep_on', 'pxc_strict_mode', 'innodb_autoinc_lock_mode', \
                 'group_replication_group_name', 'rpl_semi_sync_master_enabled', 'rpl_semi_sync_source_enabled')";
    let variables: Vec<(String, String)> =
        bounded(connection.query(format!("SHOW VARIABLES {names}"))).await?;
    let names = "WHERE Variable_name IN ('wsrep_ready', 'wsrep_cluster_status', 'wsrep_cluster_size')";
    let status: Vec<(String, String)> = bounded(connection.query(format!("SHOW STATUS {names}"))).await?;
    let known =
        variables.into_iter().chain(status).map(|(name, value)| (name.to_lowercase(), value)).collect();
    Ok(verdicts(&version, &known))
}

fn verdicts(version: &str, known: &HashMap<String, String>) -> Vec<Finding> {
    let get = |name: &str| known.get(name).map_or("", String::as_str);
    let is_on = |name: &str| !matches!(get(name), "" | "0" | "OFF");
    if version.contains("TiDB") {
        return vec![tidb(version)];
    }
    let is_mariadb = version.contains("MariaDB");
    if is_on("wsrep_on") {
        return galera(version, is_mariadb, get);
    }
    if version.contains("Vitess") || get("version_comment").contains("Vitess") {
        return vec![Finding::warning(NAME, format!("Vitess ({version}): chatpush is not tested on it"))];
    }
    let (name, least) = if is_mariadb { ("MariaDB", (10, 6)) } else { ("MySQL", (8, 0)) };
    let number = number(version);
    if parsed(number) < least {
        let text = format!(
            "{name} {number} is older than {}.{}: chatpush is not tested on it, and nobody is notified of messages \
             that wait",
            least.0, least.1
        );
        return vec![Finding::warning(NAME, text)];
    }
    let keeps = if is_on("group_replication_group_name") {
        "what callers were told is stored is on a majority of its group"
    } else if is_on("rpl_semi_sync_master_enabled") || is_on("rpl_semi_sync_source_enabled") {
        "what callers were told is stored is on a replica too, while one acknowledges in time"
    } else {
        "what callers were told is stored is on this server; a replica that replaces it may lack what it has not \
         received, of which the last five seconds are stored again"
    };
    vec![Finding::fine(NAME, format!("{name} {number}: {keeps}"))]
}

/// A node of Galera.
fn galera<'a>(version: &str, is_mariadb: bool, get: impl Fn(&str) -> &'a str) -> Vec<Finding> {
    let name = if is_mariadb { "MariaDB" } else { "Percona XtraDB Cluster" };
    let mut findings = Vec::new();
    // Before the first node has started the cluster, or in a minority, a node executes no statements.
    if get("wsrep_ready") == "OFF" || !matches!(get("wsrep_cluster_status"), "" | "Primary") {
        let text = "the node is not in the cluster's majority, and stores nothing: SHOW STATUS LIKE 'wsrep%'";
        findings.push(Finding::wrong("Galera node", text));
    }
    if get("innodb_autoinc_lock_mode") != "2" {
        let text = "innodb_autoinc_lock_mode must be 2 on a node of Galera; set it in the configuration of each node";
        findings.push(Finding::warning("Galera ids", text));
    }
    let size = get("wsrep_cluster_size");
    findings.push(Finding::fine(
        NAME,
        format!(
            "{name} {}, a node of Galera (of {size}): what callers were told is stored is on every node of the \
             cluster. It makes the database available, not faster: a row that the application writes on another node \
             at the same time makes a store wait",
            number(version)
        ),
    ));
    findings
}

fn tidb(version: &str) -> Finding {
    let number = version.split("TiDB-v").nth(1).unwrap_or(version);
    Finding::warning(
        NAME,
        format!(
            "TiDB {number}: what callers were told is stored is on a majority of TiKV. A writer that hangs cannot be \
             ended, and the rows that it has locked wait for up to six seconds. The message table must give ids in \
             order on all servers: CREATE TABLE … AUTO_ID_CACHE 1, which cannot be changed later"
        ),
    )
}

/// The number at the beginning of a version.
fn number(version: &str) -> &str {
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    version.split(['-', '+', ' ']).next().unwrap_or(version)
}

/// Its first two parts.
fn parsed(number: &str) -> (u32, u32) {
    let mut parts = number.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::Status;

    fn found(version: &str, known: &[(&str, &str)]) -> Vec<(String, Status, String)> {
        let known = known.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        verdicts(version, &known).into_iter().map(|found| (found.name, found.status, found.text)).collect()
    }

    #[test]
    fn each_server_is_named_with_what_it_promises() {
        for (version, known, status, text) in [
            (
                "10.11.14-MariaDB-0+deb12u2",
                &[][..],
                Status::Ok,
                "MariaDB 10.11.14: what callers were told is stored is on this server;",
            ),
            (
                "8.0.15",
                &[("rpl_semi_sync_source_enabled", "ON")],
                Status::Ok,
                "MySQL 8.0.15: what callers were told is stored is on a replica too",
            ),
            (
                "8.4.3",
                &[("group_replication_group_name", "a-b")],
                Status::Ok,
                "MySQL 8.4.3: what callers were told is stored is on a majority",
            ),
            ("5.7.44-log", &[], Status::Warning, "MySQL 5.7.44 is older than 8.0"),
            ("10.5.1-MariaDB", &[], Status::Warning, "MariaDB 10.5.1 is older than 10.6"),
            ("8.0.11-TiDB-v8.5.0", &[], Status::Warning, "TiDB 8.5.0: "),
            ("8.0.30-Vitess", &[], Status::Warning, "Vitess"),
        ] {
            let all = found(version, known);
            assert!(all.len() == 1 && all[0].1 == status && all[0].2.starts_with(text), "{version}: {all:?}");
        }
    }

    #[test]
    fn a_node_of_galera_has_to_be_in_the_majority() {
        let node = |ready, status, mode| {
            let known = [
                ("wsrep_on", "ON"),
                ("wsrep_ready", ready),
                ("wsrep_cluster_status", status),
                ("wsrep_cluster_size", "3"),
                ("innodb_autoinc_lock_mode", mode),
            ];
            let all = found("10.11.14-MariaDB", &known);
            all.into_iter().map(|(name, status, _)| (name, status)).collect::<Vec<_>>()
        };
        let server = (NAME.to_owned(), Status::Ok);
        assert_eq!(node("ON", "Primary", "2"), std::slice::from_ref(&server));
        let outside = ("Galera node".to_owned(), Status::Wrong);
        assert_eq!(node("ON", "non-Primary", "2"), [outside.clone(), server.clone()]);
        assert_eq!(node("OFF", "Primary", "2"), [outside, server.clone()]);
        assert_eq!(node("ON", "Primary", "1"), [("Galera ids".to_owned(), Status::Warning), server]);
    }
}
