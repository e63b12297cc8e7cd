//! An installation beside others: a database, a prefix and a daemon of its own, on the same servers.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::ensure;
use chatpush_stack::daemon::Daemon;
use chatpush_stack::mariadb;
use chatpush_stack::server::Server;

use super::{HISTORY, Setting};
use crate::bench_env::{BenchEnv, USERS};
use crate::peer::Php;
use crate::peers::chatpush;
use crate::usage;

/// The number of installations so far.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// A running installation. Dropping it stops the daemon; the database stays until [`Installation::remove`].
pub(super) struct Installation<'a> {
    env: &'a BenchEnv,
    name: String,
    daemon: Server,
    /// How PHP calls it.
    pub(super) php: Php,
    /// Where its messages are.
    table: &'static str,
}

impl<'a> Installation<'a> {
    /// Starts it with these settings, without messages.
    pub(super) fn start(env: &'a BenchEnv, settings: &[Setting]) -> anyhow::Result<Self> {
        // A prefix belongs to one database.
        let name = &format!("options_{}", STARTED.fetch_add(1, Ordering::Relaxed));
        env.block_on(mariadb::create_database(env.folder(), name))?;
        let mut environment = env.daemon_environment();
        environment.retain(|(variable, _)| !matches!(*variable, "CHATPUSH_MYSQL_URL" | "CHATPUSH_PREFIX"));
        environment.push(("CHATPUSH_MYSQL_URL", mariadb::url(&mariadb::socket(env.folder()), name)));
        environment.push(("CHATPUSH_PREFIX", name.to_owned()));
        migrate(env, &environment)?;
        env.sql(&format!(
            "USE {name}; CREATE TABLE {HISTORY} LIKE offline_message; ALTER TABLE {HISTORY} \
             ADD COLUMN delivered_at datetime NULL, ADD INDEX waiting (receiver_id, delivered_at, id); \
             INSERT INTO `user` (id, username, password) SELECT seq, CONCAT('u', seq), '' FROM seq_1_to_{USERS}"
        ))?;
        environment.extend(settings.iter().map(|(variable, value)| (*variable, (*value).to_owned())));
        migrate(env, &environment)?;
        let daemon = env.block_on(Daemon::start(env.folder(), &environment))?.into_server();
        let php = chatpush::php(env)?.with_setting(&format!("chatpush.prefix={name}"));
        let has_history = settings.iter().any(|(_, value)| *value == HISTORY);
        let table = if has_history { HISTORY } else { "offline_message" };
        Ok(Self { env, name: name.to_owned(), daemon, php, table })
    }

    /// Lets its daemon run, or stops it.
    pub(super) fn signal(&self, name: &str) {
        self.daemon.signal(name);
    }

    /// CPU seconds of its daemon, and of Redis and MariaDB, so far.
    pub(super) fn cpu_seconds(&self) -> f64 {
        let pids = [self.daemon.pid(), self.env.redis_pid(), self.env.mariadb_pid()];
        pids.into_iter().map(usage::thread_cpu_seconds).sum()
    }

    /// The number of its messages.
    pub(super) fn rows(&self) -> anyhow::Result<u64> {
        let Self { name, table, .. } = self;
        Ok(self.env.sql(&format!("SELECT COUNT(*) FROM {name}.{table}"))?.trim().parse()?)
    }

    /// Stops the daemon and drops the database.
    pub(super) fn remove(self) -> anyhow::Result<()> {
        let Self { env, name, daemon, .. } = self;
        daemon.signal("CONT");
        daemon.signal("TERM");
        daemon.wait();
        env.sql(&format!("DROP DATABASE {name}")).map(drop)
    }
}

fn migrate(env: &BenchEnv, environment: &[(&'static str, String)]) -> anyhow::Result<()> {
    let migrated = env.block_on(Daemon::command(env.folder(), environment, &["migrate"]))?;
    ensure!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    Ok(())
}
