//! The grant of a session: its rooms, its peers, and the events it may send to them.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use chatpush_wire::frame::live;
use chatpush_wire::grant::Grant;
use chatpush_wire::id::UserId;
use chatpush_wire::room::Room;
use chatpush_wire::token::{TokenError, VerifiedToken};
use futures_util::future::join_all;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{Session, instant_of};
use crate::base::{clock, metrics};
use crate::edge::events::ClientEvent;
use crate::fanout::subscriptions::Subscriptions;
use crate::hub::watching::Watch;
use crate::hub::{Membership, Outgoing, Topic};

/// A grant in force.
pub(super) struct ActiveGrant {
    /// Ready once what is pushed to its rooms arrives, and who connects is announced. Then it is confirmed.
    subscribed: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    rooms: RoomsGuard,
    watch: Option<WatchGuard>,
    token: VerifiedToken,
    expires: Instant,
}

/// What a new grant does not begin anew, or a client that sends grants again and again would have no limits.
#[derive(Debug, Default)]
pub(super) struct GrantPace {
    /// The events of the current second.
    events: u32,
    /// When that second began.
    second: Option<Instant>,
    /// When the next presence frame may be sent.
    next_presence: Option<Instant>,
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
    watch: Watch,
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

    /// Returns once the grant can be confirmed, which is once.
    pub(super) async fn subscribed(grant: &mut Option<Box<Self>>) {
        let subscribed = grant.as_mut().and_then(|grant| grant.subscribed.as_mut());
        match subscribed {
            Some(subscribed) => subscribed.await,
            None => std::future::pending().await,
        }
    }
}

impl GrantPace {
    /// Whether the events of this second are not more than `most` with one more.
    fn counts_event(&mut self, now: Instant, most: u32) -> bool {
        if self.second.is_none_or(|second| now.duration_since(second) >= Duration::from_secs(1)) {
            (self.events, self.second) = (0, Some(now));
        }
        self.events += 1;
        self.events <= most
    }
}

impl Session<'_> {
    /// Takes a grant in place of the one before. One that is refused changes nothing, and the client is told.
    pub(super) fn on_grant(&mut self, text: &str) {
        let verified = self.context.verifier().verify_grant(text, clock::unix_seconds());
        let allowed = verified.and_then(|grant| {
            self.credentials.allow(&grant.token)?;
            Ok(grant)
        });
        match allowed {
            Ok(grant) => self.take_grant(grant),
            Err(error) => self.refuse_grant(error),
        }
    }

    /// Ends the grant, and says why.
    pub(super) fn end_grant(&mut self, error: TokenError) {
        drop(self.remove_grant());
        self.refuse_grant(error);
    }

    fn refuse_grant(&self, error: TokenError) {
        let user = self.registration.user();
        tracing::debug!(%user, %error, "no grant");
        self.say(live::grant_ended(&error.to_string()));
    }

    /// Queues what is said of a grant. It must come in order, also while stored messages are sent.
    fn say(&self, frame: String) {
        self.registration.push(&Outgoing::new(Utf8Bytes::from(frame), None));
    }

    fn remove_grant(&mut self) -> Option<ActiveGrant> {
        let grant = *self.grant.take()?;
        if let Some(guard) = &grant.watch {
            self.pace.next_presence = guard.watch.not_before();
        }
        Some(grant)
    }

    fn take_grant(&mut self, Grant { token, peers, rooms }: Grant) {
        let subscriptions = &self.context.subscriptions;
        // A room or a peer in both grants is not left in between.
        let (mut guard, last_watch) = match self.remove_grant() {
            Some(ActiveGrant { rooms, watch, .. }) => (rooms, watch),
            None => (RoomsGuard::new(self.registration.membership(), subscriptions.clone()), None),
        };
        guard.change(rooms);
        let watch = (!peers.is_empty()).then(|| WatchGuard {
            watch: self.registration.watch(peers, self.pace.next_presence),
            _notice: UnwatchNotice(subscriptions.clone()),
        });
        drop(last_watch);
        self.grant = Some(Box::new(ActiveGrant {
            subscribed: Some(self.subscribe(&guard, watch.as_ref())),
            rooms: guard,
            watch,
            expires: instant_of(token.expires),
            token,
        }));
    }

    /// Returns once this daemon is subscribed to all that a grant needs.
    fn subscribe(
        &self,
        rooms: &RoomsGuard,
        watch: Option<&WatchGuard>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let rooms = rooms.membership.rooms().iter().cloned().map(Topic::Room);
        let topics: Vec<_> = rooms.chain(watch.into_iter().flat_map(|_| Topic::presence())).collect();
        let subscriptions = self.context.subscriptions.clone();
        Box::pin(async move {
            join_all(topics.iter().map(|topic| subscriptions.subscribed(topic))).await;
        })
    }

    /// The daemon is subscribed to all that the grant needs: confirms it, and begins to watch.
    pub(super) fn confirm_grant(&mut self) {
        let Some(grant) = &mut self.grant else { return };
        grant.subscribed = None;
        let until = grant.token.expires;
        self.say(live::granted(until));
        if let Some(guard) = self.grant.as_ref().and_then(|grant| grant.watch.as_ref()) {
            guard.watch.begin();
        }
    }

    /// Sends an event to a peer. What is not allowed, or too much, is dropped and counted.
    pub(super) fn on_event(&mut self, event: ClientEvent) {
        let most = self.limits.events;
        let Some(grant) = &self.grant else { return metrics::EVENTS_DROPPED.increment("peer") };
        if !self.pace.counts_event(Instant::now(), most) {
            return metrics::EVENTS_DROPPED.increment("rate");
        }
        let to = event.to.of_type(self.context.user_id_type).ok();
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

impl Drop for UnwatchNotice {
    fn drop(&mut self) {
        Topic::presence().for_each(|topic| self.0.on_left(topic));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted_per_second() {
        let (mut pace, now) = (GrantPace::default(), Instant::now());
        assert_eq!([(); 3].map(|()| pace.counts_event(now, 2)), [true, true, false]);
        assert!(!pace.counts_event(now + Duration::from_millis(999), 2));
        assert!(pace.counts_event(now + Duration::from_secs(1), 2));
    }
}
