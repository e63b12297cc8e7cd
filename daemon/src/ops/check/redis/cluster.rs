//! A Redis Cluster: whether every partition has a master, and what the loss of one stops. Each master is checked as a
//! server is.

use std::collections::{BTreeSet, HashMap};

use chatpush_wire::cluster::Topology;
use chatpush_wire::partition::Partition;
use redis::Value;

use super::{one, server};
use crate::base::backoff::Failure as _;
use crate::broker::cluster::nodes::Cluster;
use crate::broker::{BrokerError, Commands};
use crate::config::Config;
use crate::ops::check::{Finding, Status};

const NAME: &str = "Redis Cluster";

pub(super) async fn check(config: &Config, commands: &Commands, cluster: &Cluster) -> Vec<Finding> {
    let topology = match cluster.topology().await {
        Ok(topology) => topology,
        Err(error) => return vec![Finding::wrong(NAME, error.report())],
    };
    let mut findings = vec![partitions(&topology)];
    let mut of_each = Vec::new();
    for master in topology.partitions().into_keys() {
        let mut of_master =
            vec![replicas(commands.ask(Some(master), redis::pipe().cmd("INFO").arg("replication")).await)];
        of_master.extend(server(config, commands, Some(master)).await);
        of_each.push((master.to_string(), of_master));
    }
    findings.extend(merged(&of_each));
    findings
}

/// Whether each partition has a master.
fn partitions(topology: &Topology) -> Finding {
    let without: Vec<_> =
        Partition::all().filter(|partition| topology.master_of(*partition).is_none()).collect();
    let masters = topology.partitions().len();
    match without.len() {
        0 => Finding::fine(NAME, format!("{masters} masters have the partitions")),
        count => Finding::wrong(
            NAME,
            format!(
                "{count} of {} partitions have no master: redis-cli --cluster fix HOST:PORT",
                Partition::COUNT
            ),
        ),
    }
}

/// Whether somebody can take over from a master.
fn replicas(answers: Result<Vec<Value>, BrokerError>) -> Finding {
    const NAME: &str = "Redis replicas";
    let info = match one::<String>(answers) {
        Ok(info) => info,
        Err(error) => {
            return Finding::warning(NAME, format!("cannot be read ({error}); allow the account INFO"));
        }
    };
    let count = info.lines().find_map(|line| line.trim().strip_prefix("connected_slaves:")).unwrap_or("0");
    if count == "0" {
        return Finding::warning(NAME, "none: what is lost with this master stays away until it is back");
    }
    Finding::fine(NAME, "each master has one")
}

/// What stops while a master is lost.
pub(super) fn coverage(settings: &HashMap<String, String>) -> Finding {
    const NAME: &str = "Redis coverage";
    let is = |name: &str, value: &str| settings.get(name).is_some_and(|found| found == value);
    if is("cluster-allow-pubsubshard-when-down", "no") {
        return Finding::warning(
            NAME,
            "cluster-allow-pubsubshard-when-down is no: while a master is lost nothing is pushed to anybody; \
             CONFIG SET cluster-allow-pubsubshard-when-down yes",
        );
    }
    if is("cluster-require-full-coverage", "no") {
        return Finding::fine(NAME, "a lost master stops the stores of its own users only");
    }
    Finding::warning(
        NAME,
        "cluster-require-full-coverage is yes: a lost master stops all stores until its replica has taken over; \
         CONFIG SET cluster-require-full-coverage no",
    )
}

/// What all masters have in common once, and what differs with the master's name.
fn merged(of_each: &[(String, Vec<Finding>)]) -> Vec<Finding> {
    let names: BTreeSet<_> =
        of_each.iter().flat_map(|(_, findings)| findings.iter().map(|finding| &finding.name)).collect();
    let mut findings: Vec<Finding> = Vec::new();
    let all: Vec<_> = of_each
        .iter()
        .flat_map(|(master, findings)| findings.iter().map(move |finding| (master, finding)))
        .collect();
    for name in names {
        let mut same: Vec<_> = all.iter().filter(|(_, finding)| finding.name == *name).collect();
        let Some((_, first)) = same.first() else { continue };
        let is_common = same.len() == of_each.len()
            && same.iter().all(|(_, finding)| (finding.status, &finding.text) == (first.status, &first.text));
        if is_common {
            findings.push((*first).clone());
        } else {
            // The worst first.
            same.sort_by_key(|(_, finding)| finding.status == Status::Ok);
            findings.extend(same.into_iter().map(|(master, finding)| Finding {
                text: format!("{master}: {}", finding.text),
                ..(*finding).clone()
            }));
        }
    }
    findings
}
