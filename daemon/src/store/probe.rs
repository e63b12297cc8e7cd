//! Whether others succeed: a made-up message is stored, or stored and deleted, and rolled back. It takes the
//! way of an entry, through the same tables and triggers.

use std::time::Duration;

use chatpush_wire::entry::Entry;
use chatpush_wire::id::{MessageId, UserId};

use super::StoreError;
use super::multi_statement::{MultiStatement, ResultUse};
use super::server::Server;
use super::statements::{confirm, counter, id_literal, insert, notified, recall};
use super::tables::Tables;
use super::writer_connection::WriterConnection;
use crate::base::clock;
use crate::config::When;
use crate::log::batch::{Batch, Counter, Counting, Insert, PartClear, Parts};
use crate::log::position::Position;

/// How long a probe may take. It has one row: longer, and the server is slow.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// What a probe is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe<'a> {
    /// The entry whose kind and length it has.
    pub(super) entry: &'a Entry,
    /// Whose mailbox it is for.
    pub(super) receiver: &'a UserId,
    /// Whether that is the entry's, so that the sender is the entry's, too.
    pub(super) is_own: bool,
    /// What a message changes of the counters.
    pub(super) counting: Counting,
    /// Whether what is confirmed is remembered.
    pub(super) remember_confirmed: bool,
}

/// The owner of the mailbox that an entry is for, or of the first one.
pub(super) fn receiver(entry: &Entry) -> Option<&UserId> {
    match entry {
        Entry::Message { receiver, .. }
        | Entry::ClientAck { receiver, .. }
        | Entry::AppDelete { receiver, .. }
        | Entry::Clear { receiver, .. }
        | Entry::Duplicate { receiver, .. }
        | Entry::Forget { receiver, .. }
        | Entry::Recall { receiver, .. } => Some(receiver),
        Entry::MessageToMany { receivers, .. } | Entry::DuplicateToMany { receivers, .. } => {
            receivers.first().map(|addressee| &addressee.user)
        }
    }
}

/// Selects another user than the entry's.
pub(super) fn other_user(tables: &Tables, than: &UserId) -> String {
    // chatpush's own counters are of users who had messages.
    let (user, user_id) = (&tables.user, &tables.user_id);
    format!("SELECT {user_id} FROM {user} WHERE {user_id} <> {} LIMIT 1", id_literal(than))
}

impl Probe<'_> {
    /// The statements, without the final ROLLBACK.
    pub(super) fn statements(&self, tables: &Tables, server: &Server, time_zone: &str) -> MultiStatement {
        let mut statements = MultiStatement::default();
        let mut add = |statement: String| statements.push(ResultUse::Ignored, statement);
        let receiver = self.receiver;
        let (mut sender, mut length) = (receiver, 1);
        let mut is_message = false;
        if let Entry::Message { sender: own, content, .. }
        | Entry::MessageToMany { sender: own, content, .. } = self.entry
        {
            sender = if self.is_own { own } else { receiver };
            length = content.chars().count();
            is_message = true;
        }
        let now = clock::unix_milliseconds();
        let at = Position::new(now, 0);
        let id = MessageId::generate(now, std::array::from_fn(|_| fastrand::u8(..)));
        let (content, message_type, conversation) = ("x".repeat(length), None, None);
        let row =
            Insert { id: &id, sender, receiver, content: &content, message_type, conversation, position: at };
        add(time_zone.to_owned());
        add(insert::rows(tables, &[row]));
        add(insert::delete_stale_records(&row));
        add(insert::record(tables, &row));
        if !is_message {
            add(insert::delete_stale_records(&row));
            add(format!("{} WHERE {} = LAST_INSERT_ID()", confirm::remove(tables), tables.id));
            if self.remember_confirmed {
                let (confirmed, most) = ((false, tables.marking.is_none()), server.statement_bytes / 2);
                for statement in confirm::remember(&[(receiver, &id)], confirmed, now, most) {
                    add(statement);
                }
            }
        }
        let counts = is_message && self.counting != Counting::Off;
        if counts || matches!(self.entry, Entry::Clear { .. }) {
            let (counter, parts) = self.changes(at);
            if counter.cleared {
                add(recall::record_clears([(&receiver, &at)]));
            }
            let counters = [(receiver, counter)].into();
            let parts = parts.map(|parts| (receiver, parts)).into_iter().collect();
            let batch = Batch { counters, parts, ..Batch::default() };
            if tables.unread_by_conversation {
                recall::record_part_clears(&batch).into_iter().for_each(&mut add);
            }
            for statement in
                counter::change(tables, &batch, (server.most_unread, true), server.statement_bytes / 2)
            {
                add(statement);
            }
            if tables.notify == Some(When::Unread) {
                notified::count(&batch).into_iter().for_each(&mut add);
                add(notified::select_told_unread(tables, &[receiver]));
                notified::note_unread(&[receiver], &[(receiver, 0)], 0).into_iter().for_each(&mut add);
            }
        }
        statements
    }

    /// What the entry changes of the receiver's counter, and of what conversations count.
    fn changes(&self, at: Position) -> (Counter, Option<Parts>) {
        let mut parts = Parts::default();
        let mut counter = Counter::default();
        match self.entry {
            Entry::Message { conversation: Some(name), .. }
            | Entry::MessageToMany { conversation: Some(name), .. } => {
                counter.added = 1;
                parts.added.insert(name.as_str().to_owned(), 1);
            }
            Entry::Message { sender, .. } | Entry::MessageToMany { sender, .. } => {
                counter.added = 1;
                parts.added.insert(sender.to_string(), 1);
            }
            Entry::Clear { conversation: Some(name), .. } => {
                parts.cleared.insert(name.as_str().to_owned());
                let clear = PartClear { position: at, counted: true };
                parts.clears.insert(name.as_str().to_owned(), clear);
            }
            _ => counter.cleared = true,
        }
        (counter, (self.counting == Counting::ByConversation).then_some(parts))
    }
}

impl WriterConnection {
    /// Whether others of its kind succeed where `entry` fails: stores a made-up message of the same length
    /// for the same receiver, and rolls it back. If that fails and `anyone` is set, then for another user.
    ///
    /// # Errors
    ///
    /// The error that they meet too.
    pub(crate) async fn probe(
        &mut self,
        entry: &Entry,
        counting: Counting,
        anyone: bool,
    ) -> Result<(), StoreError> {
        let remember_confirmed = self.remember_confirmed;
        let Some(receiver) = receiver(entry) else { return Ok(()) };
        let own = Probe { entry, receiver, is_own: true, counting, remember_confirmed };
        let Err(error) = self.probe_as(own).await else { return Ok(()) };
        if !anyone || error.is_locked() || !error.concerns_entries() {
            return Err(error);
        }
        let ids = self.tables.user_id_type;
        let found = self.select(other_user(&self.tables, receiver)).await?;
        let other =
            found.into_iter().find_map(|row| ids.text(&mysql_async::from_row_opt::<String>(row).ok()?).ok());
        let Some(other) = other else { return Err(error) };
        self.probe_as(Probe { receiver: &other, is_own: false, ..own }).await.map_err(|_| error)
    }

    async fn probe_as(&mut self, probe: Probe<'_>) -> Result<(), StoreError> {
        let mut statements = probe.statements(&self.tables, &self.server, &self.time_zone);
        statements.push(ResultUse::Ignored, "ROLLBACK");
        self.execute_within(PROBE_LIMIT, statements).await.map(drop)
    }
}
