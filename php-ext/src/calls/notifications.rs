//! Calls about users of whom somebody is to be told that messages wait.

use std::time::Duration;

use chatpush_wire::due::DueUser;
use chatpush_wire::id::UserId;
use chatpush_wire::push_subscription::PushSubscription;
use chatpush_wire::query::Query;
use chatpush_wire::reply::Reply;

use super::query::query;
use super::unexpected;
use crate::error::Error;
use crate::settings;

/// Leases users who are due, at most `limit`.
pub(crate) fn due(limit: u32, lease: Duration) -> Result<Vec<DueUser>, Error> {
    let settings = settings::current()?;
    let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
    match query(&settings, Query::Due { limit, lease_ms }, settings.deadline())? {
        Reply::Due(users) => Ok(users),
        other => Err(unexpected(other)),
    }
}

/// Somebody was told of these users. Returns how many of them were due or leased.
pub(crate) fn mark(users: Vec<UserId>) -> Result<u64, Error> {
    let settings = settings::current()?;
    match query(&settings, Query::MarkNotified { users }, settings.deadline())? {
        Reply::Notified(count) => Ok(count),
        other => Err(unexpected(other)),
    }
}

/// A browser of the user can be reached by Web Push.
pub(crate) fn save_push_subscription(user: UserId, subscription: PushSubscription) -> Result<(), Error> {
    let settings = settings::current()?;
    match query(&settings, Query::SavePushSubscription { user, subscription }, settings.deadline())? {
        Reply::PushSubscriptionSaved => Ok(()),
        other => Err(unexpected(other)),
    }
}
