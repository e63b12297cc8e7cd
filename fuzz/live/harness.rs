//! Redis, MariaDB and a daemon, and a reference client that must receive its messages.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use chatpush_stack::daemon::Daemon;
use chatpush_stack::folder::Folder;
use chatpush_stack::mariadb::{self, MariaDb};
use chatpush_stack::redis::Redis;
use chatpush_stack::wait::until;
use chatpush_wire::envelope;
use chatpush_wire::id::UserId;
use chatpush_wire::key::Prefix;
use chatpush_wire::token::{self, Secret};
use futures_util::StreamExt as _;
use redis::aio::MultiplexedConnection;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// The daemon's secret.
const SECRET: &str = "a secret for the fuzzer, and nothing else";

/// Limit for each wait of the reference client.
const STEP_TIMEOUT: Duration = Duration::from_secs(20);

/// The user id of the reference client.
const REFERENCE_USER: i64 = 1;

/// The user id in the tokens of the mutated clients.
pub(crate) const FUZZ_USER: i64 = 2;

/// The running servers, and the reference client.
pub(crate) struct Harness {
    // Fields are dropped in this order: the client first, then the daemon, then its servers.
    client: WebSocketStream<MaybeTlsStream<TcpStream>>,
    publisher: MultiplexedConnection,
    daemon: Daemon,
    _mariadb: MariaDb,
    _redis: Redis,
    folder: Folder,
    sent: u64,
}

impl Harness {
    /// Starts the servers and connects the reference client.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let temporary = Folder::new()?;
        let folder = temporary.path();
        let redis = Redis::start(folder).await?;
        MariaDb::install(folder).await?;
        let mariadb = MariaDb::start(folder).await?;
        mariadb::create_database(folder, "fuzz").await?;
        let environment = [
            ("CHATPUSH_REDIS_URL", redis.url()),
            ("CHATPUSH_MYSQL_URL", mariadb::url(&mariadb::socket(folder), "fuzz")),
            ("CHATPUSH_SECRET", SECRET.to_owned()),
            // At this level, errors of clients are not logged.
            ("CHATPUSH_LOG", "info".to_owned()),
        ];
        let migrated = Daemon::command(folder, &environment, &["migrate"]).await?;
        ensure!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        let daemon = Daemon::start(folder, &environment).await?;
        let publisher =
            redis::Client::open(redis.url())?.get_multiplexed_async_connection().await.context("Redis")?;
        let url = format!("ws://127.0.0.1:{}/ws?token={}", daemon.port(), token_of(REFERENCE_USER)?);
        let (client, _) = timeout(STEP_TIMEOUT, connect_async(url)).await??;
        let mut harness =
            Self { client, publisher, daemon, _mariadb: mariadb, _redis: redis, folder: temporary, sent: 0 };
        harness.check().await?;
        Ok(harness)
    }

    /// The port for clients.
    pub(crate) const fn port(&self) -> u16 {
        self.daemon.port()
    }

    /// Keeps the folder with data and logs, and prints its path.
    pub(crate) fn keep(&mut self) {
        self.folder.keep();
        eprintln!("The daemon's log is in {}", self.folder.path().display());
    }

    /// Checks that the daemon answers, has not panicked, and serves the reference client.
    pub(crate) async fn check(&mut self) -> anyhow::Result<()> {
        let health = self.daemon.get("/health").await;
        ensure!(health.starts_with("HTTP/1.1 200"), "/health answers {health:?}");
        let log = self.daemon.log();
        if let Some(line) = log.lines().find(|line| line.contains("panicked")) {
            bail!("the daemon's log says: {line}");
        }
        self.sent += 1;
        let text = format!("{{\"data\":\"message {}\"}}", self.sent);
        let user = UserId::try_from(REFERENCE_USER)?;
        // The daemon subscribes after the handshake, so the first message may be too early.
        let arrived = timeout(STEP_TIMEOUT, async {
            while redis::cmd("SPUBLISH")
                .arg(Prefix::default().user_channel(&user))
                .arg(format!("{}{text}", envelope::EPHEMERAL))
                .query_async::<u32>(&mut self.publisher)
                .await?
                == 0
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            while let Some(message) = self.client.next().await {
                if message? == Message::text(text.as_str()) {
                    return Ok(());
                }
            }
            bail!("the reference client was closed")
        });
        arrived.await.with_context(|| format!("message {} does not arrive", self.sent))?
    }

    /// Checks that the daemon has no other connection left.
    pub(crate) async fn check_idle(&mut self) -> anyhow::Result<()> {
        let metrics = async || self.daemon.get("/metrics").await;
        let log = self.folder.path().join("metrics");
        until("only the reference client is connected", &log, async || {
            // Of each subprotocol, and of none.
            let text = metrics().await;
            let open = text.lines().filter(|line| line.starts_with("chatpush_connections{"));
            open.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum::<u64>() == 1
        })
        .await?;
        self.check().await
    }
}

/// A token for a user, as PHP would make it.
pub(crate) fn token_of(user: i64) -> anyhow::Result<String> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    Ok(token::sign(&Secret::new(SECRET)?, UserId::try_from(user)?, None, now, 3_600 * 24))
}
