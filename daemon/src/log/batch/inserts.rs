//! The rows of a batch, while it is planned.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::{HashMap, HashSet};

use chatpush_wire::id::{MessageId, UserId};

use super::{Batch, Counting, Full, Insert, Known, Outcome};

/// The rows of a batch that is being planned.
pub(super) struct Inserts<'a, 'k> {
    /// The index of the entry that is planned.
    pub(super) entry: usize,
    pub(super) rows: Vec<NewRow<'a>>,
    /// The index of each message in `rows`; none if it was stored before.
    pub(super) places: HashMap<(&'k UserId, &'k MessageId), Option<usize>>,
    /// Messages that were recalled before.
    recalled: HashSet<(&'k UserId, &'k MessageId)>,
    /// Messages that were confirmed before, and have no row.
    confirmed: HashSet<(&'k UserId, &'k MessageId)>,
    /// How many messages users may still get.
    room: HashMap<&'k UserId, u32>,
    counting: Counting,
}

/// A row of a batch that is being planned.
pub(super) struct NewRow<'a> {
    pub(super) insert: Insert<'a>,
    /// Whether nobody has confirmed it or taken it back.
    pub(super) waits: bool,
}

impl<'a> NewRow<'a> {
    /// Ends its waiting, if it waits and fits. Returns it if so.
    pub(super) fn take_if(&mut self, fits: impl FnOnce(&Insert<'a>) -> bool) -> Option<Insert<'a>> {
        let taken = (self.waits && fits(&self.insert)).then_some(self.insert);
        self.waits &= taken.is_none();
        taken
    }
}

impl<'a: 'k, 'k> Inserts<'a, 'k> {
    pub(super) fn new(known: &'k Known, counting: Counting) -> Self {
        let places = known.stored.iter().map(|(receiver, id)| ((receiver, id), None)).collect();
        let room = known.room.iter().map(|(user, room)| (user, *room)).collect();
        let recalled = known.recalled.iter().map(|(receiver, id)| (receiver, id)).collect();
        let confirmed = known.confirmed_without_row.iter().map(|(receiver, id)| (receiver, id)).collect();
        Self { entry: 0, rows: Vec::new(), places, recalled, confirmed, room, counting }
    }

    /// Adds a message, unless it is there, or no more may wait for its receiver, who was not connected.
    pub(super) fn add(
        &mut self,
        batch: &mut Batch<'a>,
        insert: Insert<'a>,
        receiver_online: bool,
    ) -> Outcome<'a> {
        let Insert { id, receiver, .. } = insert;
        if let MapEntry::Vacant(place) = self.places.entry((receiver, id)) {
            let waits = !self.confirmed.contains(&(receiver, id));
            if waits && let Some(room) = self.room.get_mut(receiver) {
                if *room == 0 && !receiver_online {
                    batch.full.push(Full { entry: self.entry, receiver, id });
                    return Outcome::Full(receiver);
                }
                *room = room.saturating_sub(1);
            }
            place.insert(Some(self.rows.len()));
            batch.count(&insert, receiver_online, self.counting);
            self.rows.push(NewRow { insert, waits });
            if !waits {
                batch.confirmed.push((receiver, id));
                batch.client_acks.push((receiver, id));
            }
        } else if self.recalled.contains(&(receiver, id)) {
            batch.shown_again.push((receiver, id));
        }
        Outcome::Stored { receiver_online }
    }

    /// One message less waits for a user.
    pub(super) fn make_room(&mut self, user: &UserId) {
        if let Some(room) = self.room.get_mut(user) {
            *room = room.saturating_add(1);
        }
    }

    /// What became of a message whose call was repeated.
    pub(super) fn repeated(
        &self,
        receiver: &'a UserId,
        id: &'a MessageId,
        receiver_online: bool,
    ) -> Outcome<'a> {
        if self.places.contains_key(&(receiver, id)) {
            Outcome::Stored { receiver_online }
        } else {
            Outcome::Repeated { receiver, id, receiver_online }
        }
    }
}
