//! Redis, MariaDB and a daemon, and an honest client whose messages have to arrive.

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

/// The key of the daemon's tokens.
const SECRET: &str = "a key for an hour of nonsense, and no more";

/// Bound on each thing that the honest client waits for.
const STEP_TIMEOUT: Duration = Duration::from_secs(20);

/// Who is honest.
const REFERENCE_USER: i64 = 1;

/// Who the strangers are that have a token.
pub(crate) const FUZZ_USER: i64 = 2;

/// Everything that runs, and who looks at it.
pub(crate) struct Harness {
    // Dropped in this order: what is served from goes before what it is served by.
    client: WebSocketStream<MaybeTlsStream<TcpStream>>,
    publisher: MultiplexedConnection,
    daemon: Daemon,
    _mariadb: MariaDb,
    _redis: Redis,
    folder: Folder,
    sent: u64,
}

impl Harness {
    /// Starts everything and connects the honest client.
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
            // What the strangers do is worth a line only if it is the daemon's fault.
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

    /// Where browsers connect.
    pub(crate) const fn port(&self) -> u16 {
        self.daemon.port()
    }

    /// Leaves data and logs where they are, and says so.
    pub(crate) fn keep(&mut self) {
        self.folder.keep();
        eprintln!("The daemon's log is in {}", self.folder.path().display());
    }

    /// Everything is as it was: the daemon answers, has not panicked, and serves the honest client.
    pub(crate) async fn check(&mut self) -> anyhow::Result<()> {
        let health = self.daemon.get("/health").await;
        ensure!(health.starts_with("HTTP/1.1 200"), "/health answers {health:?}");
        let log = self.daemon.log();
        if let Some(line) = log.lines().find(|line| line.contains("panicked")) {
            bail!("the daemon's log says: {line}");
        }
        self.sent += 1;
        let text = format!("{{\"data\":\"message {}\"}}", self.sent);
        let honest = UserId::try_from(REFERENCE_USER)?;
        // The daemon subscribes after the handshake: the first message may be too early.
        let arrived = timeout(STEP_TIMEOUT, async {
            while redis::cmd("SPUBLISH")
                .arg(Prefix::default().user_channel(honest))
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
            bail!("the honest client was closed")
        });
        arrived.await.with_context(|| format!("message {} does not arrive", self.sent))?
    }

    /// The strangers are gone, and the daemon holds nothing of them.
    pub(crate) async fn check_idle(&mut self) -> anyhow::Result<()> {
        let metrics = async || self.daemon.get("/metrics").await;
        let log = self.folder.path().join("metrics");
        until("only the honest client is connected", &log, async || {
            metrics().await.lines().any(|line| line == "chatpush_connections 1")
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
