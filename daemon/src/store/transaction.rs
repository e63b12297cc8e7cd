//! The statements of the writer's transactions, in their order.

use super::apply::{Emptied, Inserts};
use super::counters;
use super::multi_statement::{MultiStatement, ResultUse};
use super::statements::{
    confirm, counter, forget, in_statements, insert, notified, parts, position, recall, webhook_events,
};
use super::writer_connection::{Locks, WriterConnection};
use crate::base::clock;
use crate::base::fault_injection::{self, Promise};
use crate::config::{Event, When};
use crate::log::batch::{Batch, Insert, PositionUpdate};

/// The last statement of a transaction.
pub(super) const COMMIT: &str = "COMMIT";

impl WriterConnection {
    /// Sets how locks are treated, if that is another way than now.
    pub(super) fn set_locks(&mut self, statements: &mut MultiStatement, locks: Locks) {
        if self.locks != locks {
            // In MariaDB 0 means not to wait. MySQL's minimum is 1, which it uses instead, so its rows are locked
            // with NOWAIT before.
            let seconds = u8::from(locks == Locks::Wait);
            let setting =
                format!("SET SESSION innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}");
            statements.push(ResultUse::Ignored, setting);
            self.locks = locks;
        }
    }

    /// Adds the transaction of one batch, without its end.
    pub(super) fn add_batch(
        &self,
        statements: &mut MultiStatement,
        batch: &Batch<'_>,
        locks: Locks,
        (inserts, zeroed): (Inserts, Emptied),
    ) {
        let (tables, most) = (&*self.tables, self.server.statement_bytes);
        // Who took something back may have left a total of 0.
        let expects_none = zeroed == Emptied::Unexpected
            && locks == Locks::Wait
            && tables.unread_by_conversation
            && !tables.own_counter
            && batch.recalls.is_empty();
        if !batch.inserts.is_empty() || tables.marking.is_some() {
            // Somebody may have changed the zone since this session began.
            statements.push(ResultUse::Ignored, self.time_zone.as_str());
        }
        // The positions come first: their row locks make a second writer wait until this transaction ends.
        self.add_fence(statements, &batch.positions);
        if locks == Locks::NoWait && !batch.counters.is_empty() {
            let users: Vec<_> = batch.counters.keys().copied().collect();
            statements.push(ResultUse::Ignored, counter::lock(tables, &users, locks));
        }
        if locks == Locks::NoWait && self.server.waits_for_locks {
            let recalls = batch.recalls.iter().map(|recall| recall::lock(tables, recall));
            for statement in confirm::lock(tables, batch, most / 2).into_iter().chain(recalls) {
                statements.push(ResultUse::Ignored, statement);
            }
        }
        match inserts {
            Inserts::Together => {
                for rows in in_statements(&batch.inserts, most / 2, |insert| insert::bytes(tables, insert)) {
                    self.add_rows(statements, rows, &batch.positions);
                }
            }
            Inserts::OneByOne => {
                for insert in &batch.inserts {
                    self.add_row(statements, insert, &batch.positions);
                }
            }
        }
        if self.receipts {
            for statement in confirm::delivered(tables, batch, most / 2) {
                statements.push(ResultUse::Delivered, statement);
            }
        }
        if tables.events.has(Event::Delivered) {
            for statement in webhook_events::delivered(tables, batch, clock::unix_milliseconds(), most / 2) {
                statements.push(ResultUse::Ignored, statement);
            }
        }
        self.add_remembered(statements, batch);
        for statement in confirm::confirm_acked(tables, batch, most / 2) {
            statements.push(ResultUse::Ignored, statement);
        }
        for ack in &batch.app_deletes {
            let [records, rows] = confirm::delete_by_application(tables, ack);
            statements.push(ResultUse::Ignored, records);
            statements.push(ResultUse::AffectedRows, rows);
        }
        // What follows looks at totals and changes them one by one. The application's transactions must not come
        // in between, and meet no deadlock if they lock its users in the order of their ids.
        let takes_turns = tables.unread_by_conversation || !batch.recalls.is_empty();
        if locks == Locks::Wait && takes_turns && !tables.own_counter && !batch.counters.is_empty() {
            let users: Vec<_> = batch.counters.keys().copied().collect();
            if expects_none {
                statements.push(ResultUse::Totals, parts::lock_unless_emptied(tables, &users));
            } else {
                statements.push(ResultUse::Ignored, counter::lock(tables, &users, locks));
            }
        }
        self.add_recalls(statements, batch);
        for (partition, user) in &batch.forgets {
            for statement in forget::rows(tables, *partition, user, None) {
                statements.push(ResultUse::Ignored, statement);
            }
        }
        if !batch.clears.is_empty() {
            statements.push(ResultUse::Ignored, recall::record_clears(&batch.clears));
        }
        if tables.unread_by_conversation {
            for statement in recall::record_part_clears(batch) {
                statements.push(ResultUse::Ignored, statement);
            }
        }
        // Counters come last, so that their locks are held for the shortest time, and ordered by id, which
        // avoids deadlocks.
        for statement in counter::change(tables, batch, (self.server.most_unread, !expects_none), most / 2) {
            statements.push(ResultUse::Ignored, statement);
        }
        if tables.notify == Some(When::Unread) {
            for statement in notified::count(batch) {
                statements.push(ResultUse::Ignored, statement);
            }
        }
        for (_, user) in &batch.forgets {
            for statement in forget::counters(tables, user) {
                statements.push(ResultUse::Ignored, statement);
            }
        }
        if !batch.notify_unread.is_empty() {
            counters::add(statements, tables, &batch.notify_unread, true);
        }
    }

    /// Adds what takes messages back.
    fn add_recalls(&self, statements: &mut MultiStatement, batch: &Batch<'_>) {
        let tables = &*self.tables;
        for taken in &batch.recalls {
            if self.remembers() {
                let now = clock::unix_milliseconds();
                statements.push(ResultUse::Ignored, recall::remember(tables, taken, now));
            }
            // A clear in this batch leaves nothing of an older message to take out.
            if batch.counters.get(taken.receiver).is_some_and(|counter| !counter.cleared) {
                for statement in recall::uncount(tables, taken, self.server.most_unread) {
                    statements.push(ResultUse::Ignored, statement);
                }
            }
            statements.push(ResultUse::AffectedRows, recall::remove_row(tables, taken));
            if let Some(statement) = recall::delete_record(tables, taken) {
                statements.push(ResultUse::Ignored, statement);
            }
        }
    }

    /// Adds the beginning of a transaction: nobody else has written, and this is still the primary.
    pub(super) fn add_fence(&self, statements: &mut MultiStatement, positions: &[PositionUpdate]) {
        if fault_injection::breaks(Promise::LastFence) {
            statements.push(ResultUse::Ignored, "START TRANSACTION");
        }
        if self.server.ignores_read_only {
            statements.push(ResultUse::Fence, position::require_writable());
        }
        statements.push(ResultUse::Fence, position::advance(positions));
    }

    /// Adds the rows and their records in two statements. If the ids are not consecutive, the number of
    /// records is another than that of rows.
    fn add_rows(&self, statements: &mut MultiStatement, rows: &[Insert<'_>], positions: &[PositionUpdate]) {
        statements.push(ResultUse::Ignored, insert::rows(&self.tables, rows));
        statements.push(ResultUse::Record, insert::records(&self.tables, rows));
        if let Some(position) = positions.first()
            && !fault_injection::breaks(Promise::Ids)
        {
            statements.push(ResultUse::Record, position::verify_rows(position, rows.len()));
        }
    }

    /// Adds one row and its record, whatever its id, and whatever record is in the way.
    fn add_row(&self, statements: &mut MultiStatement, row: &Insert<'_>, positions: &[PositionUpdate]) {
        statements.push(ResultUse::Ignored, insert::FORGET_LAST_ID);
        statements.push(ResultUse::Ignored, insert::rows(&self.tables, std::slice::from_ref(row)));
        statements.push(ResultUse::Ignored, insert::delete_stale_records(row));
        statements.push(ResultUse::Ignored, insert::record(&self.tables, row));
        if let Some(position) = positions.first() {
            statements.push(ResultUse::RowId, position::verify_rows(position, 1));
        }
    }

    /// Whether confirmed messages are remembered.
    pub(super) fn remembers(&self) -> bool {
        self.remember_confirmed && !fault_injection::breaks(Promise::Memory)
    }

    /// Adds the statements that remember confirmed messages, before their records go.
    fn add_remembered(&self, statements: &mut MultiStatement, batch: &Batch<'_>) {
        if !self.remembers() {
            return;
        }
        let (now, most) = (clock::unix_milliseconds(), self.server.statement_bytes / 2);
        // A queue has no row of what was confirmed. A history must have one of every message.
        let is_history = self.tables.marking.is_some();
        if is_history {
            for statement in confirm::remember_stored(&batch.confirmed, now, most) {
                statements.push(ResultUse::Ignored, statement);
            }
        }
        for (messages, what) in [(&batch.confirmed, (false, !is_history)), (&batch.recalled, (true, true))] {
            for statement in confirm::remember(messages, what, now, most) {
                statements.push(ResultUse::Ignored, statement);
            }
        }
        for ack in &batch.app_deletes {
            statements.push(ResultUse::Ignored, confirm::remember_deleted(ack, now));
        }
    }

    /// Adds the end of a transaction.
    pub(super) fn add_end(&self, statements: &mut MultiStatement, positions: &[PositionUpdate]) {
        if self.server.aborts_from_outside && !fault_injection::breaks(Promise::LastFence) {
            statements.push(ResultUse::LastFence, position::verify(positions));
        }
        // Nothing may follow in the same text: Galera reports a transaction that it has taken away since the
        // last fence with the last statement, and says that a COMMIT before it has succeeded.
        statements.push(ResultUse::Ignored, COMMIT);
    }
}
