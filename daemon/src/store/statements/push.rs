//! Subscriptions to Web Push: `chatpush_push`.

use std::fmt::Write as _;

use chatpush_wire::id::UserId;
use chatpush_wire::push_subscription::PushSubscription;
use sha2::{Digest as _, Sha256};

use super::{id_literal, quoted};
use crate::store::schema::PUSH;

/// Most subscriptions of a user. With a further one the oldest goes.
const MOST_OF_A_USER: usize = 20;

/// Characters of an error that are kept.
const ERROR_CHARACTERS: usize = 255;

/// Saves a subscription, for this user alone.
pub(in crate::store) fn save(user: &UserId, subscription: &PushSubscription, now: u64) -> [String; 2] {
    let user = id_literal(user);
    let values = format!(
        "{}, {user}, {}, {}, {}, {now}",
        hash(subscription.endpoint()),
        quoted(subscription.endpoint()),
        binary(subscription.p256dh()),
        binary(subscription.auth()),
    );
    [
        format!(
            "INSERT INTO `{PUSH}` (`endpoint_hash`, `user_id`, `endpoint`, `p256dh`, `auth`, `created_at`) \
             VALUES ({values}) ON DUPLICATE KEY UPDATE `created_at` = IF(`user_id` = VALUES(`user_id`), \
             `created_at`, VALUES(`created_at`)), `user_id` = VALUES(`user_id`), `p256dh` = VALUES(`p256dh`), \
             `auth` = VALUES(`auth`), `next_try_at` = 0, `error` = NULL"
        ),
        // A table cannot be read in a subquery of its own DELETE, but a derived table of it can (MySQL manual,
        // "Restrictions on Subqueries").
        format!(
            "DELETE FROM `{PUSH}` WHERE `user_id` = {user} AND `endpoint_hash` NOT IN (SELECT `endpoint_hash` FROM \
             (SELECT `endpoint_hash` FROM `{PUSH}` WHERE `user_id` = {user} \
             ORDER BY `created_at` DESC, `endpoint_hash` LIMIT {MOST_OF_A_USER}) newest)"
        ),
    ]
}

/// Removes a user's subscription.
pub(in crate::store) fn remove(user: &UserId, endpoint: &str) -> String {
    format!(
        "DELETE FROM `{PUSH}` WHERE `endpoint_hash` = {} AND `user_id` = {}",
        hash(endpoint),
        id_literal(user)
    )
}

/// How many rows the statement before has removed.
pub(in crate::store) const REMOVED: &str = "SELECT ROW_COUNT()";

/// The subscriptions of a user.
pub(in crate::store) fn select(user: &UserId) -> String {
    format!(
        "SELECT `endpoint`, `p256dh`, `auth`, `next_try_at`, `error` IS NOT NULL FROM `{PUSH}` \
         WHERE `user_id` = {} ORDER BY `created_at` DESC LIMIT {MOST_OF_A_USER}",
        id_literal(user)
    )
}

/// Records what a push service has answered: what is wrong, and when to try again.
pub(in crate::store) fn record_answer(endpoint: &str, wrong: Option<(&str, u64)>) -> String {
    let (error, next) = match wrong {
        Some((error, next)) => {
            let shortened: String = error.chars().take(ERROR_CHARACTERS).collect();
            (quoted(&shortened), next)
        }
        None => ("NULL".to_owned(), 0),
    };
    format!(
        "UPDATE `{PUSH}` SET `error` = {error}, `next_try_at` = {next} WHERE `endpoint_hash` = {}",
        hash(endpoint)
    )
}

/// Removes a subscription that its push service does not know any more.
pub(in crate::store) fn delete(endpoint: &str) -> String {
    format!("DELETE FROM `{PUSH}` WHERE `endpoint_hash` = {}", hash(endpoint))
}

/// Removes all subscriptions of a user.
pub(in crate::store) fn forget(user: &UserId) -> String {
    format!("DELETE FROM `{PUSH}` WHERE `user_id` = {}", id_literal(user))
}

/// Endpoints are too long for a key.
fn hash(endpoint: &str) -> String {
    binary(&Sha256::digest(endpoint))
}

/// Bytes as an SQL literal.
fn binary(bytes: &[u8]) -> String {
    let mut literal = String::with_capacity(bytes.len() * 2 + 3);
    literal.push_str("X'");
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(literal, "{byte:02X}");
    }
    literal.push('\'');
    literal
}
