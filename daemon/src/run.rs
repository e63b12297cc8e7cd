//! `chatpushd run`: puts the daemon together, serves, and stops in order.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::announce::connected::Connected;
use crate::announce::gone::Gone;
use crate::barrier::Barrier;
use crate::cli;
use crate::config::{Config, OutboxLimits, Webhook};
use crate::edge::acks::{self, Acks};
use crate::edge::admission::Admission;
use crate::edge::events::Events;
use crate::edge::handshake::{self, HandshakePolicy};
use crate::edge::listener::Listener;
use crate::edge::push_requests::PushRequests;
use crate::edge::replay::Replay;
use crate::edge::revocations::Revocations;
use crate::edge::session::context::SessionContext;
use crate::edge::sessions::Sessions;
use crate::edge::tls::{LoadedTls, Tls};
use crate::fanout::connection_queries::ConnectionQueries;
use crate::fanout::dispatch::{Dispatcher, Queues};
use crate::fanout::presence::Presence;
use crate::fanout::room_queries::RoomQueries;
use crate::fanout::subscriber::Subscriber;
use crate::fanout::subscriptions::Subscriptions;
use crate::hub::{Bounds, Hub, drain};
use crate::installation;
use crate::net::https;
use crate::notify::Notifier;
use crate::notify::returned::Returned;
use crate::ops::admin::{self, Admin};
use crate::ops::reload::Reloader;
use crate::ops::service_manager::Manager;
use crate::ops::{logging, process, rlimit, signals};
use crate::query::queue::{QueryQueue, QueuedQuery};
use crate::query::server::QueryServer;
use crate::services::Services;
use crate::web_push::WebPushes;
use crate::web_push::subscriptions::Subscriptions as PushSubscriptions;
use crate::webhook::Webhooks;
use crate::writer::Writer;

/// How long each step of stopping may take, besides the drain. All steps together take at most ten seconds.
const STOP_STEP_TIMEOUT: Duration = Duration::from_millis(2_500);

/// How long the last clients may take to answer their close frames.
const CLOSED_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the database connections may take to close.
const STORE_CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// The two addresses that the daemon listens on.
#[derive(Debug)]
struct Listeners {
    /// For browsers.
    public: TcpListener,
    /// For health and metrics.
    admin: TcpListener,
}

/// Serves until SIGTERM or SIGINT. SIGHUP reads the configuration again.
///
/// # Errors
///
/// When an address cannot be listened on, or the certificate cannot be used. Redis and MySQL may be away; the
/// daemon waits for them.
pub async fn until_signalled(config: Config) -> anyhow::Result<ExitCode> {
    process::started();
    config.live.change(|live| rlimit::raise_and_apply(&mut live.limits));
    let tls = Arc::new(Tls::new(LoadedTls::load(config.live.get().tls.as_ref())?));
    let listeners = Listeners {
        public: listen(config.listen, "CHATPUSH_LISTEN").await?,
        admin: listen(config.admin_listen, "CHATPUSH_ADMIN_LISTEN").await?,
    };
    let stop = CancellationToken::new();
    let manager = Manager::of_environment();
    signals::handle(stop.clone(), Reloader::new(config.clone(), tls.clone(), manager.clone()))?;
    run(config, listeners, (tls, manager), stop).await
}

async fn listen(address: std::net::SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} ({setting})"))
}

/// Serves until `stop` is cancelled, then stops: no new connections, close frames to the clients, the last
/// batch.
async fn run(
    config: Config,
    listeners: Listeners,
    (tls, manager): (Arc<Tls>, Option<Manager>),
    stop: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let services = Services::new(config);
    if let Err(error) = installation::agree(&services, installation::START_TIMEOUT).await
        && error.is_final()
    {
        let error = anyhow::Error::new(error).context("this daemon does not fit its Redis or its database");
        logging::report_fatal(&error, services.config.log_json);
        return Ok(ExitCode::from(cli::EX_CONFIG));
    }
    warn_about_https(&services.config);
    let barrier = Barrier::new(services.clone());
    let webhooks = webhooks(&services, &barrier)?;
    let web_pushes = web_pushes(&services, &barrier)?;
    let daemon =
        Daemon::start(services.clone(), listeners, (tls, manager, (webhooks, web_pushes), barrier), &stop);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), listen = %services.config.listen, "serving");
    stop.cancelled().await;
    daemon.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// What tells of users who are due, beside jobs of the application.
type Exits = (Option<Webhooks>, Option<WebPushes>);

/// The tasks of a running daemon, in the order in which they stop.
struct Daemon {
    services: Arc<Services>,
    hub: Arc<Hub>,
    /// The connections whose session has ended.
    closing: TaskTracker,
    /// Accepts connections until the daemon stops.
    listener: JoinHandle<()>,
    /// Serve the connections until they are closed: subscriptions, queries, acknowledgements.
    connected: TaskTracker,
    stop_connected: CancellationToken,
    /// Outlives the connections, whose last acknowledgements it applies.
    writer: TaskTracker,
    admin: JoinHandle<std::io::Result<()>>,
    stop_writer: CancellationToken,
}

impl Daemon {
    fn start(
        services: Arc<Services>,
        listeners: Listeners,
        (tls, manager, (webhooks, web_pushes), barrier): (Arc<Tls>, Option<Manager>, Exits, Barrier),
        stop: &CancellationToken,
    ) -> Self {
        let Services { config, .. } = &*services;
        let hub = Arc::new(Hub::new(bounds(config.outbox)));
        let subscriptions = Subscriptions::new(hub.clone());
        let lease = services.lease();
        let (stop_connected, stop_writer) = (CancellationToken::new(), CancellationToken::new());

        let writer = TaskTracker::new();
        let present = subscriptions.watch_up();
        if services.store.is_some() {
            writer.spawn(Writer::new(&services, lease.clone(), present).run(stop_writer.clone()));
        }

        if let Some(notify) = config.notify {
            let notifier = Notifier::new(services.clone(), lease.clone(), barrier.clone(), notify);
            writer.spawn(notifier.run(stop_writer.clone()));
        }
        if let Some(webhooks) = webhooks {
            writer.spawn(webhooks.run(stop_writer.clone()));
        }
        if let Some(web_pushes) = web_pushes {
            writer.spawn(web_pushes.run(stop_writer.clone()));
        }

        let connected = TaskTracker::new();
        let (followed, followed_until) = (services.clone(), stop_connected.clone());
        connected.spawn(async move {
            followed_until.run_until_cancelled(followed.commands.connector().follow_master()).await;
        });
        let conversations = config.mysql.as_ref().is_some_and(|mysql| mysql.names.unread_by_conversation);
        let stored = (services.store.is_some(), conversations);
        let generation = services.generation.clone();
        let (acks, entries) =
            Acks::new(stored, barrier.clone(), hub.clone(), stop_connected.clone(), generation);
        connected.spawn(acks::run(services.clone(), entries));
        let (queries, queue) = QueryQueue::new();
        let (room_queries, queued) = RoomQueries::new();
        connected.spawn(queued.serve(services.clone(), hub.clone()));
        let (connection_queries, queued) = ConnectionQueries::new();
        connected.spawn(queued.serve(services.clone(), hub.clone()));
        let presence = Presence::new(hub.clone(), config.user_id_type);
        connected.spawn(presence.clone().run(services.clone(), stop_connected.clone()));
        let dispatcher = dispatcher(
            &services,
            hub.clone(),
            Queues { queries, room_queries, connection_queries },
            presence.clone(),
        );
        let subscriber = Subscriber::new(services.clone(), subscriptions.clone(), dispatcher, presence);
        connected.spawn(subscriber.run(stop_connected.clone()));
        serve_queries(
            &connected,
            QueryServer::new(services.clone(), barrier.clone()),
            queue,
            &stop_connected,
        );

        let returned = Returned::new(&services);
        connected.spawn(returned.clone().run(stop_connected.clone()));
        let tells_presence = config.webhook.as_ref().is_some_and(|webhook| webhook.events.have_presence());
        let announced = Connected::new(tells_presence);
        connected.spawn(announced.clone().run(services.clone(), hub.clone(), stop_connected.clone()));
        if tells_presence {
            writer.spawn(Gone::new(services.clone(), lease.clone()).run(stop_writer.clone()));
        }
        let noted = (returned, announced);
        let replay = Replay::new(services.clone(), hub.clone(), subscriptions.clone(), barrier, noted);
        let (events, queued) = Events::new();
        connected.spawn(queued.publish(services.clone()));
        let context = session_context(&services, replay, acks, events, subscriptions.clone());
        let sessions = Sessions::new(hub.clone(), subscriptions.clone(), context);
        let closing = sessions.closing();
        let (listener, router) = public(&services, sessions, tls);
        let listener = tokio::spawn(listener.run(listeners.public, router, stop.clone()));

        let admin =
            Admin { services: services.clone(), lease, subscriptions, hub: hub.clone(), stop: stop.clone() };
        if let Some(manager) = manager {
            tokio::spawn(manager.tell(admin.clone(), stop.clone()));
        }
        let admin = tokio::spawn(
            axum::serve(listeners.admin, admin::router(admin))
                .with_graceful_shutdown(stop_writer.clone().cancelled_owned())
                .into_future(),
        );
        Self { services, hub, closing, listener, connected, stop_connected, writer, admin, stop_writer }
    }

    async fn stop(self) {
        let live = self.services.config.live.get();
        // After this nobody connects any more, so the drain closes every connection.
        if timeout(STOP_STEP_TIMEOUT, self.listener).await.is_err() {
            tracing::warn!("handshakes did not end in time");
        }
        drain::run(&self.hub, live.limits.admissions, live.drain).await;
        // A client whose close frame were cut off would not learn that the daemon only restarts.
        self.closing.close();
        let _ = timeout(CLOSED_TIMEOUT, self.closing.wait()).await;
        self.stop_connected.cancel();
        self.connected.close();
        if timeout(STOP_STEP_TIMEOUT, self.connected.wait()).await.is_err() {
            tracing::warn!(
                "acknowledgements or queries were not finished in time: messages are sent again, callers time out"
            );
        }
        self.stop_writer.cancel();
        self.writer.close();
        if timeout(STOP_STEP_TIMEOUT, self.writer.wait()).await.is_err() {
            tracing::warn!("the last batch was not finished in time; it waits in the log");
        }
        self.admin.abort();
        if let Some(store) = self.services.store.clone() {
            let _ = timeout(STORE_CLOSE_TIMEOUT, store.close()).await;
        }
        tracing::info!("stopped");
    }
}

/// Says what would let every webhook and every notification fail. Everything else goes on.
fn warn_about_https(config: &Config) {
    if config.uses_https()
        && let Err(error) = https::trusted_authorities()
    {
        tracing::error!("trusted authorities: {error}");
    }
    if let Some(Webhook { url, timeout, .. }) = config.webhook.clone() {
        tokio::spawn(async move {
            if let Err(error) = https::reach(&url, timeout).await {
                tracing::warn!("webhook.url: {error}");
            }
        });
    }
}

/// What tells the application what happens, if it is to be told.
fn webhooks(services: &Arc<Services>, barrier: &Barrier) -> anyhow::Result<Option<Webhooks>> {
    let Config { notify, webhook: Some(webhook), .. } = &services.config else { return Ok(None) };
    let webhooks = Webhooks::new(services, &services.lease(), barrier, *notify, webhook.clone());
    Ok(Some(webhooks.context("webhook.url")?))
}

/// What tells browsers of users who are due, if they are told.
fn web_pushes(services: &Arc<Services>, barrier: &Barrier) -> anyhow::Result<Option<WebPushes>> {
    let Config { notify: Some(notify), web_push: Some(web_push), .. } = &services.config else {
        return Ok(None);
    };
    let web_pushes = WebPushes::new(services, services.lease(), barrier, *notify, web_push.clone());
    Ok(Some(web_pushes.context("web_push.ca")?))
}

fn bounds(limits: OutboxLimits) -> Bounds {
    Bounds { frames: limits.frames, bytes: limits.bytes, total: limits.total_bytes }
}

fn dispatcher(services: &Services, hub: Arc<Hub>, queues: Queues, presence: Presence) -> Dispatcher {
    let Services { prefix, daemon, config, .. } = services;
    let installation = (prefix.clone(), config.user_id_type);
    Dispatcher::new(hub, queues, presence, installation, daemon.clone(), &config.default_type)
}

fn serve_queries(
    tasks: &TaskTracker,
    server: QueryServer,
    queue: mpsc::Receiver<QueuedQuery>,
    stop: &CancellationToken,
) {
    tasks.spawn(server.clone().serve_queue(queue));
    tasks.spawn(server.serve_lists(stop.clone()));
}

fn session_context(
    services: &Arc<Services>,
    replay: Replay,
    acks: Acks,
    events: Events,
    subscriptions: Subscriptions,
) -> SessionContext {
    let config = &services.config;
    let (user_id_type, live) = (config.user_id_type, config.live.clone());
    let push_requests = PushRequests::new(PushSubscriptions::new(services.clone()));
    SessionContext { replay, acks, events, push_requests, subscriptions, user_id_type, live }
}

/// The public listener and what it serves.
fn public(services: &Arc<Services>, sessions: Sessions, tls: Arc<Tls>) -> (Listener, Router) {
    let config = &services.config;
    let admission = Admission::new(config.live.clone());
    let policy = HandshakePolicy {
        live: config.live.clone(),
        user_id_type: config.user_id_type,
        proxy_protocol: config.proxy_protocol,
        revocations: Revocations::new(services.clone()),
        admission: admission.clone(),
    };
    let listener = Listener::new(admission, config.live.clone(), config.proxy_protocol, tls);
    let vapid_key = config.web_push.as_ref().map(|web_push| web_push.keys.public().clone());
    (listener, handshake::router(policy, sessions, vapid_key))
}
