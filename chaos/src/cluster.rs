//! Redis, the database and the daemons, each of which can be killed and started again, and the proxies
//! between them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::redis::AsyncCommands as _;
use anyhow::{Context as _, bail, ensure};
use chatpush_stack::daemon::Daemon;
use chatpush_stack::folder::Folder;
use chatpush_stack::mariadb;
use chatpush_stack::port;
use chatpush_stack::proxy::Proxy;
use chatpush_stack::redis;
use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;
use tokio::time::{sleep, timeout};

use crate::cli::Arguments;
use crate::database::Database;
use crate::engine::Engine;
use crate::fault::FaultKind;
use crate::redis_pair::RedisPair;
use crate::redis_servers::RedisServers;
use crate::schema::Schema;

/// The name of the database, and the prefix in Redis.
pub(crate) const NAME: &str = "chaos";
/// The secret that signs tokens.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// How long a daemon that must not run may take to notice.
const REFUSED_WITHIN: Duration = Duration::from_secs(10);

/// The port of each daemon, `None` while it is down.
pub(crate) type Ports = Arc<Mutex<Vec<Option<u16>>>>;

/// All running parts.
#[derive(Debug)]
pub(crate) struct Cluster {
    daemons: Vec<Option<Daemon>>,
    redis: RedisServers,
    /// MariaDB, as one of several kinds of installation.
    pub(crate) database: Database,
    /// From PHP to Redis, then from each daemon to Redis and to MySQL.
    pub(crate) proxies: Vec<Proxy>,
    /// The ports of the daemons.
    pub(crate) ports: Ports,
    /// The application's tables and the ids of its users.
    pub(crate) schema: Arc<Schema>,
    fault_injection: Option<String>,
    /// Further settings of the daemons.
    settings: Vec<(&'static str, String)>,
    folder: Folder,
}

impl Cluster {
    /// Starts Redis, with a replica if there are to be failovers, the database with users, and the daemons, which
    /// have these further settings.
    pub(crate) async fn start(
        arguments: &Arguments,
        settings: Vec<(&'static str, String)>,
    ) -> anyhow::Result<Self> {
        let (daemons, users) = (usize::from(arguments.daemons), arguments.users());
        let has_sentinels = arguments.engine == Engine::Sentinel;
        let redis_replica = has_sentinels || arguments.faults.contains(&FaultKind::RedisFailover);
        let schema = if arguments.applications {
            Schema::of_application(users, arguments.seed)?
        } else {
            Schema::of_article(users)?
        };
        let temporary = Folder::new()?;
        let folder = temporary.path();
        let redis = if arguments.engine == Engine::Cluster {
            RedisServers::start_cluster().await?
        } else {
            let mut pair = RedisPair::start(folder, redis_replica).await?;
            if has_sentinels {
                pair.add_sentinels().await?;
            }
            RedisServers::Pair(pair)
        };
        let database = Database::start(arguments).await?;
        mariadb::create_database(database.folder(), NAME).await?;
        let mut proxies = vec![Proxy::start(&link(folder, "php", "redis"), redis::socket(folder))?];
        for number in 0..daemons {
            let daemon = format!("daemon{number}");
            proxies.push(Proxy::start(&link(folder, &daemon, "redis"), redis::socket(folder))?);
            proxies.push(Proxy::start(&link(folder, &daemon, "mysql"), database.socket())?);
        }
        let mut cluster = Self {
            daemons: (0..daemons).map(|_| None).collect(),
            redis,
            database,
            proxies,
            ports: Arc::new(Mutex::new(vec![None; daemons])),
            schema: Arc::new(schema),
            fault_injection: arguments.fault_injection.clone(),
            settings,
            folder: temporary,
        };
        cluster.execute(&cluster.schema.before_migration()).await?;
        let migrated = Daemon::command(cluster.folder(), &cluster.environment(0), &["migrate"]).await?;
        ensure!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        cluster.execute(&cluster.schema.after_migration(arguments.engine == Engine::Galera)).await?;
        for number in 0..daemons {
            cluster.start_daemon(number)?;
        }
        Ok(cluster)
    }

    /// Whether a promise is broken on purpose.
    pub(crate) fn breaks_a_promise(&self) -> bool {
        self.fault_injection.is_some()
    }

    /// The folder with data and logs.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Keeps data and logs when this is dropped, and returns their folders.
    pub(crate) fn keep(&mut self) -> Vec<&Path> {
        let mut folders = vec![self.folder.keep()];
        folders.extend(self.database.keep());
        folders
    }

    /// The URL of Redis for PHP: that of the Sentinels or the cluster, or through the proxy.
    pub(crate) fn php_redis_url(&self) -> String {
        self.redis_url_of("php")
    }

    /// The same with another database.
    pub(crate) fn php_other_redis_url(&self) -> String {
        let separator = if self.redis.found_by().is_some() { "/" } else { "?db=" };
        format!("{}{separator}3", self.php_redis_url())
    }

    /// The URL of Redis for a part.
    fn redis_url_of(&self, part: &str) -> String {
        self.redis.found_by().unwrap_or_else(|| redis::url(&link(self.folder(), part, "redis")))
    }

    /// Redis itself.
    pub(crate) fn redis(&self) -> &RedisServers {
        &self.redis
    }

    /// The names in it.
    pub(crate) fn prefix(&self) -> anyhow::Result<Prefix> {
        self.redis.prefix(NAME)
    }

    /// The proxies that lead to Redis.
    pub(crate) fn redis_proxies(&self) -> impl Iterator<Item = &Proxy> {
        self.proxies
            .iter()
            .enumerate()
            .filter(|(number, _)| *number == 0 || number % 2 == 1)
            .map(|(_, proxy)| proxy)
    }

    /// The number of daemons, running or not.
    pub(crate) fn daemons(&self) -> usize {
        self.daemons.len()
    }

    /// Returns a daemon if it runs.
    pub(crate) fn daemon(&self, number: usize) -> Option<&Daemon> {
        self.daemons.get(number)?.as_ref()
    }

    /// Starts a daemon that is down.
    pub(crate) fn start_daemon(&mut self, number: usize) -> anyhow::Result<()> {
        let daemon = Daemon::launch(self.folder(), &self.environment(number))?;
        self.announce(number, Some(daemon.port()));
        self.daemons[number] = Some(daemon);
        Ok(())
    }

    /// Starts another daemon with another prefix. Returns whether it runs on.
    pub(crate) async fn admits_another_prefix(&self, number: usize) -> anyhow::Result<bool> {
        let mut environment = self.environment(number);
        environment.retain(|(name, _)| *name != "CHATPUSH_PREFIX");
        environment.push(("CHATPUSH_PREFIX", format!("other-{NAME}")));
        for listener in ["CHATPUSH_LISTEN", "CHATPUSH_ADMIN_LISTEN"] {
            environment.push((listener, format!("127.0.0.1:{}", port::free()?)));
        }
        let running = Daemon::command(self.folder(), &environment, &["run"]);
        match timeout(REFUSED_WITHIN, running).await {
            Ok(ended) => ended.map(|_| false),
            Err(_) => Ok(true),
        }
    }

    /// The number of the daemon that writes, if it runs.
    pub(crate) async fn writer(&self) -> anyhow::Result<Option<usize>> {
        let client = ::redis::Client::open(self.redis.url_of(Partition::FIRST).await?)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let key = self.prefix()?.writer();
        let name: Option<String> = connection.get(key).await?;
        // Its name ends with its process id and a random number.
        let pid = name.as_deref().and_then(|name| name.rsplit('-').nth(1)?.parse::<u32>().ok());
        let is_it = |daemon: &Daemon| Some(daemon.process().pid()) == pid;
        Ok(self.daemons.iter().position(|daemon| daemon.as_ref().is_some_and(is_it)))
    }

    /// Removes a daemon from the cluster, so that the caller can kill or stop it.
    pub(crate) fn take_daemon(&mut self, number: usize) -> Option<Daemon> {
        self.announce(number, None);
        self.daemons[number].take()
    }

    /// Kills the master of Redis that has a partition with SIGKILL.
    pub(crate) async fn kill_redis(&mut self, partition: Partition) -> anyhow::Result<()> {
        self.redis.kill(partition).await
    }

    /// Kills the master of Redis, which loses what it has written in the last `time`, as in a crash of its
    /// machine with `appendfsync everysec`.
    pub(crate) async fn lose_redis_tail(&mut self, time: Duration) -> anyhow::Result<()> {
        let RedisServers::Pair(redis) = &mut self.redis else { bail!("a cluster has several files") };
        let written = redis.written();
        sleep(time).await;
        redis.kill();
        // After a rewrite the older file is of no use.
        let (Some((file, length)), Some((same, _))) = (written, redis.written()) else { return Ok(()) };
        if file == same {
            std::fs::OpenOptions::new().write(true).open(file)?.set_len(length)?;
        }
        Ok(())
    }

    /// Starts what was killed of Redis on its data.
    pub(crate) async fn start_redis(&mut self) -> anyhow::Result<()> {
        self.redis.restart().await
    }

    /// Swaps master and replica of Redis. Open connections stay with the old master; new ones lead to the new
    /// one after `pause`.
    pub(crate) async fn fail_over_redis(
        &mut self,
        partition: Partition,
        pause: Duration,
    ) -> anyhow::Result<()> {
        self.redis.fail_over(partition).await?;
        sleep(pause).await;
        if let RedisServers::Pair(pair) = &self.redis {
            for proxy in self.redis_proxies() {
                proxy.lead_to(pair.socket());
            }
        }
        Ok(())
    }

    /// Kills the master of Redis that has a partition while its replica has not received what was written in the last
    /// `lag`. It is replaced.
    pub(crate) async fn replace_redis_master(
        &mut self,
        partition: Partition,
        lag: Duration,
    ) -> anyhow::Result<()> {
        self.redis.replace_master(partition, lag).await
    }

    /// Moves a partition to another master of a cluster.
    pub(crate) async fn move_partition(&mut self, partition: Partition) -> anyhow::Result<()> {
        self.redis.move_partition(partition).await
    }

    /// Sets the memory limit of each master of Redis, in bytes. 0: none.
    pub(crate) async fn limit_redis_memory(&self, bytes: u64) -> anyhow::Result<()> {
        self.redis.tell_all(&["CONFIG", "SET", "maxmemory", &bytes.to_string()]).await
    }

    /// The proxies between the daemons and MySQL.
    pub(crate) fn mysql_proxies(&self) -> impl Iterator<Item = &Proxy> {
        self.proxies.iter().skip(2).step_by(2)
    }

    /// Executes statements, and returns what the client prints.
    async fn execute(&self, statements: &str) -> anyhow::Result<String> {
        mariadb::sql(self.database.folder(), &format!("USE {NAME}; {statements}")).await
    }

    /// Returns the rows of a query as lists of columns.
    pub(crate) async fn query(&self, select: &str) -> anyhow::Result<Vec<Vec<String>>> {
        let text = self.execute(select).await?;
        Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
    }

    /// Returns the only value of a query.
    pub(crate) async fn number(&self, select: &str) -> anyhow::Result<u64> {
        let rows = self.query(select).await?;
        let number = rows.first().and_then(|row| row.first()).context("no row")?;
        Ok(number.parse()?)
    }

    fn announce(&self, number: usize, port: Option<u16>) {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)[number] = port;
    }

    fn environment(&self, number: usize) -> Vec<(&'static str, String)> {
        let daemon = format!("daemon{number}");
        let link = |to| link(self.folder(), &daemon, to);
        let mut environment = vec![
            ("CHATPUSH_REDIS_URL", self.redis_url_of(&daemon)),
            ("CHATPUSH_MYSQL_URL", mariadb::url(&link("mysql"), NAME)),
            ("CHATPUSH_SECRET", SECRET.to_owned()),
            ("CHATPUSH_PREFIX", NAME.to_owned()),
        ];
        environment.extend(self.schema.environment());
        environment.extend(self.settings.iter().cloned());
        if let Some(fault_injection) = &self.fault_injection {
            environment.push(("CHATPUSH_FAULT_INJECTION", fault_injection.clone()));
        }
        environment
    }
}

fn link(folder: &Path, from: &str, to: &str) -> PathBuf {
    folder.join(format!("{from}-{to}.link"))
}
