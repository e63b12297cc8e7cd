//! Faults: each in its turn, and the wait until the cluster has recovered.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use chatpush_stack::proxy::Mode;
use chatpush_wire::partition::Partition;
use tokio::time::{Instant, sleep};

use super::settle::settle_timeout;
use super::worker_pool::WorkerPool;
use crate::checker::early_violations;
use crate::cli::Arguments;
use crate::cluster::Cluster;
use crate::fault::{Fault, FaultKind, schedule};
use crate::history::{History, lock};
use crate::mysql_faults;
use crate::notifications::Notifications;

/// How long to wait for a webhook, to kill its sender.
const HELD_TIMEOUT: Duration = Duration::from_secs(5);

/// At least so many faults come before a time without any, in which the application is told in time.
const FEWEST_FAULTS: usize = 8;

/// How long such a time is behind what the faults have broken.
const REST: Duration = Duration::from_secs(8);

/// For each kind of fault, the times in which no store succeeded.
pub(super) type Recoveries = BTreeMap<FaultKind, Vec<Duration>>;

pub(super) async fn inject_faults(
    arguments: &Arguments,
    cluster: &mut Cluster,
    pool: &mut WorkerPool,
    (history, notifications): (&Mutex<History>, Option<&Notifications>),
) -> anyhow::Result<Recoveries> {
    let mut recoveries = Recoveries::new();
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut last_progress = Instant::now();
    let is_shown = || arguments.fault_injection.is_some() && !seen_early(history, notifications).is_empty();
    let round = arguments.faults.len().max(FEWEST_FAULTS);
    for (number, fault) in (1_usize..).zip(schedule(arguments.seed, &arguments.faults)) {
        if is_shown() || Instant::now() + fault.after >= end {
            break;
        }
        sleep(fault.after).await;
        lock(history).longest_gap = Duration::ZERO;
        if let Some(notifications) = notifications {
            notifications.fault_began();
        }
        inject(fault, cluster, pool, (history, notifications))
            .await
            .with_context(|| fault.kind.to_string())?;
        // The system has recovered when a store has succeeded since.
        let ended = std::time::Instant::now();
        while lock(history).last_success.is_none_or(|at| at < ended) {
            sleep(Duration::from_millis(5)).await;
            ensure!(
                ended.elapsed() < settle_timeout(cluster),
                "no store has succeeded for {:?} after {}",
                settle_timeout(cluster),
                fault.kind
            );
        }
        recoveries.entry(fault.kind).or_default().push(lock(history).longest_gap);
        if let Some(notifications) = notifications {
            notifications.fault_ended(fault.kind.settles_within());
            if number.is_multiple_of(round) {
                notifications.rest(REST, is_shown).await;
            }
        }
        if last_progress.elapsed() > Duration::from_secs(10) {
            last_progress = Instant::now();
            let faults: usize = recoveries.values().map(Vec::len).sum();
            let left = end.saturating_duration_since(last_progress).as_secs();
            eprintln!("{left:>5} s left, {faults} faults, {} messages", lock(history).messages.len());
        }
    }
    if let Some(notifications) = notifications {
        eprintln!("No more faults: waiting until the application is told of whoever waits");
        notifications.rest(notifications.told_within(), is_shown).await;
    }
    Ok(recoveries)
}

/// Injects one fault and ends it.
async fn inject(
    fault: Fault,
    cluster: &mut Cluster,
    pool: &mut WorkerPool,
    (history, notifications): (&Mutex<History>, Option<&Notifications>),
) -> anyhow::Result<()> {
    let daemon = fault.target % cluster.daemons();
    // There are as many partitions as targets.
    let partition = u8::try_from(fault.target).ok().and_then(Partition::new).context("a partition")?;
    match fault.kind {
        FaultKind::KillDaemon => {
            if let Some(daemon) = cluster.take_daemon(daemon) {
                daemon.kill();
            }
            sleep(fault.lasts).await;
            cluster.start_daemon(daemon)?;
        }
        FaultKind::KillSender => {
            if let Some(notifications) = notifications {
                kill_sender(fault, cluster, notifications).await?;
            }
        }
        FaultKind::StopDaemon => {
            if let Some(daemon) = cluster.daemon(daemon) {
                daemon.process().signal("STOP");
                sleep(fault.lasts).await;
                daemon.process().signal("CONT");
            }
        }
        FaultKind::RestartDaemon => {
            let old = cluster.take_daemon(daemon);
            cluster.start_daemon(daemon)?;
            if let Some(old) = old {
                let code = tokio::task::spawn_blocking(|| old.stop()).await?;
                ensure!(code == Some(0), "a daemon that was asked to stop ended with {code:?}");
            }
        }
        FaultKind::KillRedis => {
            cluster.kill_redis(partition).await?;
            sleep(fault.lasts).await;
            cluster.start_redis().await?;
        }
        FaultKind::LoseTail => {
            let from = std::time::Instant::now();
            cluster.lose_redis_tail(fault.lasts).await?;
            lock(history).lost_tail(from);
            cluster.start_redis().await?;
        }
        FaultKind::RedisFailover => cluster.fail_over_redis(partition, fault.lasts).await?,
        FaultKind::KillMaster => cluster.replace_redis_master(partition, fault.lasts).await?,
        FaultKind::MovePartition => cluster.move_partition(partition).await?,
        FaultKind::RedisFull => {
            cluster.limit_redis_memory(1).await?;
            sleep(fault.lasts).await;
            cluster.limit_redis_memory(0).await?;
        }
        FaultKind::Silence => {
            cluster.proxies[fault.target % cluster.proxies.len()].silence();
        }
        FaultKind::KillMariaDb
        | FaultKind::MysqlFailover
        | FaultKind::Increment
        | FaultKind::TimeZone
        | FaultKind::LoseCommits => mysql_faults::inject(fault, cluster).await?,
        FaultKind::Poison => {
            mysql_faults::send_poison(cluster, pool.poison(fault.target, &cluster.schema)).await?;
        }
        FaultKind::OtherDatabase => {
            let url = cluster.php_other_redis_url();
            pool.message(fault.target, &cluster.schema).send(&url, 3_000).await?;
        }
        FaultKind::OtherPrefix => {
            if cluster.admits_another_prefix(daemon).await? {
                lock(history).wrong.push("a daemon with another prefix used the same database".to_owned());
            }
        }
        FaultKind::EndSubscriptions => {
            cluster.redis().tell_all(&["CLIENT", "KILL", "TYPE", "PUBSUB"]).await?;
        }
        FaultKind::KillWorker => {
            pool.kill(fault.target).await;
            pool.start_worker(cluster)?;
        }
        FaultKind::Cut | FaultKind::Freeze | FaultKind::Slow => {
            let proxy = &cluster.proxies[fault.target % cluster.proxies.len()];
            proxy.set(match fault.kind {
                FaultKind::Cut => Mode::Cut,
                FaultKind::Freeze => Mode::Frozen,
                _ => Mode::Slow(Duration::from_millis(20)),
            });
            sleep(fault.lasts).await;
            proxy.set(Mode::Forward);
        }
    }
    Ok(())
}

/// Kills the daemon that writes while a webhook is under way, or before one has reached the application, and starts it
/// again.
async fn kill_sender(
    fault: Fault,
    cluster: &mut Cluster,
    notifications: &Notifications,
) -> anyhow::Result<()> {
    let is_lost = fault.target.is_multiple_of(2);
    let killed = notifications.hold(HELD_TIMEOUT, is_lost, async || {
        let daemon = cluster.writer().await?.unwrap_or(fault.target % cluster.daemons());
        if let Some(sender) = cluster.take_daemon(daemon) {
            sender.kill();
        }
        anyhow::Ok(daemon)
    });
    let killed = killed.await?;
    sleep(fault.lasts).await;
    cluster.start_daemon(killed)
}

/// What is wrong already, whatever comes later.
pub(super) fn seen_early(history: &Mutex<History>, notifications: Option<&Notifications>) -> Vec<String> {
    let mut found = early_violations(&lock(history));
    found.extend(notifications.map(Notifications::wrong).unwrap_or_default());
    found
}
