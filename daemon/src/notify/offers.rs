//! What PHP asks for: who is due, and that somebody was told.

use std::time::Duration;

use chatpush_wire::due::{DueUser, LastMessage};
use chatpush_wire::frame::MessageType;
use chatpush_wire::id::{Sender, UserId};

use super::NotifyError;
use super::judgement::Judge;
use crate::base::clock;
use crate::config::Notify;
use crate::services::Services;
use crate::store::Store;
use crate::store::notified::{Candidate, Verdict, Waiting};

/// Users whose messages are read at a time.
const USERS_AT_ONCE: usize = 50;

/// Most bytes of contents that are returned together. At least one user is.
const CONTENT_BYTES: usize = 1024 * 1024;

/// Most attempts to find users who are still due.
const ATTEMPTS: usize = 10;

/// Leases users who are due, at most `limit`, those first who are due longest. Nobody else is offered them until the
/// lease ends.
///
/// # Errors
///
/// When Redis or MySQL does not answer. Whoever was leased then is offered again.
pub(crate) async fn take(
    services: &Services,
    store: &Store,
    notify: Notify,
    limit: u32,
    lease: Duration,
) -> Result<Vec<DueUser>, NotifyError> {
    let judge = Judge::new(services, store, notify);
    for _ in 0..ATTEMPTS {
        let now = clock::unix_milliseconds();
        let offered = store.offered(now, limit).await?;
        if offered.is_empty() {
            break;
        }
        // They may have come back, or read, since they were found to be due.
        let verdicts = judge.verdicts(offered, now).await?;
        let (due, over): (Vec<_>, Vec<_>) =
            verdicts.iter().partition(|(_, verdict)| *verdict == Verdict::Due);
        let over: Vec<&Candidate> = over.into_iter().map(|(candidate, _)| candidate).collect();
        store.take_back(&over, now).await?;
        let due: Vec<&Candidate> = due.into_iter().map(|(candidate, _)| candidate).collect();
        let until = now + u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        let leased = lease_with_messages(store, &services.config.default_type, &due, until).await?;
        if !leased.is_empty() || due.is_empty() && over.is_empty() {
            return Ok(leased);
        }
    }
    Ok(Vec::new())
}

/// Somebody was told of these users. Returns how many of them were due or leased.
pub(crate) async fn mark(store: &Store, users: &[UserId]) -> Result<u64, NotifyError> {
    let users: Vec<_> = users.iter().collect();
    Ok(store.mark_told(&users, clock::unix_milliseconds()).await?)
}

/// Leases as many as their contents may be returned together.
async fn lease_with_messages(
    store: &Store,
    default_type: &MessageType,
    due: &[&Candidate],
    until: u64,
) -> Result<Vec<DueUser>, NotifyError> {
    let mut leased = Vec::new();
    let mut bytes = 0;
    for part in due.chunks(USERS_AT_ONCE) {
        let users: Vec<_> = part.iter().map(|candidate| &candidate.user).collect();
        let mut waiting = store.waiting_of_each(&users).await?;
        let size = |waiting: &Waiting| waiting.last.as_ref().map_or(0, |last| last.row.content.len());
        let fitting = waiting
            .iter()
            .take_while(|waiting| {
                let fits = bytes == 0 || bytes + size(waiting) <= CONTENT_BYTES;
                bytes += size(waiting);
                fits
            })
            .count();
        waiting.truncate(fitting);
        let mine = store.lease(&part[..fitting], until).await?;
        let mine = waiting.into_iter().filter(|waiting| mine.contains(&waiting.user));
        leased.extend(mine.map(|waiting| due_user(waiting, default_type)));
        if fitting < part.len() {
            break;
        }
    }
    Ok(leased)
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
