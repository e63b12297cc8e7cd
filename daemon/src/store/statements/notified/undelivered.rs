//! Users whom the application is to tell, for operators.

use super::telling::{index_of_exit, of_exit};
use super::{At, Exit, at};
use crate::store::counts::MOST_COUNTED;
use crate::store::schema::{NOTIFIED, PUSH};

/// Users whose subscriptions are looked at for an error.
const PUSH_USERS: u32 = 1_000;

/// Users who are due, leased or not, those first whose turn comes first.
pub(in crate::store) fn select(now: u64, limit: u32, exit: Option<Exit>) -> String {
    let (of_exit, index) = (of_exit(exit), index_of_exit(exit));
    format!(
        "SELECT `user_id`, `offer_at`, `due_at`, `tries`, `lease` IS NOT NULL AND `offer_at` > {now}, `error` \
         FROM `{NOTIFIED}` FORCE INDEX (`{index}`) WHERE {of_exit}`offer_at` IS NOT NULL ORDER BY `offer_at` LIMIT {limit}"
    )
}

/// The user whom the application could not be told of for longest.
pub(in crate::store) fn select_failing(exit: Option<Exit>) -> String {
    let of_exit = of_exit(exit);
    format!(
        "SELECT `tried_at`, `tries`, `error` FROM (SELECT `tried_at`, `tries`, `error` FROM `{NOTIFIED}` \
         WHERE {of_exit}`offer_at` IS NOT NULL LIMIT {MOST_COUNTED}) waiting \
         WHERE `error` IS NOT NULL ORDER BY `tried_at` LIMIT 1"
    )
}

/// An error of a push service, behind its host, for one of the users who are to be told by Web Push.
pub(in crate::store) fn select_push_error() -> String {
    format!(
        "SELECT CONCAT(SUBSTRING_INDEX(SUBSTRING_INDEX(p.`endpoint`, '/', 3), '/', -1), ': ', p.`error`) FROM (SELECT `user_id` FROM `{NOTIFIED}` WHERE `exit` = {} AND `offer_at` IS NOT NULL \
         LIMIT {PUSH_USERS}) waiting JOIN `{PUSH}` p ON p.`user_id` = waiting.`user_id` \
         WHERE p.`error` IS NOT NULL ORDER BY p.`next_try_at` DESC LIMIT 1",
        Exit::WebPush as u8
    )
}

/// Offers users at once who are offered at another time, unless somebody is about to tell.
pub(in crate::store) fn offer_now(users: &[At<'_>], now: u64) -> String {
    format!(
        "UPDATE `{NOTIFIED}` SET `offer_at` = LEAST(`offer_at`, {now}) WHERE ({}) AND `lease` IS NULL",
        at("offer_at", users)
    )
}
