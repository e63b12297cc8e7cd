//! One run: starts the cluster, injects faults, waits for the final delivery, checks the history and reports.

mod report;
mod tables;

use std::collections::BTreeMap;
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
use crate::checker::{Tables, early_violations, violations};
use crate::cli::Arguments;
use crate::clients::Clients;
use crate::cluster::{Cluster, NAME};
use crate::fault::{Fault, FaultKind, schedule};
use crate::history::{History, lock};
use crate::mysql_faults;
use crate::notifications::Notifications;
use crate::schema::{OFFLINE, Schema};
use crate::workers::{Identity, Message, Worker};

/// Limit for each wait after a fault: for a store to succeed, for all logs to be applied, for all rows to go.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(90);

/// The same if a promise is broken, so that some of it may never come.
const BROKEN_SETTLE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long to wait for a webhook, to kill its sender.
const HELD_TIMEOUT: Duration = Duration::from_secs(5);

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
        arguments.workers,
        arguments.users()
    );
    let notifications =
        if arguments.notifications { Some(Notifications::start(arguments.seed).await?) } else { None };
    let settings = notifications.as_ref().map(Notifications::environment).unwrap_or_default();
    let mut cluster = Cluster::start(&arguments, settings).await?;
    eprintln!("Data and logs: {}", cluster.folder().display());
    let history = Arc::new(Mutex::new(History::default()));
    wait_until_settled(&cluster).await.context("before the first fault")?;

    let mut pool =
        WorkerPool { next: 0, workers: Vec::new(), arguments: arguments.clone(), history: history.clone() };
    for _ in 0..arguments.workers {
        pool.start_worker(&cluster)?;
    }
    let clients = Clients {
        schema: cluster.schema.clone(),
        ports: cluster.ports.clone(),
        history: history.clone(),
        drain: CancellationToken::new(),
        stop: CancellationToken::new(),
    };
    let crowd = TaskTracker::new();
    for user in 1..=arguments.users() {
        crowd.spawn(clients.clone().run(user, arguments.seed));
    }
    if let Some(notifications) = &notifications {
        let (url, broken) = (cluster.php_redis_url(), arguments.fault_injection.as_deref());
        notifications.start_users((&clients, &crowd), &url, broken, arguments.seed);
    }

    let node = cluster.database.other_node();
    let application =
        node.map(|node| Application::start(node, arguments.seed, arguments.users())).transpose()?;
    let recoveries =
        inject_faults(&arguments, &mut cluster, &mut pool, (&history, notifications.as_ref())).await?;
    if arguments.fault_injection.is_some() {
        let found = seen_early(&history, notifications.as_ref());
        if !found.is_empty() {
            report::report(&arguments, &lock(&history), &recoveries, &Tables::default(), &found);
            return Ok(found.len());
        }
    }

    eprintln!("No more faults: waiting until the logs are applied");
    for proxy in &cluster.proxies {
        proxy.set(Mode::Forward);
    }
    pool.stop_all().await;
    if let Some(notifications) = &notifications {
        notifications.settle().await;
    }
    drop(application);
    lock(&history).close();
    wait_until_settled(&cluster).await.context("after the last fault")?;
    let is_application = cluster.schema.is_application();
    let mut tables = Tables { is_application, before: tables::rows(&cluster).await?, ..Tables::default() };
    clients.drain.cancel();
    tables.left = wait_until_drained(&cluster).await?;
    wait_until_settled(&cluster).await.context("after the last delivery")?;
    if notifications.is_some() {
        wait_until_told(&cluster).await?;
    }
    clients.stop.cancel();
    crowd.close();
    crowd.wait().await;
    tables::read(&cluster, &mut tables).await?;
    let mut found = violations(&lock(&history), &tables);
    if let Some(notifications) = &notifications {
        let waited = tables.before.iter().filter(|(_, row)| row.waits);
        let delivered: Vec<_> =
            waited.filter_map(|(_, row)| Some((row.receiver, row.message_id.clone()?))).collect();
        found.extend(notifications.violations(&cluster.schema, &delivered));
        println!("{}", notifications.summary());
    }
    found.extend(tables::keys_without_ttl(&cluster).await.context("keys of Redis")?);
    report::report(&arguments, &lock(&history), &recoveries, &tables, &found);
    if arguments.keep || !found.is_empty() && !arguments.discard {
        let folders: Vec<_> = cluster.keep().into_iter().map(|folder| folder.display().to_string()).collect();
        println!("Data and logs are kept in {}", folders.join(", "));
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
        let identity = Identity { number: self.next, seed, schema: &cluster.schema };
        let users = self.arguments.users();
        let (url, broken) = (cluster.php_redis_url(), self.arguments.fault_injection.as_deref());
        self.workers.push(Worker::start(identity, users, (&url, broken), self.history.clone())?);
        Ok(())
    }

    /// A message from a worker that sends nothing else.
    fn message<'a>(&'a mut self, number: usize, schema: &'a Schema) -> Message<'a> {
        self.next += 1;
        Message {
            identity: Identity { number: self.next, seed: 0, schema },
            receiver: u32::try_from(number).unwrap_or(0) % self.arguments.users() + 1,
            operation: "store",
            suffix: "",
            tries: 1,
            fault_injection: self.arguments.fault_injection.clone(),
            history: &self.history,
        }
    }

    /// A message that MySQL refuses: to somebody who never connects, or, several times with one id, to
    /// somebody who may see it before MySQL has refused it.
    fn poison<'a>(&'a mut self, number: usize, schema: &'a Schema) -> Message<'a> {
        let message = Message { suffix: "-poison", ..self.message(number, schema) };
        if number.is_multiple_of(2) {
            Message { receiver: message.receiver + OFFLINE, ..message }
        } else {
            Message { operation: "send", tries: 3, ..message }
        }
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
    (history, notifications): (&Mutex<History>, Option<&Notifications>),
) -> anyhow::Result<Recoveries> {
    let mut recoveries = Recoveries::new();
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut last_progress = Instant::now();
    for fault in schedule(arguments.seed, &arguments.faults) {
        let is_shown = arguments.fault_injection.is_some() && !seen_early(history, notifications).is_empty();
        if is_shown || Instant::now() + fault.after >= end {
            break;
        }
        sleep(fault.after).await;
        lock(history).longest_gap = Duration::ZERO;
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
    (history, notifications): (&Mutex<History>, Option<&Notifications>),
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
        FaultKind::KillMariaDb
        | FaultKind::MysqlFailover
        | FaultKind::Increment
        | FaultKind::TimeZone
        | FaultKind::LoseCommits => mysql_faults::inject(fault, cluster).await?,
        FaultKind::Poison => {
            mysql_faults::send_poison(cluster, pool.poison(fault.target, &cluster.schema)).await?;
        }
        FaultKind::OtherDatabase => {
            let url = format!("{}?db=3", cluster.php_redis_url());
            pool.message(fault.target, &cluster.schema).send(&url, 3_000).await?;
        }
        FaultKind::OtherPrefix => {
            if cluster.admits_another_prefix(daemon).await? {
                lock(history).wrong.push("a daemon with another prefix used the same database".to_owned());
            }
        }
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

/// Kills the daemon that writes while a webhook is under way, and starts it again.
async fn kill_sender(
    fault: Fault,
    cluster: &mut Cluster,
    notifications: &Notifications,
) -> anyhow::Result<()> {
    let killed = notifications.hold(HELD_TIMEOUT, async || {
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
fn seen_early(history: &Mutex<History>, notifications: Option<&Notifications>) -> Vec<String> {
    let mut found = early_violations(&lock(history));
    found.extend(notifications.map(Notifications::wrong).unwrap_or_default());
    found
}

fn settle_timeout(cluster: &Cluster) -> Duration {
    if cluster.breaks_a_promise() { BROKEN_SETTLE_TIMEOUT } else { SETTLE_TIMEOUT }
}

/// Waits until all daemons are ready and all logs are applied.
async fn wait_until_settled(cluster: &Cluster) -> anyhow::Result<()> {
    let deadline = Instant::now() + settle_timeout(cluster);
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
            bail!("not every daemon is ready, or a log is not applied, after {:?}", settle_timeout(cluster));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until the application was told of everything that has happened.
async fn wait_until_told(cluster: &Cluster) -> anyhow::Result<()> {
    let deadline = Instant::now() + settle_timeout(cluster);
    loop {
        let waiting = cluster.number("SELECT COUNT(*) FROM chatpush_webhook").await?;
        if waiting == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{waiting} events are not told of in time");
        sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until the clients have confirmed all rows. Returns the number of rows that are left at the deadline.
async fn wait_until_drained(cluster: &Cluster) -> anyhow::Result<u64> {
    let deadline = Instant::now() + settle_timeout(cluster);
    loop {
        let left = cluster.number(&cluster.schema.count_waiting()).await?;
        if left == 0 || Instant::now() > deadline {
            return Ok(left);
        }
        sleep(Duration::from_millis(100)).await;
    }
}
