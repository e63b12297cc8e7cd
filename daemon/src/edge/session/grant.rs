//! The grant of a session: its rooms, its peers, and the events it may send to them.

use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::frame::live;
use chatpush_wire::grant::Grant;
use chatpush_wire::id::UserId;
use chatpush_wire::room::Room;
use chatpush_wire::token::{TokenError, VerifiedToken};
use futures_util::future::join_all;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_util::task::AbortOnDropHandle;

use super::end::Step;
use super::{Session, instant_of};
use crate::base::{clock, metrics};
use crate::edge::events::ClientEvent;
use crate::fanout::subscriptions::Subscriptions;
use crate::hub::watching::Watch;
use crate::hub::{Membership, Outgoing, Topic};

/// A grant in force.
#[derive(Debug)]
pub(super) struct ActiveGrant {
    /// Confirms the grant once what is pushed to its rooms arrives.
    _confirmation: AbortOnDropHandle<()>,
    rooms: RoomsGuard,
    watch: Option<WatchGuard>,
    token: VerifiedToken,
    expires: Instant,
    /// The events of the current second, and when it began.
    events: (u32, Instant),
}

/// The rooms of a session. Dropping it leaves them, and unsubscribes where nobody is left.
#[derive(Debug)]
struct RoomsGuard {
    membership: Membership,
    subscriptions: Subscriptions,
}

/// The peers of a session. Dropping it forgets them, and unsubscribes if nobody is watched any more.
#[derive(Debug)]
struct WatchGuard {
    // Fields are dropped in this order. The subscriptions look into the hub, so the hub goes first.
    watch: Arc<Watch>,
    _notice: UnwatchNotice,
}

/// Tells the subscriptions, when it is dropped, that fewer are watched.
#[derive(Debug)]
struct UnwatchNotice(Subscriptions);

impl ActiveGrant {
    /// When it ends.
    pub(super) const fn expires(&self) -> Instant {
        self.expires
    }

    /// Whether tokens from before this second include it.
    pub(super) fn is_from_before(&self, second: u64) -> bool {
        self.token.is_from_before(second)
    }

    /// Whether the events of this second are not more than `most` with one more.
    fn counts_event(&mut self, now: Instant, most: u32) -> bool {
        let (count, began) = &mut self.events;
        if now.duration_since(*began) >= Duration::from_secs(1) {
            (*count, *began) = (0, now);
        }
        *count += 1;
        *count <= most
    }
}

impl Session<'_> {
    /// Takes a grant in place of the one before. One that is refused changes nothing, and the client is told.
    pub(super) async fn on_grant(&mut self, text: &str) -> Step {
        let verified = self.context.verifier.verify_grant(text, clock::unix_seconds());
        let allowed = verified.and_then(|grant| {
            self.credentials.allow(&grant.token)?;
            Ok(grant)
        });
        match allowed {
            Ok(grant) => {
                self.take_grant(grant);
                Ok(())
            }
            Err(error) => self.refuse_grant(error).await,
        }
    }

    /// Ends the grant, and says why.
    pub(super) async fn end_grant(&mut self, error: TokenError) -> Step {
        self.grant = None;
        self.refuse_grant(error).await
    }

    async fn refuse_grant(&mut self, error: TokenError) -> Step {
        let user = self.registration.user();
        tracing::debug!(%user, %error, "no grant");
        let frame = live::grant_ended(&error.to_string());
        self.send(Message::Text(Utf8Bytes::from(frame))).await
    }

    fn take_grant(&mut self, Grant { token, peers, rooms }: Grant) {
        let subscriptions = &self.context.subscriptions;
        let before = self.grant.take();
        // A room or a peer in both grants is not left in between.
        let (mut guard, last_watch) = match before.map(|before| *before) {
            Some(ActiveGrant { rooms, watch, .. }) => (rooms, watch),
            None => (RoomsGuard::new(self.registration.membership(), subscriptions.clone()), None),
        };
        guard.change(rooms);
        let watch = (!peers.is_empty())
            .then(|| WatchGuard::new(self.registration.watch(peers), subscriptions.clone()));
        drop(last_watch);
        let confirmation = self.confirm_grant(&guard, watch.as_ref(), token.expires);
        self.grant = Some(Box::new(ActiveGrant {
            _confirmation: confirmation,
            rooms: guard,
            watch,
            expires: instant_of(token.expires),
            token,
            events: (0, Instant::now()),
        }));
    }

    /// Confirms the grant and begins to watch, once this daemon is subscribed to all that it needs.
    fn confirm_grant(
        &self,
        rooms: &RoomsGuard,
        watch: Option<&WatchGuard>,
        until: u64,
    ) -> AbortOnDropHandle<()> {
        let rooms = rooms.membership.rooms().iter().cloned().map(Topic::Room);
        let topics: Vec<_> = rooms.chain(watch.map(|_| Topic::Presence)).collect();
        let watch = watch.map(|guard| Arc::downgrade(&guard.watch));
        let subscriptions = self.context.subscriptions.clone();
        let sender = self.registration.sender();
        AbortOnDropHandle::new(tokio::spawn(async move {
            join_all(topics.iter().map(|topic| subscriptions.subscribed(topic))).await;
            sender.push(&Outgoing::new(Utf8Bytes::from(live::granted(until)), None));
            if let Some(watch) = watch.and_then(|watch| watch.upgrade()) {
                watch.begin();
            }
        }))
    }

    /// Sends an event to a peer. What is not allowed, or too much, is dropped and counted.
    pub(super) fn on_event(&mut self, event: ClientEvent) {
        let most = self.context.limits.events;
        let Some(grant) = &mut self.grant else { return metrics::EVENTS_DROPPED.increment("peer") };
        if !grant.counts_event(Instant::now(), most) {
            return metrics::EVENTS_DROPPED.increment("rate");
        }
        let to = event.to.of_type(self.context.verifier.user_ids).ok();
        let is_peer = |user: &UserId| grant.watch.as_ref().is_some_and(|guard| guard.watch.has(user));
        match to.filter(is_peer) {
            Some(to) => self.context.events.enqueue(self.registration.user(), to, event),
            None => metrics::EVENTS_DROPPED.increment("peer"),
        }
    }
}

impl RoomsGuard {
    fn new(membership: Membership, subscriptions: Subscriptions) -> Self {
        Self { membership, subscriptions }
    }

    fn change(&mut self, rooms: Vec<Room>) {
        for room in self.membership.change(rooms) {
            self.subscriptions.on_left(Topic::Room(room));
        }
    }
}

impl Drop for RoomsGuard {
    fn drop(&mut self) {
        self.change(Vec::new());
    }
}

impl WatchGuard {
    fn new(watch: Watch, subscriptions: Subscriptions) -> Self {
        Self { watch: Arc::new(watch), _notice: UnwatchNotice(subscriptions) }
    }
}

impl Drop for UnwatchNotice {
    fn drop(&mut self) {
        self.0.on_left(Topic::Presence);
    }
}
