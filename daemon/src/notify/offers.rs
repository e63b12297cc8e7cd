//! What PHP asks for: who is due, and that somebody was told.

use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::due::{DueUser, LastMessage};
use chatpush_wire::frame::MessageType;
use chatpush_wire::id::{Sender, UserId};
use tokio::time::Instant;

use super::NotifyError;
use super::judgement::Judge;
use crate::barrier::Barrier;
use crate::base::clock::milliseconds;
use crate::base::fault_injection::{self, Promise};
use crate::config::Notify;
use crate::services::Services;
use crate::store::Store;
use crate::store::notified::{Candidate, Content, Exit, Newest, Verdict, Waiting};

/// Users whose messages are read at a time.
const USERS_AT_ONCE: usize = 100;

/// Most bytes of contents that are returned together. At least one user is.
const CONTENT_BYTES: u64 = 1024 * 1024;

/// Most attempts to find users who are still due.
const ATTEMPTS: usize = 10;

/// Most users that one attempt looks at, where those before were not due any more.
const LOOKED_AT: u32 = 500;

/// A user who is leased.
#[derive(Debug)]
pub(crate) struct Offer {
    /// What waits.
    pub(crate) waiting: Waiting,
    /// Since when the user is due, in milliseconds since 1970. It is the same in every lease.
    pub(crate) due_at: u64,
    /// How often it was tried to tell somebody.
    pub(crate) tries: u32,
    /// How long ago that has failed first; zero if it has not.
    pub(crate) tried_for: Duration,
    /// When the lease ends, by MySQL's clock.
    until: u64,
    /// The same, by this process's.
    pub(crate) ends: Instant,
}

/// Who leases users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taker {
    /// A job of the application.
    Php,
    /// A request of the writer. The next writer ends its leases.
    Webhook,
    /// The same, to push services.
    WebPush,
}

impl Taker {
    /// Which users it takes, if there is Web Push.
    const fn exit(self) -> Exit {
        match self {
            Self::Php | Self::Webhook => Exit::Application,
            Self::WebPush => Exit::WebPush,
        }
    }
}

/// Offers users who are due. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Offers {
    services: Arc<Services>,
    judge: Judge,
}

impl Offers {
    /// With these settings.
    pub(crate) fn new(services: Arc<Services>, barrier: Barrier, notify: Notify) -> Self {
        let judge = Judge::new(services.clone(), barrier, notify);
        Self { services, judge }
    }

    /// Leases users who are due, at most `limit`, those first who are due longest, as PHP gets them. Nobody else is
    /// offered them until the lease ends.
    ///
    /// # Errors
    ///
    /// When Redis or MySQL does not answer. Whoever was leased then is offered again.
    pub(crate) async fn take(
        &self,
        store: &Store,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<DueUser>, NotifyError> {
        let offers = self.claim(store, (Taker::Php, Content::Whole), limit, lease).await?;
        let default_type = &self.services.config.default_type;
        Ok(offers.into_iter().map(|offer| due_user(offer.waiting, default_type)).collect())
    }

    /// Offers those at once whom the last writer leased for this taker, for at most `lease`: it may have ended while it
    /// told somebody. A writer does that before its own first claim, since its own leases would end too.
    ///
    /// # Errors
    ///
    /// When MySQL does not answer.
    pub(crate) async fn end_last_writers(
        &self,
        store: &Store,
        taker: Taker,
        lease: Duration,
    ) -> Result<(), NotifyError> {
        let now = store.now().await?;
        Ok(store.end_writers_leases((now, now + milliseconds(lease)), taker.exit()).await?)
    }

    /// As [`Offers::take`], with so much of each content.
    pub(crate) async fn claim(
        &self,
        store: &Store,
        (taker, content): (Taker, Content),
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<Offer>, NotifyError> {
        let mut looked_at = limit;
        for _ in 0..ATTEMPTS {
            let now = store.now().await?;
            let offered = store.offered(now, looked_at, taker.exit()).await?;
            // Many may have come back together: whoever is due behind them is found all the same.
            looked_at = looked_at.saturating_mul(4).min(LOOKED_AT.max(limit));
            if offered.is_empty() {
                break;
            }
            // They may have come back, or read, since they were found to be due.
            let verdicts = if fault_injection::breaks(Promise::Recheck) {
                offered.into_iter().map(|candidate| (candidate, Verdict::Due)).collect()
            } else {
                self.judge.verdicts(store, offered, now).await?
            };
            let (mut due, mut over, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
            for (candidate, verdict) in &verdicts {
                match verdict {
                    Verdict::Due => due.push(candidate),
                    // A webhook may have been sent whose answer was lost: it comes again, and is no other one.
                    Verdict::Unknown { look_at } => unknown.push((candidate, *look_at)),
                    Verdict::Nothing
                    | Verdict::Connected { .. }
                    | Verdict::Left { .. }
                    | Verdict::Later { .. }
                    | Verdict::Returned => {
                        over.push(candidate);
                    }
                }
            }
            store.offer_later(&unknown).await?;
            store.take_back(&over, now).await?;
            due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            let leased = lease_with_messages(store, &due, (taker, content), lease).await?;
            if !leased.is_empty() {
                return Ok(leased);
            }
        }
        Ok(Vec::new())
    }
}

/// Somebody was told of these users. Returns how many of them were due or leased.
pub(crate) async fn mark(store: &Store, users: &[UserId]) -> Result<u64, NotifyError> {
    let users: Vec<_> = users.iter().collect();
    Ok(store.mark_told(&users, store.now().await?).await?)
}

/// Somebody was told of users who are leased.
pub(crate) async fn told(store: &Store, offers: &[&Offer]) -> Result<(), NotifyError> {
    if offers.is_empty() {
        return Ok(());
    }
    let users: Vec<_> = offers.iter().map(|offer| (&offer.waiting.user, offer.until)).collect();
    Ok(store.mark_leased_told(&users, store.now().await?).await?)
}

/// A user who is leased, of whom nobody could be told.
#[derive(Debug)]
pub(crate) struct Postponed<'a> {
    /// The user.
    pub(crate) offer: &'a Offer,
    /// How long until the user is offered again.
    pub(crate) pause: Duration,
    /// Why, if that is not recorded elsewhere.
    pub(crate) reason: Option<&'a str>,
}

/// Nobody could be told of users who are leased: offers each again after a pause.
pub(crate) async fn postpone(store: &Store, postponed: &[Postponed<'_>]) -> Result<(), NotifyError> {
    if postponed.is_empty() {
        return Ok(());
    }
    let now = store.now().await?;
    let users: Vec<_> = postponed
        .iter()
        .map(|Postponed { offer, pause, reason }| {
            ((&offer.waiting.user, offer.until), (now + milliseconds(*pause), *reason))
        })
        .collect();
    Ok(store.postpone(&users, now).await?)
}

/// Telling a user who is leased could not be tried: offers the user again after a pause.
pub(crate) async fn release(store: &Store, offer: &Offer, pause: Duration) -> Result<(), NotifyError> {
    let offer_at = store.now().await? + milliseconds(pause);
    Ok(store.release(&offer.waiting.user, offer.until, offer_at).await?)
}

/// Web Push cannot tell a user who is leased: offers the user to the application.
pub(crate) async fn leave_to_application(store: &Store, offer: &Offer) -> Result<(), NotifyError> {
    let now = store.now().await?;
    Ok(store.leave_to_application(&offer.waiting.user, offer.until, now).await?)
}

/// Leases as many as their contents may be returned together.
async fn lease_with_messages(
    store: &Store,
    due: &[&Candidate],
    (taker, content): (Taker, Content),
    lease: Duration,
) -> Result<Vec<Offer>, NotifyError> {
    let mut leased = Vec::new();
    let mut bytes = 0;
    for part in due.chunks(USERS_AT_ONCE) {
        let users: Vec<_> = part.iter().map(|candidate| &candidate.user).collect();
        let mut waiting = store.waiting_of_each(&users).await?;
        if content == Content::Whole {
            waiting.truncate(fitting(&waiting, &mut bytes));
        }
        let fitting = waiting.len();
        store.read_newest(&mut waiting, content).await?;
        // What was deleted since the user was judged is told to nobody: the next look takes the offer back.
        let found: Vec<_> = waiting
            .into_iter()
            .map(|(waiting, _)| waiting)
            .zip(part)
            .filter(|(waiting, _)| waiting.is_any() || fault_injection::breaks(Promise::Recheck))
            .collect();
        let candidates: Vec<_> = found.iter().map(|(_, candidate)| **candidate).collect();
        let began = Instant::now();
        let now = store.now().await?;
        let until = now + milliseconds(lease);
        let mine = store.lease(&candidates, until, taker != Taker::Php).await?;
        let offers = found.into_iter().filter(|(waiting, _)| mine.contains(&waiting.user));
        leased.extend(offers.map(|(waiting, candidate)| {
            let Candidate { due_at, tries, tried_at, .. } = candidate;
            let tried_for =
                tried_at.map_or(Duration::ZERO, |at| Duration::from_millis(now.saturating_sub(at)));
            Offer { waiting, due_at: *due_at, tries: *tries, tried_for, until, ends: began + lease }
        }));
        if fitting < part.len() {
            break;
        }
    }
    Ok(leased)
}

/// How many of these users' contents may be returned together with `bytes` others, which grows by them.
fn fitting(waiting: &[(Waiting, Option<Newest>)], bytes: &mut u64) -> usize {
    let fits = waiting.iter().take_while(|(_, newest)| {
        let with_it = *bytes + newest.map_or(0, |newest| newest.bytes);
        let fits = *bytes == 0 || with_it <= CONTENT_BYTES;
        *bytes = with_it;
        fits
    });
    fits.count()
}

/// A message that was stored without a type has the default one.
fn due_user(
    Waiting { user, count, unread, first_time, last }: Waiting,
    default_type: &MessageType,
) -> DueUser {
    DueUser {
        user: Sender::from(&user),
        waiting: count,
        unread,
        first_time,
        last: last.map(|stored| LastMessage {
            message_id: stored.row.message_id,
            sender: stored.row.sender,
            message_type: stored.message_type.as_ref().unwrap_or(default_type).encode(),
            content: stored.row.content,
            time: stored.row.time_ms,
        }),
    }
}
