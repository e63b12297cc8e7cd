//! The server's own settings.

use std::collections::HashMap;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::ops::check::Finding;
use crate::store::server::MIN_PACKET_BYTES;
use crate::store::{StoreError, bounded};

pub(super) async fn check(connection: &mut Conn) -> Result<Vec<Finding>, StoreError> {
    let sql = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('innodb_flush_log_at_trx_commit', 'log_bin', \
               'sync_binlog', 'binlog_format', 'max_allowed_packet', 'read_only')";
    let variables: Vec<(String, String)> = bounded(connection.query(sql)).await?;
    Ok(verdicts(&variables.into_iter().collect()))
}

fn verdicts(variables: &HashMap<String, String>) -> Vec<Finding> {
    let get = |name: &str| variables.get(name).map_or("", String::as_str);
    let is_on = |name: &str| !matches!(get(name), "" | "0" | "OFF");
    let mut findings = vec![durability(get("innodb_flush_log_at_trx_commit"))];
    if is_on("log_bin") && get("sync_binlog") != "1" {
        findings.push(Finding::warning(
            "MySQL binary log",
            format!(
                "sync_binlog is {}: a crash of the machine loses the end of the binary log, and replicas and \
                 restored backups miss stored messages; SET GLOBAL sync_binlog = 1",
                get("sync_binlog")
            ),
        ));
    }
    // ROW_COUNT() is unsafe for replication by statements (MariaDB manual, "Unsafe Statements for Statement-based
    // Replication").
    if is_on("log_bin") && get("binlog_format").eq_ignore_ascii_case("STATEMENT") {
        findings.push(Finding::warning(
            "MySQL binary log format",
            "binlog_format is STATEMENT: a replica may find other rows for the statements of chatpushd, and stop or \
             differ, and each one is a warning in the server's log; SET GLOBAL binlog_format = MIXED, and \
             restart chatpushd",
        ));
    }
    let packet = get("max_allowed_packet").parse::<usize>().ok();
    if let Some(bytes) = packet.filter(|bytes| *bytes < MIN_PACKET_BYTES) {
        findings.push(Finding::wrong(
            "MySQL packets",
            format!(
                "max_allowed_packet is {bytes} and must be at least {MIN_PACKET_BYTES}; \
                 SET GLOBAL max_allowed_packet = 16777216"
            ),
        ));
    }
    if is_on("read_only") {
        let text = "the server is read-only; use the address of the primary";
        findings.push(Finding::wrong("MySQL role", text));
    }
    findings
}

/// MariaDB's 3 syncs as 1 does.
fn durability(flush: &str) -> Finding {
    const NAME: &str = "MySQL durability";
    let crash = match flush {
        "0" => "a crash of MySQL",
        "2" => "a crash of the machine",
        _ => return Finding::fine(NAME, ""),
    };
    Finding::warning(
        NAME,
        format!(
            "innodb_flush_log_at_trx_commit is {flush}: {crash} loses about a second of messages that callers \
             were told are stored; SET GLOBAL innodb_flush_log_at_trx_commit = 1"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::Status;

    fn found(variables: &[(&str, &str)]) -> Vec<(String, Status)> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        verdicts(&variables.collect()).into_iter().map(|found| (found.name, found.status)).collect()
    }

    #[test]
    fn settings_that_lose_messages_are_warned_of() {
        let durability = |flush| found(&[("innodb_flush_log_at_trx_commit", flush)])[0].1;
        let statuses = [Status::Warning, Status::Ok, Status::Warning, Status::Ok];
        assert_eq!(["0", "1", "2", "3"].map(durability), statuses);
        let all = found(&[
            ("innodb_flush_log_at_trx_commit", "1"),
            ("log_bin", "ON"),
            ("sync_binlog", "0"),
            ("binlog_format", "STATEMENT"),
            ("max_allowed_packet", "524288"),
            ("read_only", "ON"),
        ]);
        let names: Vec<_> = all.iter().map(|(name, status)| (name.as_str(), *status)).collect();
        assert_eq!(
            names[1..],
            [
                ("MySQL binary log", Status::Warning),
                ("MySQL binary log format", Status::Warning),
                ("MySQL packets", Status::Wrong),
                ("MySQL role", Status::Wrong)
            ]
        );
        let without = [("log_bin", "OFF"), ("sync_binlog", "0"), ("binlog_format", "STATEMENT")];
        assert_eq!(found(&without).len(), 1);
        for format in ["ROW", "MIXED"] {
            let safe = [("log_bin", "ON"), ("sync_binlog", "1"), ("binlog_format", format)];
            assert_eq!(found(&safe).len(), 1);
        }
    }
}
