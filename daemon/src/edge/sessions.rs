//! All sessions of this daemon: registering a connection and serving it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use chatpush_wire::id::UserId;
use tokio::time::timeout;

use crate::base::metrics;
use crate::edge::admission::ConnectionPermit;
use crate::edge::limit_exceeded::LimitExceeded;
use crate::edge::session::Session;
use crate::edge::session::context::SessionContext;
use crate::edge::session::end::End;
use crate::edge::session::protocol::Protocol;
use crate::edge::session::registration::RegistrationGuard;
use crate::fanout::subscriptions::Subscriptions;
use crate::hub::Hub;
use crate::hub::close_code::Close;

/// How long the closing handshake may take (RFC 6455 section 7.1.1).
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Registers and serves connections. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    hub: Arc<Hub>,
    subscriptions: Subscriptions,
    context: Arc<SessionContext>,
}

impl Sessions {
    /// Sessions that register in `hub`.
    pub(crate) fn new(hub: Arc<Hub>, subscriptions: Subscriptions, context: SessionContext) -> Self {
        Self { hub, subscriptions, context: Arc::new(context) }
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
        let limit = self.context.limits.connections_per_user;
        let registration = self.hub.register(user, protocol.format(), limit).ok_or(LimitExceeded::User)?;
        Ok(RegistrationGuard::new(registration, self.subscriptions.clone(), permit))
    }

    /// Serves one socket until either side closes it. The token expires at `expires`, in seconds since 1970.
    pub(crate) async fn serve(
        self,
        socket: WebSocket,
        registration: RegistrationGuard,
        expires: u64,
        protocol: Protocol,
    ) {
        let user = registration.user();
        metrics::CONNECTED.add(1);
        let mut session = Session::new(socket, registration, expires, protocol, &self.context);
        let end = session.run().await;
        let (socket, registration) = session.into_parts();
        // From here on the user counts as offline; the socket counts until it is closed.
        let _permit = registration.unregister();
        if let End::Close(close) = end {
            tracing::debug!(%user, code = close.code(), "closing");
            if close == Close::Slow {
                metrics::SLOW.add(1);
            }
            let _ = timeout(CLOSE_TIMEOUT, close_handshake(socket, close)).await;
        }
    }
}

/// Sends the close frame and waits for the client's. If the frame cannot be written, the TCP close is the
/// signal.
async fn close_handshake(mut socket: WebSocket, close: Close) {
    if socket.send(Message::Close(Some(close.frame()))).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}
