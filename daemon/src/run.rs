//! `chatpushd run`: everything together, from the listeners to the last goodbye.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::serve::ListenerExt as _;
use redis::Client;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::Commands;
use crate::bus::lease::Lease;
use crate::config::Config;
use crate::confirm::{self, Confirms};
use crate::delivery::Delivery;
use crate::flush::Flush;
use crate::http::{self, Door, Readiness};
use crate::hub::Hub;
use crate::position::Positions;
use crate::presence::Presence;
use crate::reader::Reader;
use crate::repair::Repair;
use crate::session::Sessions;
use crate::store::Store;
use crate::writer::Writer;

/// How long each of the three steps of stopping may take; together they stay below ten seconds.
const STEP: Duration = Duration::from_secs(3);

/// The two places the daemon listens at.
#[derive(Debug)]
pub struct Listeners {
    /// For browsers.
    pub browsers: TcpListener,
    /// For health and metrics.
    pub admin: TcpListener,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
///
/// When an address cannot be listened at. Redis and MySQL may be away; they are waited for.
pub async fn until_signalled(config: Config) -> anyhow::Result<ExitCode> {
    let browsers = listen(config.listen, "CHATPUSH_LISTEN").await?;
    let admin = listen(config.admin_listen, "CHATPUSH_ADMIN_LISTEN").await?;
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        told.cancel();
    });
    run(config, Listeners { browsers, admin }, stop).await?;
    Ok(ExitCode::SUCCESS)
}

/// Serves until `stop` is cancelled, then stops in order: no new work, goodbye to the clients, the last
/// batch. Takes at most ten seconds for it.
///
/// # Errors
///
/// When the Redis address cannot be used.
pub async fn run(config: Config, listeners: Listeners, stop: CancellationToken) -> anyhow::Result<()> {
    let client = Client::open(config.redis.clone()).context("CHATPUSH_REDIS_URL")?;
    let commands = Commands::new(client.clone());
    let store = Store::new(&config.mysql);
    let positions = Arc::new(Positions::default());
    let hub = Arc::new(Hub::default());
    let prefix = config.prefix.clone();
    let name = name();
    let presence = Presence::new(hub.clone(), prefix.clone(), name.clone());
    let delivery = Delivery::new(hub.clone(), prefix.clone(), &config.default_type);
    let lease = Lease::new(commands.clone(), &prefix, name);
    let (confirms, entries) = Confirms::new();
    let flush = Flush {
        commands: commands.clone(),
        prefix: prefix.clone(),
        store: store.clone(),
        positions: positions.clone(),
        presence: presence.clone(),
        default_type: config.default_type.clone(),
        rows: config.flush_on_connect,
    };
    let sessions =
        Sessions { hub: hub.clone(), presence: presence.clone(), flush, confirms, stop: stop.clone() };
    let readiness = Readiness {
        commands: commands.clone(),
        store: store.clone(),
        presence: presence.clone(),
        lease: lease.clone(),
        hub: hub.clone(),
    };
    let reader = Reader {
        commands: commands.clone(),
        prefix: prefix.clone(),
        store: store.clone(),
        positions: positions.clone(),
    };
    let writer = Writer {
        commands: commands.clone(),
        prefix: prefix.clone(),
        store: store.clone(),
        lease,
        present: presence.ups(),
        positions: positions.clone(),
        count_unread: config.count_unread,
    };

    let secrets: Vec<_> = std::iter::once(config.secret).chain(config.previous_secrets).collect();
    let door = Door { secrets: secrets.into(), origins: config.allowed_origins };
    let repair =
        Repair { commands: commands.clone(), prefix: prefix.clone(), store: store.clone(), positions };

    // The writer outlives the clients, whose last confirmations it still applies.
    let finish = CancellationToken::new();
    let (front, log, back) = (TaskTracker::new(), TaskTracker::new(), TaskTracker::new());
    back.spawn(writer.run(finish.clone()));
    log.spawn(confirm::run(commands, prefix, entries));
    front.spawn(presence.run(client, repair, delivery, stop.clone()));
    front.spawn(reader.run(stop.clone()));
    front.spawn(serve(listeners.browsers, http::browsers(door, sessions), stop.clone()));
    let admin = tokio::spawn(serve(listeners.admin, http::admin(readiness), finish.clone()));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), listen = %config.listen, "serving");

    stop.cancelled().await;
    for (tracker, what) in [(&front, "clients"), (&log, "confirmations")] {
        tracker.close();
        let clients = async {
            tracker.wait().await;
            // Upgraded sockets are no longer the server's (axum's graceful shutdown passes them by); each
            // session closes its own and leaves the hub.
            while hub.connections() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if timeout(STEP, clients).await.is_err() {
            tracing::warn!(what, "not finished in time");
        }
    }
    finish.cancel();
    back.close();
    if timeout(STEP, back.wait()).await.is_err() {
        tracing::warn!("the last batch was not finished in time; it waits in the log");
    }
    admin.abort();
    let _ = timeout(Duration::from_millis(500), store.close()).await;
    tracing::info!("stopped");
    Ok(())
}

async fn listen(address: std::net::SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address} ({setting})"))
}

async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    // Frames are small and wanted at once, so they must not wait for more (Nagle's algorithm).
    let listener = listener.tap_io(|socket| {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
    });
    let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
    if let Err(error) = served {
        tracing::error!(%error, "a listener has failed");
    }
}

/// A name that no other daemon has: where it runs and when it started.
fn name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    // Redis takes no spaces in the name of a connection.
    let host: String = host.chars().filter(char::is_ascii_graphic).collect();
    format!("chatpushd:{host}:{}:{:08x}", std::process::id(), fastrand::u32(..))
}
