//! `chatpushd run`: everything together, from the listeners to the last goodbye.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use redis::Client;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::broker::Commands;
use crate::broker::lease::Lease;
use crate::config::{Config, Limits};
use crate::edge::acks::{self, Acks};
use crate::edge::admission::Admission;
use crate::edge::handshake::{self, HandshakePolicy};
use crate::edge::listener::Listener;
use crate::edge::replay::{self, Replay};
use crate::edge::session::Sessions;
use crate::edge::tls::Tls;
use crate::fanout::dispatch::Dispatcher;
use crate::fanout::log_repair::LogRepair;
use crate::fanout::subscriptions::Subscriptions;
use crate::hub::drain;
use crate::hub::{Bounds, Hub};
use crate::log::position::Positions;
use crate::net::client_ip::TrustedProxies;
use crate::ops::admin::{self, Readiness};
use crate::ops::rlimit;
use crate::query::queue::QueryQueue;
use crate::query::server::{self, QueryServer};
use crate::store::Store;
use crate::writer::Writer;

/// How long each of the steps of stopping may take beside the time over which clients are told; together they
/// stay below ten seconds.
const STEP: Duration = Duration::from_millis(2_500);

/// The two places the daemon listens at.
#[derive(Debug)]
pub struct Listeners {
    /// For browsers.
    pub browsers: TcpListener,
    /// Their certificate, if TLS is spoken there.
    pub tls: Option<Arc<Tls>>,
    /// For health and metrics.
    pub admin: TcpListener,
}

/// Serves until SIGTERM or SIGINT. SIGHUP reads the certificate again.
///
/// # Errors
///
/// When an address cannot be listened at, or the certificate cannot be used. Redis and MySQL may be away; they
/// are waited for.
pub async fn until_signalled(config: Config) -> anyhow::Result<ExitCode> {
    let config = within_files(config, rlimit::raise_limit());
    let tls = config.tls.clone().map(Tls::load).transpose()?.map(Arc::new);
    let browsers = listen(config.listen, "CHATPUSH_LISTEN").await?;
    let admin = listen(config.admin_listen, "CHATPUSH_ADMIN_LISTEN").await?;
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
    let (told, certificate) = (stop.clone(), tls.clone());
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => reload(certificate.as_deref()),
            }
        }
        tracing::info!("stopping; Ctrl-C ends it at once");
        told.cancel();
        // Supervisors repeat SIGTERM; a person at the terminal means it. What is not written waits in the log.
        interrupt.recv().await;
        std::process::exit(1);
    });
    run(config, Listeners { browsers, tls, admin }, stop).await?;
    Ok(ExitCode::SUCCESS)
}

/// As many connections as there can be files for.
fn within_files(mut config: Config, files: Option<u64>) -> Config {
    let room = files.map(rlimit::connections).and_then(|room| usize::try_from(room).ok());
    if let Some(room) = room.filter(|room| *room < config.limits.connections) {
        tracing::warn!(
            connections = room,
            "fewer than limits.connections: the open-file limit allows no more (LimitNOFILE in systemd)"
        );
        config.limits.connections = room;
    }
    config
}

fn reload(tls: Option<&Tls>) {
    match tls.map(Tls::reload) {
        Some(Ok(())) => tracing::info!("the certificate was read again"),
        Some(Err(error)) => tracing::error!(%error, "the certificate stays as it was"),
        None => tracing::info!("SIGHUP: there is no certificate to read again"),
    }
}

/// Serves until `stop` is cancelled, then stops in order: no new connections, goodbye to the clients, the last
/// batch. Takes at most ten seconds for it beside those over which clients are told.
///
/// # Errors
///
/// When the Redis address cannot be used.
pub async fn run(config: Config, listeners: Listeners, stop: CancellationToken) -> anyhow::Result<()> {
    let client = Client::open(config.redis.clone()).context("CHATPUSH_REDIS_URL")?;
    let commands = Commands::new(client.clone());
    let store = Store::new(&config.mysql);
    let positions = Arc::new(Positions::default());
    let limits = config.limits;
    let (entrance, door) = doors(&config, listeners.tls);
    let hub = Arc::new(Hub::new(bounds(&limits)));
    let verifier = config.verifier();
    let prefix = config.prefix;
    let name = name();
    let subscriptions = Subscriptions::new(hub.clone(), prefix.clone(), name.clone());
    let (queries, asked) = QueryQueue::new();
    let dispatcher =
        Dispatcher::new(hub.clone(), queries, prefix.clone(), name.clone(), &config.default_type);
    let lease = Lease::new(commands.clone(), &prefix, name.clone());
    let (acks, entries) = Acks::new();
    let flush = Replay {
        commands: commands.clone(),
        prefix: prefix.clone(),
        store: store.clone(),
        positions: positions.clone(),
        subscriptions: subscriptions.clone(),
        default_type: config.default_type,
        rows: config.flush_on_connect,
        pages: replay::pages(),
    };
    let sessions =
        Sessions { hub: hub.clone(), subscriptions: subscriptions.clone(), flush, acks, verifier, limits };
    let readiness = Readiness {
        commands: commands.clone(),
        store: store.clone(),
        subscriptions: subscriptions.clone(),
        lease: lease.clone(),
        hub: hub.clone(),
        stop: stop.clone(),
    };
    let reader = QueryServer {
        commands: commands.clone(),
        prefix: prefix.clone(),
        name: name.clone(),
        free: server::room(),
        store: store.clone(),
        positions: positions.clone(),
    };
    let writer = Writer {
        commands: commands.clone(),
        prefix: prefix.clone(),
        store: store.clone(),
        name,
        lease,
        present: subscriptions.ups(),
        positions: positions.clone(),
        count_unread: config.count_unread,
    };
    let repair =
        LogRepair { commands: commands.clone(), prefix: prefix.clone(), store: store.clone(), positions };

    // Whoever is still connected is served until told to go, and the writer outlives the clients, whose last
    // confirmations it still applies.
    let (gone, finish) = (CancellationToken::new(), CancellationToken::new());
    let (log, back) = (TaskTracker::new(), TaskTracker::new());
    back.spawn(writer.run(finish.clone()));
    log.spawn(acks::run(commands, prefix, entries));
    log.spawn(subscriptions.run(client, repair, dispatcher, gone.clone()));
    log.spawn(reader.clone().answer_asked(asked));
    log.spawn(reader.run(gone.clone()));
    let door_closed =
        tokio::spawn(entrance.run(listeners.browsers, handshake::router(door, sessions), stop.clone()));
    let admin = tokio::spawn(
        axum::serve(listeners.admin, admin::router(readiness))
            .with_graceful_shutdown(finish.clone().cancelled_owned())
            .into_future(),
    );
    tracing::info!(version = env!("CARGO_PKG_VERSION"), listen = %config.listen, "serving");

    stop.cancelled().await;
    // Once the door is closed nobody comes any more, and all who are here are told.
    if timeout(STEP, door_closed).await.is_err() {
        tracing::warn!("handshakes were not ended in time");
    }
    drain::run(&hub, limits.admissions, config.drain).await;
    gone.cancel();
    log.close();
    if timeout(STEP, log.wait()).await.is_err() {
        tracing::warn!(
            "confirmations or look-ups were not finished in time; messages come again, callers hear nothing"
        );
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

/// Where browsers come in.
fn doors(config: &Config, tls: Option<Arc<Tls>>) -> (Listener, HandshakePolicy) {
    let admission = Admission::new(config.limits);
    let entrance = Listener {
        admission: admission.clone(),
        proxies: config.trusted_proxies.clone(),
        proxy_protocol: config.proxy_protocol,
        tls,
    };
    // Who speaks the PROXY protocol passes the client's own headers on.
    let proxies =
        if config.proxy_protocol { TrustedProxies::default() } else { config.trusted_proxies.clone() };
    let origins = config.allowed_origins.clone();
    (entrance, HandshakePolicy { verifier: config.verifier(), origins, proxies, admission })
}

/// What may wait for clients.
fn bounds(limits: &Limits) -> Bounds {
    Bounds { frames: limits.outbox_frames, bytes: limits.outbox_bytes, total: limits.outbox_total_bytes }
}

async fn listen(address: std::net::SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address} ({setting})"))
}

/// A name that no other daemon has: where it runs and when it started.
fn name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    // Redis takes no spaces in the name of a connection.
    let host: String = host.chars().filter(char::is_ascii_graphic).collect();
    format!("chatpushd:{host}:{}:{:08x}", std::process::id(), fastrand::u32(..))
}
