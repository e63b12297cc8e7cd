//! One run: starts the cluster, injects faults, waits for the final delivery, checks the history and reports.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use chatpush_stack::proxy::Mode;
use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;
use redis::AsyncCommands as _;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::application::Application;
use crate::checker::{Tables, violations};
use crate::cli::Arguments;
use crate::clients::Clients;
use crate::cluster::{Cluster, NAME, OFFLINE};
use crate::fault::{Fault, FaultKind, schedule};
use crate::history::{History, lock};
use crate::mysql_faults;
use crate::workers::{Message, Worker};

/// Limit for each wait after a fault: for a store to succeed, for all logs to be applied, for all rows to go.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(90);

/// For each kind of fault, the times in which no store succeeded.
type Recoveries = BTreeMap<FaultKind, Vec<Duration>>;

/// Runs, prints a report, and returns the number of violations.
///
/// # Errors
///
/// If a part cannot be started, or the cluster does not settle in time.
pub async fn run(arguments: Arguments) -> anyhow::Result<usize> {
    let daemons = usize::from(arguments.daemons);
    eprintln!(
        "Starting Redis, the database, {daemons} daemons, {} PHP workers, {} clients",
        arguments.workers, arguments.users
    );
    let redis_replica = arguments.faults.contains(&FaultKind::RedisFailover);
    let mut cluster = Cluster::start(
        daemons,
        arguments.users,
        redis_replica,
        arguments.fault_injection.clone(),
        arguments.galera,
    )
    .await?;
    eprintln!("Data and logs: {}", cluster.folder().display());
    let history = Arc::new(Mutex::new(History::default()));
    wait_until_settled(&cluster).await.context("before the first fault")?;

    let mut pool =
        WorkerPool { next: 0, workers: Vec::new(), arguments: arguments.clone(), history: history.clone() };
    for _ in 0..arguments.workers {
        pool.start_worker(&cluster)?;
    }
    let clients = Clients {
        ports: cluster.ports.clone(),
        history: history.clone(),
        drain: CancellationToken::new(),
        stop: CancellationToken::new(),
    };
    let crowd = TaskTracker::new();
    for user in 1..=arguments.users {
        crowd.spawn(clients.clone().run(user, arguments.seed));
    }

    let node = cluster.database.other_node();
    let application =
        node.map(|node| Application::start(node, arguments.seed, arguments.users)).transpose()?;
    let recoveries = inject_faults(&arguments, &mut cluster, &mut pool, &history).await?;

    eprintln!("No more faults: waiting until the logs are applied");
    for proxy in &cluster.proxies {
        proxy.set(Mode::Forward);
    }
    pool.stop_all().await;
    drop(application);
    lock(&history).close();
    wait_until_settled(&cluster).await.context("after the last fault")?;
    let mut tables = Tables { before: stored(&cluster).await?, ..Tables::default() };
    clients.drain.cancel();
    tables.left = wait_until_drained(&cluster).await?;
    wait_until_settled(&cluster).await.context("after the last delivery")?;
    clients.stop.cancel();
    crowd.close();
    crowd.wait().await;
    for row in cluster.query("SELECT entry FROM chatpush_dead").await? {
        let fields: Vec<(String, String)> =
            serde_json::from_str(&row[0].replace("\\\\", "\\")).unwrap_or_default();
        tables.dead.extend(fields.into_iter().filter(|(name, _)| name == "c").map(|(_, content)| content));
    }
    for row in cluster.query("SELECT id, unread_count FROM `user`").await? {
        tables.counters.insert(row[0].parse()?, row[1].parse()?);
    }
    let mut found = violations(&lock(&history), &tables);
    found.extend(keys_without_ttl(&cluster).await?);
    report(&arguments, &lock(&history), &recoveries, &tables, &found);
    if arguments.keep || !found.is_empty() && !arguments.discard {
        cluster.keep();
        println!("Data and logs are kept in {}", cluster.folder().display());
    }
    Ok(found.len())
}

/// The PHP workers.
struct WorkerPool {
    next: u64,
    workers: Vec<Worker>,
    arguments: Arguments,
    history: Arc<Mutex<History>>,
}

impl WorkerPool {
    fn start_worker(&mut self, cluster: &Cluster) -> anyhow::Result<()> {
        self.next += 1;
        let seed = self.arguments.seed.wrapping_mul(1_000_003).wrapping_add(self.next);
        let name = format!("w{}", self.next);
        let users = self.arguments.users;
        self.workers.push(Worker::start(&name, seed, users, &cluster.php_redis_url(), self.history.clone())?);
        Ok(())
    }

    /// A message that MySQL refuses, to somebody who never connects: what a client has confirmed is not
    /// stored.
    fn poison(&mut self, number: usize) -> Message<'_> {
        self.next += 1;
        let receiver = u32::try_from(number).unwrap_or(0) % self.arguments.users + 1 + OFFLINE;
        Message { name: format!("w{}", self.next), receiver, history: &self.history }
    }

    async fn kill(&mut self, number: usize) {
        let number = number % self.workers.len();
        self.workers.swap_remove(number).kill().await;
    }

    async fn stop_all(&mut self) {
        for worker in self.workers.drain(..) {
            worker.kill().await;
        }
    }
}

async fn inject_faults(
    arguments: &Arguments,
    cluster: &mut Cluster,
    pool: &mut WorkerPool,
    history: &Mutex<History>,
) -> anyhow::Result<Recoveries> {
    let mut recoveries = Recoveries::new();
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut last_progress = Instant::now();
    for fault in schedule(arguments.seed, &arguments.faults) {
        if Instant::now() + fault.after >= end {
            break;
        }
        sleep(fault.after).await;
        lock(history).longest_gap = Duration::ZERO;
        inject(fault, cluster, pool, history).await.with_context(|| fault.kind.to_string())?;
        // The system has recovered when a store has succeeded since.
        let ended = std::time::Instant::now();
        while lock(history).last_success.is_none_or(|at| at < ended) {
            sleep(Duration::from_millis(5)).await;
            ensure!(
                ended.elapsed() < SETTLE_TIMEOUT,
                "no store has succeeded for {SETTLE_TIMEOUT:?} after {}",
                fault.kind
            );
        }
        recoveries.entry(fault.kind).or_default().push(lock(history).longest_gap);
        if last_progress.elapsed() > Duration::from_secs(10) {
            last_progress = Instant::now();
            let faults: usize = recoveries.values().map(Vec::len).sum();
            let left = end.saturating_duration_since(last_progress).as_secs();
            eprintln!("{left:>5} s left, {faults} faults, {} messages", lock(history).messages.len());
        }
    }
    Ok(recoveries)
}

/// Injects one fault and ends it.
async fn inject(
    fault: Fault,
    cluster: &mut Cluster,
    pool: &mut WorkerPool,
    history: &Mutex<History>,
) -> anyhow::Result<()> {
    let daemon = fault.target % cluster.daemons();
    match fault.kind {
        FaultKind::KillDaemon => {
            if let Some(daemon) = cluster.take_daemon(daemon) {
                daemon.kill();
            }
            sleep(fault.lasts).await;
            cluster.start_daemon(daemon)?;
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
            cluster.kill_redis();
            sleep(fault.lasts).await;
            cluster.start_redis().await?;
        }
        FaultKind::LoseTail => {
            let from = std::time::Instant::now();
            cluster.lose_redis_tail(fault.lasts).await?;
            lock(history).lost_tail(from);
            cluster.start_redis().await?;
        }
        FaultKind::RedisFailover => cluster.fail_over_redis(fault.lasts).await?,
        FaultKind::RedisFull => {
            cluster.limit_redis_memory(1).await?;
            sleep(fault.lasts).await;
            cluster.limit_redis_memory(0).await?;
        }
        FaultKind::Silence => {
            cluster.proxies[fault.target % cluster.proxies.len()].silence();
        }
        FaultKind::KillMariaDb => {
            cluster.database.pair()?.kill_primary();
            sleep(fault.lasts).await;
            cluster.database.pair()?.start_primary().await?;
        }
        FaultKind::MysqlFailover => mysql_faults::fail_over(cluster, fault.lasts).await?,
        FaultKind::Increment => mysql_faults::change_increment(cluster, fault.target).await?,
        FaultKind::TimeZone => mysql_faults::change_time_zone(cluster, fault.target).await?,
        FaultKind::Poison => mysql_faults::send_poison(cluster, pool.poison(fault.target)).await?,
        FaultKind::EndSubscriptions => {
            let client = redis::Client::open(cluster.redis_url())?;
            let mut connection = client.get_multiplexed_async_connection().await?;
            redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("PUBSUB").exec_async(&mut connection).await?;
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

/// Waits until all daemons are ready and all logs are applied.
async fn wait_until_settled(cluster: &Cluster) -> anyhow::Result<()> {
    let deadline = Instant::now() + SETTLE_TIMEOUT;
    let client = redis::Client::open(cluster.redis_url())?;
    loop {
        let mut settled = true;
        for number in 0..cluster.daemons() {
            settled &= match cluster.daemon(number) {
                Some(daemon) => daemon.is_ready().await,
                None => false,
            };
        }
        if let Ok(mut connection) = client.get_multiplexed_async_connection().await {
            // Applied entries stay in the logs for some seconds.
            let positions = cluster.query("SELECT partition_id, log_id FROM chatpush_position").await;
            for row in positions.unwrap_or_else(|_| vec![vec!["0".to_owned(), "0-0".to_owned()]]) {
                let partition = Partition::new(row[0].parse()?).context("a partition")?;
                let log = Prefix::try_from(NAME.to_owned())?.log(partition);
                let waiting: Result<Vec<redis::Value>, _> =
                    connection.xrange_count(log, format!("({}", row[1]), "+", 1).await;
                settled &= waiting.is_ok_and(|waiting| waiting.is_empty());
            }
        } else {
            settled = false;
        }
        if settled {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("not every daemon is ready, or a log is not applied, after {SETTLE_TIMEOUT:?}");
        }
        sleep(Duration::from_millis(100)).await;
    }
}

async fn stored(cluster: &Cluster) -> anyhow::Result<BTreeMap<u32, Vec<String>>> {
    let mut stored: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for row in cluster.query("SELECT receiver_id, content FROM offline_message ORDER BY id").await? {
        stored.entry(row[0].parse()?).or_default().push(row[1].clone());
    }
    Ok(stored)
}

/// Waits until the clients have confirmed all rows. Returns the number of rows that are left at the deadline.
async fn wait_until_drained(cluster: &Cluster) -> anyhow::Result<u64> {
    let deadline = Instant::now() + SETTLE_TIMEOUT;
    loop {
        let left = cluster.number("SELECT COUNT(*) FROM offline_message").await?;
        if left == 0 || Instant::now() > deadline {
            return Ok(left);
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Reports keys in Redis without a time to live, except the logs and the installation record.
async fn keys_without_ttl(cluster: &Cluster) -> anyhow::Result<Vec<String>> {
    let mut connection = redis::Client::open(cluster.redis_url())?.get_multiplexed_async_connection().await?;
    let keys: HashSet<String> = connection.keys("*").await?;
    let mut found = Vec::new();
    for key in keys.iter().filter(|key| !key.ends_with(":log") && !key.ends_with(":installation")) {
        let ttl: i64 = connection.pttl(key).await?;
        if ttl == -1 {
            found.push(format!("the key {key} has no time to live"));
        }
    }
    Ok(found)
}

fn report(
    arguments: &Arguments,
    history: &History,
    recoveries: &Recoveries,
    tables: &Tables,
    found: &[String],
) {
    println!(
        "\nseed {}, {} s, {} daemons, {} workers, {} users\n",
        arguments.seed, arguments.seconds, arguments.daemons, arguments.workers, arguments.users
    );
    println!("{:<18} {:>6} {:>12} {:>12}", "fault", "times", "median", "longest");
    for (kind, times) in recoveries {
        let mut times = times.clone();
        times.sort_unstable();
        let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
        println!("{kind:<18} {:>6} {:>9} ms {:>9} ms", times.len(), median.as_millis(), longest.as_millis());
    }
    let mut operations: BTreeMap<&str, u64> = BTreeMap::new();
    for message in history.messages.values() {
        *operations.entry(message.operation.as_str()).or_default() += 1;
    }
    let stored = history.messages.values().filter(|message| message.is_stored()).count();
    let shown: usize = history.connections.iter().map(|connection| connection.shown.len()).sum();
    println!("\n(median and longest time without a successful store, over all workers)\n");
    println!("messages   {stored} ({operations:?})");
    println!("calls      {:?}", history.outcomes.iter().collect::<BTreeMap<_, _>>());
    println!("clients    {} connections, {shown} messages received", history.connections.len());
    println!("refused    {} by MySQL", tables.dead.len());
    println!("violations {}", found.len());
    for violation in found.iter().take(40) {
        println!("  {violation}");
    }
}
