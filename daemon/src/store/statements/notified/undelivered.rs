//! Users whom the application is to tell, for operators.

use super::telling::of_exit;
use super::{At, Exit, at};
use crate::store::schema::NOTIFIED;

/// Users who are due, leased or not, those first whose turn comes first.
pub(in crate::store) fn select(now: u64, limit: u32, exit: Option<Exit>) -> String {
    let of_exit = of_exit(exit);
    format!(
        "SELECT `user_id`, `offer_at`, `due_at`, `tries`, `lease` IS NOT NULL AND `offer_at` > {now} \
         FROM `{NOTIFIED}` WHERE {of_exit}`offer_at` IS NOT NULL ORDER BY `offer_at` LIMIT {limit}"
    )
}

/// Offers users at once who are offered at another time, unless somebody is about to tell.
pub(in crate::store) fn offer_now(users: &[At<'_>], now: u64) -> String {
    format!(
        "UPDATE `{NOTIFIED}` SET `offer_at` = LEAST(`offer_at`, {now}) WHERE ({}) AND `lease` IS NULL",
        at("offer_at", users)
    )
}
