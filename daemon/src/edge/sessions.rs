//! All sessions of this daemon: registering a connection and serving it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chatpush_wire::id::UserId;
use hyper::upgrade::Upgraded;
use tokio_util::task::TaskTracker;

use crate::base::{message_log, metrics};
use crate::edge::admission::ConnectionPermit;
use crate::edge::limit_exceeded::LimitExceeded;
use crate::edge::session::Session;
use crate::edge::session::context::SessionContext;
use crate::edge::session::credentials::Credentials;
use crate::edge::session::end::End;
use crate::edge::session::protocol::Protocol;
use crate::edge::session::registration::RegistrationGuard;
use crate::edge::socket::Socket;
use crate::fanout::subscriptions::Subscriptions;
use crate::hub::Hub;

/// Registers and serves connections. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    hub: Arc<Hub>,
    subscriptions: Subscriptions,
    context: Arc<SessionContext>,
    /// The closing handshakes under way.
    closing: TaskTracker,
    /// The number of the next connection.
    numbers: Arc<AtomicU64>,
}

impl Sessions {
    /// Sessions that register in `hub`.
    pub(crate) fn new(hub: Arc<Hub>, subscriptions: Subscriptions, context: SessionContext) -> Self {
        Self {
            hub,
            subscriptions,
            context: Arc::new(context),
            closing: TaskTracker::new(),
            numbers: Arc::default(),
        }
    }

    /// How many connections are registered.
    pub(crate) fn connections(&self) -> usize {
        self.hub.connections()
    }

    /// Registers one more connection of `user`.
    ///
    /// # Errors
    ///
    /// [`LimitExceeded::User`] if the user has as many connections as allowed.
    pub(crate) fn register(
        &self,
        user: UserId,
        protocol: Protocol,
        permit: ConnectionPermit,
    ) -> Result<RegistrationGuard, LimitExceeded> {
        let limit = self.context.live.get().limits.connections_per_user;
        let registration = self.hub.register(user, protocol.format(), limit).ok_or(LimitExceeded::User)?;
        Ok(RegistrationGuard::new(registration, self.subscriptions.clone(), permit))
    }

    /// Whether the user may have one more connection.
    ///
    /// # Errors
    ///
    /// [`LimitExceeded::User`] if the user has as many connections as allowed.
    pub(crate) fn check_user(&self, user: &UserId) -> Result<(), LimitExceeded> {
        let limit = self.context.live.get().limits.connections_per_user;
        if self.hub.connections_of(user) < limit { Ok(()) } else { Err(LimitExceeded::User) }
    }

    /// The closing handshakes under way, to be waited for when the daemon stops.
    pub(crate) fn closing(&self) -> TaskTracker {
        self.closing.clone()
    }

    /// Serves one upgraded connection until either side closes it.
    pub(crate) async fn serve(
        self,
        upgraded: Upgraded,
        registration: RegistrationGuard,
        credentials: Credentials,
        protocol: Protocol,
    ) {
        let user = registration.user().clone();
        let connection = self.numbers.fetch_add(1, Ordering::Relaxed);
        metrics::CONNECTED.inc();
        let open = metrics::CONNECTIONS.open(protocol.name());
        message_log::connected(&user, connection);
        let socket = Socket::new(upgraded, &self.context.live.get().limits).await;
        let mut session =
            Session::new(connection, socket, registration, credentials, protocol, &self.context);
        let end = session.run().await;
        let (socket, registration) = session.into_parts();
        // From here on the user counts as offline; the socket counts until it is closed.
        let _permit = registration.unregister();
        drop(open);
        let code = match end {
            End::Close(close) => close.code_text(),
            End::ClosedByClient => metrics::CLOSED_BY_CLIENT,
            End::Disconnected => metrics::LOST,
        };
        metrics::CLOSES.increment(code);
        message_log::closed(&user, connection, code);
        let close = match end {
            End::Close(close) => Some(close),
            End::ClosedByClient => None,
            End::Disconnected => return,
        };
        // The acknowledgements end when no session can send any. A client that is slow to close sends none.
        let Self { hub, subscriptions, context, closing, .. } = self;
        drop((hub, subscriptions, context));
        closing.track_future(socket.close(close)).await;
    }
}
