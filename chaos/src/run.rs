//! One run: starts the cluster, injects faults, waits for the final delivery, checks the history and reports.

mod faults;
mod report;
mod settle;
mod tables;
mod worker_pool;

use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use chatpush_stack::proxy::Mode;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::faults::{inject_faults, seen_early};
use self::settle::{wait_until_drained, wait_until_settled, wait_until_told};
use self::worker_pool::WorkerPool;
use crate::application::Application;
use crate::checker::{Tables, violations};
use crate::cli::Arguments;
use crate::clients::Clients;
use crate::cluster::Cluster;
use crate::history::{History, lock};
use crate::notifications::Notifications;

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
    let notifications = if arguments.notifications {
        let is_broken = arguments.fault_injection.is_some();
        Some(Notifications::start(arguments.seed, arguments.unread, is_broken).await?)
    } else {
        None
    };
    let settings = notifications.as_ref().map(Notifications::environment).unwrap_or_default();
    let mut cluster = Cluster::start(&arguments, settings).await?;
    eprintln!("Data and logs: {}", cluster.folder().display());
    let found = run_on(&mut cluster, &arguments, notifications).await;
    let has_failed = !matches!(found, Ok(0));
    if arguments.keep || has_failed && !arguments.discard {
        let folders: Vec<_> = cluster.keep().into_iter().map(|folder| folder.display().to_string()).collect();
        println!("Data and logs are kept in {}", folders.join(", "));
    }
    found
}

/// Returns the number of violations.
async fn run_on(
    cluster: &mut Cluster,
    arguments: &Arguments,
    notifications: Option<Notifications>,
) -> anyhow::Result<usize> {
    let history = Arc::new(Mutex::new(History::default()));
    wait_until_settled(cluster).await.context("before the first fault")?;

    let mut pool =
        WorkerPool { next: 0, workers: Vec::new(), arguments: arguments.clone(), history: history.clone() };
    for _ in 0..arguments.workers {
        pool.start_worker(cluster)?;
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
    let recoveries = inject_faults(arguments, cluster, &mut pool, (&history, notifications.as_ref())).await?;
    if arguments.fault_injection.is_some() {
        let found = seen_early(&history, notifications.as_ref());
        if !found.is_empty() {
            report::report(arguments, &lock(&history), &recoveries, &Tables::default(), &found);
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
    wait_until_settled(cluster).await.context("after the last fault")?;
    let is_application = cluster.schema.is_application();
    let mut tables = Tables { is_application, before: tables::rows(cluster).await?, ..Tables::default() };
    clients.drain.cancel();
    tables.left = wait_until_drained(cluster).await?;
    wait_until_settled(cluster).await.context("after the last delivery")?;
    if notifications.is_some() {
        wait_until_told(cluster).await?;
    }
    clients.stop.cancel();
    crowd.close();
    crowd.wait().await;
    tables::read(cluster, &mut tables).await?;
    let mut found = violations(&lock(&history), &tables);
    if let Some(notifications) = &notifications {
        notifications.wait_until_gone().await;
        let waited = tables.before.iter().filter(|(_, row)| row.waits);
        let delivered: Vec<_> =
            waited.filter_map(|(_, row)| Some((row.receiver, row.message_id.clone()?))).collect();
        found.extend(notifications.violations(&cluster.schema, &delivered));
        println!("{}", notifications.summary());
    }
    found.extend(tables::keys_without_ttl(cluster).await.context("keys of Redis")?);
    report::report(arguments, &lock(&history), &recoveries, &tables, &found);
    Ok(found.len())
}
