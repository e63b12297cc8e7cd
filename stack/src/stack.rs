//! All servers together, as in one installation.

use std::path::Path;

use anyhow::ensure;

use crate::artifacts;
use crate::daemon::Daemon;
use crate::folder::Folder;
use crate::mariadb::{self, MariaDb};
use crate::nginx::Nginx;
use crate::php_fpm::PhpFpm;
use crate::redis::{self, Redis};

/// The database of the stack.
pub(crate) const DATABASE: &str = "chat";
const PREFIX: &str = "chatpush";

/// Redis, MariaDB with the default tables, a daemon, PHP-FPM with the extension, and nginx.
#[derive(Debug)]
pub struct Stack {
    // Fields are dropped in this order: each server before those that it depends on.
    nginx: Nginx,
    _php_fpm: PhpFpm,
    daemon: Option<Daemon>,
    /// The daemon's ports for clients and for the admin listener, also while it is down.
    ports: (u16, u16),
    /// The environment of the daemon.
    configuration: Vec<(&'static str, String)>,
    _mariadb: MariaDb,
    _redis: Redis,
    secret: String,
    folder: Folder,
}

impl Stack {
    /// Starts all servers and serves `pages`, each a folder below a path. PHP gets more environment
    /// `variables`, and the daemon more `settings`. Prints a line for each server.
    pub async fn start(
        port: Option<u16>,
        pages: &[(&str, &Path)],
        variables: &[(&str, String)],
        settings: &[(&'static str, &str)],
    ) -> anyhow::Result<Self> {
        let temporary = Folder::new()?;
        let folder = temporary.path();
        eprintln!("Data and logs      {}", folder.display());
        let redis = Redis::start(folder).await?;
        eprintln!("Redis              {}", redis.url());
        MariaDb::install(folder).await?;
        let mariadb = MariaDb::start(folder).await?;
        mariadb::create_database(folder, DATABASE).await?;
        eprintln!("MariaDB            {}", mariadb::socket(folder).display());

        let secret: String = std::iter::repeat_with(fastrand::alphanumeric).take(48).collect();
        let mut configuration = vec![
            ("CHATPUSH_REDIS_URL", redis.url()),
            ("CHATPUSH_MYSQL_URL", mariadb::url(&mariadb::socket(folder), DATABASE)),
            ("CHATPUSH_SECRET", secret.clone()),
            ("CHATPUSH_PREFIX", PREFIX.to_owned()),
        ];
        configuration.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let migrated = Daemon::command(folder, &configuration, &["migrate"]).await?;
        ensure!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        let daemon = Daemon::start(folder, &configuration).await?;
        let ports = (daemon.port(), daemon.admin_port());
        let pid = daemon.process().pid();
        eprintln!("chatpushd          127.0.0.1:{}, health at 127.0.0.1:{}, process {pid}", ports.0, ports.1);

        let environment = [&database(folder)[..], variables].concat();
        let extension = format!("extension={}", artifacts::extension()?);
        let php_fpm = PhpFpm::start(folder, &[extension], &directives(folder, &secret), &environment).await?;
        let nginx = Nginx::start(folder, port, pages, ports.0).await?;
        eprintln!("nginx and PHP-FPM  127.0.0.1:{}", nginx.port());
        Ok(Self {
            nginx,
            _php_fpm: php_fpm,
            daemon: Some(daemon),
            ports,
            configuration,
            _mariadb: mariadb,
            _redis: redis,
            secret,
            folder: temporary,
        })
    }

    /// The environment of a program that uses the stack.
    pub fn environment(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let folder = self.folder.path();
        Ok(vec![
            ("CHATPUSH_TEST_FOLDER", folder.display().to_string()),
            ("CHATPUSH_TEST_REDIS_URL", redis::url(&redis::socket(folder))),
            ("CHATPUSH_TEST_REDIS_SOCKET", redis::socket(folder).display().to_string()),
            ("CHATPUSH_TEST_MYSQL_SOCKET", mariadb::socket(folder).display().to_string()),
            ("CHATPUSH_TEST_MYSQL_URL", mariadb::url(&mariadb::socket(folder), DATABASE)),
            ("CHATPUSH_TEST_MYSQL_DATABASE", DATABASE.to_owned()),
            ("CHATPUSH_TEST_MYSQL_USER", mariadb::USER.to_owned()),
            ("CHATPUSH_TEST_MYSQL_PASSWORD", mariadb::PASSWORD.to_owned()),
            ("CHATPUSH_TEST_HTTP_URL", self.url()),
            ("CHATPUSH_TEST_WS_URL", format!("ws://127.0.0.1:{}/ws", self.ports.0)),
            ("CHATPUSH_TEST_SECRET", self.secret.clone()),
            ("CHATPUSH_TEST_PREFIX", PREFIX.to_owned()),
            ("CHATPUSH_EXTENSION", artifacts::extension()?),
            ("CHATPUSH_DAEMON", artifacts::daemon()?),
        ])
    }

    /// The options of a PHP command that uses the stack.
    pub(crate) fn php_options(&self) -> anyhow::Result<Vec<String>> {
        let directives =
            directives(self.folder(), &self.secret).map(|(name, value)| format!("{name}={value}"));
        let extension = format!("extension={}", artifacts::extension()?);
        let options = [extension].into_iter().chain(directives);
        Ok(options.flat_map(|option| ["-d".to_owned(), option]).collect())
    }

    /// The environment by which PHP finds the database.
    pub(crate) fn database(&self) -> [(&'static str, String); 4] {
        database(self.folder())
    }

    /// Kills the daemon with SIGKILL. Does nothing if it is down.
    pub fn kill_daemon(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.kill();
            eprintln!("chatpushd          killed");
        }
    }

    /// Starts the daemon on the same ports and waits until it is ready. Does nothing if it runs.
    pub async fn start_daemon(&mut self) -> anyhow::Result<()> {
        // It may also have ended without us.
        if self.daemon.is_none() || self.daemon_has_ended() {
            self.daemon = None;
            self.daemon = Some(Daemon::start_at(self.folder.path(), &self.configuration, self.ports).await?);
            eprintln!("chatpushd          started again");
        }
        Ok(())
    }

    /// Whether the daemon has ended without [`Self::kill_daemon`].
    pub(crate) fn daemon_has_ended(&self) -> bool {
        self.daemon.as_ref().is_some_and(|daemon| !daemon.process().is_running())
    }

    /// Starts the daemon on the same ports, without waiting until it is ready.
    pub(crate) fn launch_daemon(&mut self) -> anyhow::Result<()> {
        let daemon = Daemon::launch_at(self.folder.path(), &self.configuration, self.ports)?;
        eprintln!("chatpushd          has ended; started again, process {}", daemon.process().pid());
        self.daemon = Some(daemon);
        Ok(())
    }

    /// The URL of nginx, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// The port of nginx.
    pub const fn port(&self) -> u16 {
        self.nginx.port()
    }

    /// The folder with data and logs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Keeps the folder when this is dropped.
    pub fn keep(&mut self) {
        self.folder.keep();
    }
}

/// The settings of the extension.
fn directives(folder: &Path, secret: &str) -> [(&'static str, String); 3] {
    [
        ("chatpush.redis_url", redis::url(&redis::socket(folder))),
        ("chatpush.prefix", PREFIX.to_owned()),
        ("chatpush.secret", secret.to_owned()),
    ]
}

/// Where the pages find the database.
fn database(folder: &Path) -> [(&'static str, String); 4] {
    [
        ("CHAT_MYSQL_SOCKET", mariadb::socket(folder).display().to_string()),
        ("CHAT_MYSQL_DATABASE", DATABASE.to_owned()),
        ("CHAT_MYSQL_USER", mariadb::USER.to_owned()),
        ("CHAT_MYSQL_PASSWORD", mariadb::PASSWORD.to_owned()),
    ]
}
