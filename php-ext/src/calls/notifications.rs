//! Calls about users of whom somebody is to be told that messages wait.

use std::time::Duration;

use chatpush_wire::due::DueUser;
use chatpush_wire::id::UserId;
use chatpush_wire::push_subscription::{PushEndpoint, PushSubscription};
use chatpush_wire::query::Query;
use chatpush_wire::reply::Reply;

use super::query::query;
use super::unexpected;
use crate::error::Error;
use crate::settings::Call;

/// Leases users who are due, at most `limit`.
pub(crate) fn due(call: &Call, limit: u32, lease: Duration) -> Result<Vec<DueUser>, Error> {
    let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
    match query(call, Query::Due { limit, lease_ms })? {
        Reply::Due(users) => Ok(users),
        other => Err(unexpected(other)),
    }
}

/// Somebody was told of these users. Returns how many of them were due or leased.
pub(crate) fn mark(call: &Call, users: Vec<UserId>) -> Result<u64, Error> {
    match query(call, Query::MarkNotified { users })? {
        Reply::Notified(count) => Ok(count),
        other => Err(unexpected(other)),
    }
}

/// A browser of the user can be reached by Web Push.
pub(crate) fn save_push_subscription(
    call: &Call,
    user: UserId,
    subscription: PushSubscription,
) -> Result<(), Error> {
    match query(call, Query::SavePushSubscription { user, subscription })? {
        Reply::PushSubscriptionSaved => Ok(()),
        other => Err(unexpected(other)),
    }
}

/// A browser of the user is not to be reached any more. Returns whether it was.
pub(crate) fn remove_push_subscription(
    call: &Call,
    user: UserId,
    endpoint: PushEndpoint,
) -> Result<bool, Error> {
    match query(call, Query::RemovePushSubscription { user, endpoint })? {
        Reply::PushSubscriptionRemoved(removed) => Ok(removed),
        other => Err(unexpected(other)),
    }
}
