//! A connection's registration, from the handshake to the end of its session.

use std::ops::Deref;

use chatpush_wire::id::UserId;

use crate::edge::admission::ConnectionPermit;
use crate::fanout::subscriptions::Subscriptions;
use crate::hub::{Registration, Topic};

/// A registration in the hub. Dropping it unregisters the connection, and unsubscribes from the user's
/// channel if it was the user's last one.
#[derive(Debug)]
pub(crate) struct RegistrationGuard {
    // Fields are dropped in this order. The subscriptions look into the hub, so the hub goes first.
    registration: Registration,
    notice: UnregisterNotice,
    permit: ConnectionPermit,
}

/// Tells the subscriptions, when it is dropped, that a connection of the user is gone.
#[derive(Debug)]
struct UnregisterNotice {
    user: UserId,
    subscriptions: Subscriptions,
}

impl RegistrationGuard {
    /// Guards `registration`; the permit is held as long.
    pub(crate) fn new(
        registration: Registration,
        subscriptions: Subscriptions,
        permit: ConnectionPermit,
    ) -> Self {
        let notice = UnregisterNotice { user: registration.user().clone(), subscriptions };
        Self { registration, notice, permit }
    }

    /// Unregisters now and returns the permit, since the socket counts until it is closed.
    pub(crate) fn unregister(self) -> ConnectionPermit {
        let Self { registration, notice, permit } = self;
        drop(registration);
        drop(notice);
        permit
    }
}

impl Deref for RegistrationGuard {
    type Target = Registration;

    fn deref(&self) -> &Registration {
        &self.registration
    }
}

impl Drop for UnregisterNotice {
    fn drop(&mut self) {
        self.subscriptions.on_left(Topic::User(self.user.clone()));
    }
}
