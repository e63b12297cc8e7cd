//! What conversations count, beside the total of a user.
//!
//! A total that the application has set to 0 empties the parts: reads show none, and the next change begins
//! with none.

use std::collections::BTreeSet;

use chatpush_wire::id::{UserId, UserIdType};

use super::{ID_BYTES, id_list, id_literal, in_statements, quoted};
use crate::base::fault_injection::{self, Promise};
use crate::config::{Names, UNREAD};
use crate::log::batch::Batch;
use crate::log::position::Position;
use crate::store::schema::CLEARED;

/// The condition that a row is a part, and no total.
pub(super) const IS_PART: &str = "`conversation` <> ''";

/// Most bytes of a row of these tables as SQL literals.
const ROW_BYTES: usize = ID_BYTES + 90;

/// The parts `p` of the users `u` whose totals are 0. The users come first and are few: they are looked up by
/// their key, and then their parts.
fn emptied(names: &Names, users: &str) -> String {
    format!(
        "{user} u STRAIGHT_JOIN `{UNREAD}` p ON p.`user_id` = {} AND p.{IS_PART} \
         WHERE u.{id} IN ({users}){own} AND COALESCE(u.{count}, 0) <= 0",
        own_id(names),
        own = if names.own_counter { " AND u.`conversation` = ''" } else { "" },
        user = names.user,
        id = names.user_id,
        count = names.unread_count,
    )
}

/// The id of a user `u` as it stands in our own tables. Compared with a text of another character set, their
/// keys are not used.
fn own_id(names: &Names) -> String {
    let id = format!("u.{}", names.user_id);
    match names.user_id_type {
        UserIdType::Text if !names.own_counter => format!("CONVERT({id} USING ascii) COLLATE ascii_bin"),
        _ => id,
    }
}

/// Records of those of these users whose total the application has set to 0 that everything was cleared at these
/// positions: no older message is taken out of a counter later.
pub(in crate::store) fn record_emptied(names: &Names, cleared: &[(&UserId, Position)]) -> String {
    let case = |value: fn(Position) -> u64| {
        let whens =
            cleared.iter().map(|(user, at)| format!(" WHEN {} THEN {}", id_literal(user), value(*at)));
        format!("CASE p.`user_id`{} END", whens.collect::<String>())
    };
    let users: Vec<_> = cleared.iter().map(|(user, _)| *user).collect();
    // Assigned from left to right (MySQL manual, "INSERT ... ON DUPLICATE KEY UPDATE Statement"): the time comes last,
    // because the number is compared with it.
    let own = format!("`{CLEARED}`.`cleared_ms`, `{CLEARED}`.`cleared_seq`");
    format!(
        "INSERT INTO `{CLEARED}` (`user_id`, `cleared_ms`, `cleared_seq`) SELECT p.`user_id`, {}, {} \
         FROM {} AND p.`unread` > 0 ON DUPLICATE KEY UPDATE \
         `cleared_seq` = IF((VALUES(`cleared_ms`), VALUES(`cleared_seq`)) > ({own}), \
         VALUES(`cleared_seq`), `{CLEARED}`.`cleared_seq`), \
         `cleared_ms` = GREATEST(`{CLEARED}`.`cleared_ms`, VALUES(`cleared_ms`))",
        case(Position::time_ms),
        case(Position::seq),
        emptied(names, &id_list(&users))
    )
}

/// What empties the parts of those users of a batch whose total the application has set to 0. It is a clear right
/// before their first change here.
pub(super) fn empty(names: &Names, batch: &Batch<'_>, most: usize) -> Vec<String> {
    let before: Vec<_> =
        batch.counters.iter().map(|(user, counter)| (*user, counter.since.previous())).collect();
    let mut statements = Vec::new();
    for cleared in in_statements(&before, most, |_| 3 * ID_BYTES + 90) {
        let users: Vec<_> = cleared.iter().map(|(user, _)| *user).collect();
        statements.push(record_emptied(names, cleared));
        statements.push(format!("DELETE p FROM {}", emptied(names, &id_list(&users))));
    }
    statements
}

/// Locks the rows of these users, as [`counter::lock`](super::counter::lock) does, and fails if conversations count of one whose
/// total is 0: a subquery in place of a value must have one row (MySQL manual, "The Subquery as Scalar Operand"). That is one
/// statement instead of the two of [`empty`], which hardly ever find one. The inner query locks nothing.
pub(in crate::store) fn lock_unless_emptied(names: &Names, users: &[&UserId]) -> String {
    format!(
        "SELECT u.{id}, IF(COALESCE(u.{count}, 0) <= 0 AND EXISTS(SELECT 1 FROM `{UNREAD}` p \
         WHERE p.`user_id` = {own_id} AND p.{IS_PART} AND p.`unread` > 0), (SELECT 1 UNION SELECT 2), 0) \
         FROM {user} u WHERE u.{id} IN ({users}) ORDER BY u.{id} FOR UPDATE",
        own_id = own_id(names),
        users = id_list(users),
        id = names.user_id,
        count = names.unread_count,
        user = names.user,
    )
}

/// A total without what these conversations count, and not below 0.
pub(super) fn without(total: &str, user: &UserId, conversations: &BTreeSet<String>, most: u64) -> String {
    let names = conversations.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    format!(
        "GREATEST(CAST({total} AS SIGNED) - {}, {})",
        sum(user, &format!("`conversation` IN ({names})")),
        least_of(total, user, &format!("{IS_PART} AND `conversation` NOT IN ({names})"), most)
    )
}

/// The least that a total can fall to. One that is as large as its column holds (`most`) may stand for more: it
/// does not fall below what conversations count.
pub(super) fn least(total: &str, user: &UserId, most: u64) -> String {
    format!("LEAST({}, {most})", least_of(total, user, IS_PART, most))
}

fn least_of(total: &str, user: &UserId, parts: &str, most: u64) -> String {
    format!("IF({total} >= {most}, {}, 0)", sum(user, parts))
}

/// What these parts of a user count. The sum is in a subquery of its own, because the table that is updated may be
/// the same one (MySQL manual, "UPDATE Statement").
fn sum(user: &UserId, parts: &str) -> String {
    format!(
        "COALESCE((SELECT s.`total` FROM (SELECT CAST(SUM(`unread`) AS SIGNED) AS `total` FROM `{UNREAD}` \
         WHERE `user_id` = {} AND {parts}) s), 0)",
        id_literal(user)
    )
}

/// Deletes what is cleared, and adds what is added.
pub(super) fn change(batch: &Batch<'_>, most: usize) -> Vec<String> {
    let mut statements = Vec::new();
    let clears = !fault_injection::breaks(Promise::By);
    let cleared_all = batch.counters.iter().filter(|(_, counter)| counter.cleared);
    let cleared_all: Vec<_> = cleared_all.map(|(user, _)| *user).collect();
    if clears && !cleared_all.is_empty() {
        statements.push(format!(
            "DELETE FROM `{UNREAD}` WHERE `user_id` IN ({}) AND {IS_PART}",
            id_list(&cleared_all)
        ));
    }
    let mut added = Vec::new();
    for (user, parts) in &batch.parts {
        let user = id_literal(user).to_string();
        let cleared: Vec<_> = parts.cleared.iter().filter(|_| clears).map(|name| quoted(name)).collect();
        // Pairs of several users might not be looked up by the key.
        for names in in_statements(&cleared, most, |name| name.len() + 2) {
            let names = names.join(", ");
            statements.push(format!(
                "DELETE FROM `{UNREAD}` WHERE `user_id` = {user} AND `conversation` IN ({names})"
            ));
        }
        added.extend(parts.added.iter().map(|(name, count)| format!("({user}, {}, {count})", quoted(name))));
    }
    for rows in in_statements(&added, most, |_| ROW_BYTES) {
        statements.push(format!(
            "INSERT INTO `{UNREAD}` (`user_id`, `conversation`, `unread`) VALUES {} \
             ON DUPLICATE KEY UPDATE `unread` = LEAST(`unread` + VALUES(`unread`), {})",
            rows.join(", "),
            u32::MAX
        ));
    }
    statements
}

/// Selects user, conversation and count of what a user has not read, of at most `limit` conversations.
pub(in crate::store) fn select(user: &UserId, limit: usize) -> String {
    format!(
        "SELECT `user_id`, `conversation`, `unread` FROM `{UNREAD}` \
         WHERE `user_id` = {} AND {IS_PART} AND `unread` > 0 ORDER BY `conversation` LIMIT {limit}",
        id_literal(user)
    )
}

/// Selects conversation and count of what a user has not read, at most `limit` of them.
pub(in crate::store) fn select_of(names: &Names, user: &UserId, limit: usize) -> String {
    format!(
        "SELECT p.`conversation`, p.`unread` FROM `{UNREAD}` p WHERE p.`user_id` = {literal} AND p.{IS_PART} \
         AND p.`unread` > 0 \
         AND (SELECT COALESCE(MAX(u.{count}), 0) FROM {user} u WHERE u.{id} = {literal}{own}) > 0 \
         ORDER BY p.`conversation` LIMIT {limit}",
        literal = id_literal(user),
        count = names.unread_count,
        user = names.user,
        id = names.user_id,
        own = names.of_counters(),
    )
}
