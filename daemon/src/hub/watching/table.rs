//! The table of peers and of the connections that watch them.

mod ascending;
mod watchers;

use std::collections::HashMap;
use std::sync::Arc;

use chatpush_wire::frame::live;
use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;
use slab::Slab;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use self::ascending::Ascending;
use self::watchers::Watchers;
use super::INTERVAL;
use crate::hub::Outgoing;
use crate::hub::outbox::Outbox;

/// Peers and watchers, which refer to each other by number.
#[derive(Debug)]
pub(super) struct Table {
    /// The numbers of the peers, by partition.
    numbers: Vec<HashMap<UserId, u32>>,
    peers: Slab<Peer>,
    /// Whether each peer is connected to any daemon, by number, if that is known. One byte each, since every
    /// frame looks at all peers of a watcher.
    online: Vec<Option<bool>>,
    watchers: Slab<Watcher>,
    /// Peers whose state is to be asked for. Each has its flag set, so each is here at most once.
    doubted: Vec<u32>,
    /// Watchers that may have to be told something. Each has its flag set.
    due: Vec<usize>,
}

/// A user whose presence is watched.
#[derive(Debug)]
struct Peer {
    user: UserId,
    is_doubted: bool,
    watchers: Watchers,
}

/// A connection that watches.
#[derive(Debug)]
struct Watcher {
    outbox: Arc<Outbox>,
    peers: Ascending,
    /// A bit for each of the peers: what the connection was told. `None`: nothing yet.
    told: Option<Box<[u8]>>,
    has_begun: bool,
    is_due: bool,
    /// When it may be sent a frame again.
    not_before: Option<Instant>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            numbers: Partition::all().map(|_| HashMap::new()).collect(),
            peers: Slab::new(),
            online: Vec::new(),
            watchers: Slab::new(),
            doubted: Vec::new(),
            due: Vec::new(),
        }
    }
}

impl Table {
    pub(super) fn is_empty(&self) -> bool {
        self.watchers.is_empty()
    }

    /// Adds a watcher of these peers, each of whom counts once. It is sent nothing before `not_before`.
    pub(super) fn insert(
        &mut self,
        outbox: Arc<Outbox>,
        users: Vec<UserId>,
        not_before: Option<Instant>,
    ) -> usize {
        let mut peers: Vec<_> = users.into_iter().map(|user| self.give_number(user)).collect();
        peers.sort_unstable();
        peers.dedup();
        let watcher = Watcher {
            outbox,
            peers: Ascending::from_ascending(peers.iter().copied()),
            told: None,
            has_begun: false,
            is_due: false,
            not_before,
        };
        let key = self.watchers.insert(watcher);
        for number in peers {
            self.peers[number as usize].watchers.insert(number_of(key));
        }
        key
    }

    /// Removes a watcher, and the peers whom nobody watches any more. Returns how many entries of other watchers
    /// were looked at.
    pub(super) fn remove(&mut self, key: usize) -> usize {
        let Some(watcher) = self.watchers.try_remove(key) else { return 0 };
        let mut looked_at = 0;
        for number in watcher.peers.iter() {
            let Some(peer) = self.peers.get_mut(number as usize) else { continue };
            looked_at += peer.watchers.remove(number_of(key));
            if peer.watchers.is_empty() {
                self.numbers[partition_of(&peer.user)].remove(&peer.user);
                self.peers.remove(number as usize);
            }
        }
        // After a crowd has left, its memory is not kept.
        if self.watchers.is_empty() {
            *self = Self::default();
        }
        looked_at
    }

    /// When a watcher may be sent a frame again.
    pub(super) fn not_before(&self, key: usize) -> Option<Instant> {
        self.watchers.get(key)?.not_before
    }

    pub(super) fn is_peer(&self, key: usize, user: &UserId) -> bool {
        self.number(user).is_some_and(|number| self.watchers[key].peers.contains(number))
    }

    /// Tells a watcher what is known, as soon as that is known of all its peers.
    pub(super) fn begin(&mut self, key: usize) {
        let Self { peers, online, watchers, doubted, .. } = self;
        let Some(watcher) = watchers.get_mut(key) else { return };
        watcher.has_begun = true;
        for number in watcher.peers.iter() {
            if online[number as usize].is_none() {
                peers[number as usize].doubt(number, doubted);
            }
        }
        watcher.make_due(key, &mut self.due);
    }

    /// The state of a user may have changed.
    pub(super) fn doubt(&mut self, user: &UserId) {
        if let Some(number) = self.number(user) {
            self.peers[number as usize].doubt(number, &mut self.doubted);
        }
    }

    /// The state of everybody in the partition may have changed. Returns how many peers were looked at.
    pub(super) fn doubt_partition(&mut self, partition: Partition) -> usize {
        let numbers = &self.numbers[usize::from(partition.number())];
        for number in numbers.values() {
            self.peers[*number as usize].doubt(*number, &mut self.doubted);
        }
        numbers.len()
    }

    /// Takes the users to ask about.
    pub(super) fn take_doubted(&mut self, most: usize) -> Vec<UserId> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(number) = self.doubted.pop()
        {
            // Its number may be that of another user now, who is then asked about early.
            if let Some(peer) = self.peers.get_mut(number as usize).filter(|peer| peer.is_doubted) {
                peer.is_doubted = false;
                taken.push(peer.user.clone());
            }
        }
        taken
    }

    /// The states of these users.
    pub(super) fn learn_all(&mut self, states: &[(UserId, bool)]) {
        for (user, online) in states {
            self.learn(user, *online);
        }
    }

    /// The state of a user is this.
    pub(super) fn learn(&mut self, user: &UserId, online: bool) {
        let Some(number) = self.number(user) else { return };
        if self.online[number as usize].replace(online) == Some(online) {
            return;
        }
        for watcher in self.peers[number as usize].watchers.iter() {
            let key = watcher as usize;
            self.watchers[key].make_due(key, &mut self.due);
        }
    }

    /// Takes the watchers that may have to be told something.
    pub(super) fn take_due(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.due)
    }

    /// As [`Table::flush`], for each of these. Returns when the first has to be looked at again.
    pub(super) fn flush_all(&mut self, keys: &[usize], now: Instant) -> Option<Instant> {
        keys.iter().filter_map(|key| self.flush(*key, now)).min()
    }

    /// Sends a watcher what has changed. Returns when it has to be looked at again, which is noted.
    pub(super) fn flush(&mut self, key: usize, now: Instant) -> Option<Instant> {
        let Self { peers, online, watchers, due, .. } = self;
        let watcher = watchers.get_mut(key).filter(|watcher| watcher.is_due)?;
        if let Some(later) = watcher.not_before.filter(|later| *later > now) {
            due.push(key);
            return Some(later);
        }
        watcher.is_due = false;
        let frame = watcher.frame(peers, online)?;
        watcher.not_before = Some(now + INTERVAL);
        if watcher.outbox.offer(&Outgoing::new(frame, None)) {
            watcher.remember(online);
            return None;
        }
        // Much waits for this client. It is told the latest state when there is room.
        watcher.make_due(key, due);
        watcher.not_before
    }

    fn number(&self, user: &UserId) -> Option<u32> {
        self.numbers[partition_of(user)].get(user).copied()
    }

    /// The number of a user, who becomes a peer if nobody watches that user yet.
    fn give_number(&mut self, user: UserId) -> u32 {
        if let Some(number) = self.number(&user) {
            return number;
        }
        let peer = Peer { user: user.clone(), is_doubted: false, watchers: Watchers::default() };
        let index = self.peers.insert(peer);
        let number = number_of(index);
        if index == self.online.len() {
            self.online.push(None);
        }
        self.online[index] = None;
        self.numbers[partition_of(&user)].insert(user, number);
        number
    }
}

impl Peer {
    fn doubt(&mut self, number: u32, doubted: &mut Vec<u32>) {
        if !std::mem::replace(&mut self.is_doubted, true) {
            doubted.push(number);
        }
    }
}

impl Watcher {
    fn make_due(&mut self, key: usize, due: &mut Vec<usize>) {
        if self.has_begun && !std::mem::replace(&mut self.is_due, true) {
            due.push(key);
        }
    }

    /// The frame with what it was not told yet; `None` if there is nothing, or not everything is known.
    fn frame(&self, peers: &Slab<Peer>, online: &[Option<bool>]) -> Option<Utf8Bytes> {
        let states = self.peers.iter().map(|number| (number, online[number as usize]));
        if self.told.is_none() && states.clone().any(|(_, online)| online.is_none()) {
            return None;
        }
        let told = |index: usize| self.told.as_ref().map(|told| told[index / 8] >> (index % 8) & 1 == 1);
        let changes = states.enumerate().filter_map(|(index, (number, online))| {
            let online = online?;
            (told(index) != Some(online)).then(|| (&peers[number as usize].user, online))
        });
        let changes: Vec<_> = changes.collect();
        // Without peers there is nothing to tell, not even at first.
        (!changes.is_empty()).then(|| Utf8Bytes::from(live::presence(changes)))
    }

    /// It was told everything.
    fn remember(&mut self, online: &[Option<bool>]) {
        let mut told = Vec::new();
        for (index, number) in self.peers.iter().enumerate() {
            if index % 8 == 0 {
                told.push(0_u8);
            }
            if online[number as usize] == Some(true) {
                told[index / 8] |= 1 << (index % 8);
            }
        }
        self.told = Some(told.into_boxed_slice());
    }
}

/// There is a map for every partition.
fn partition_of(user: &UserId) -> usize {
    Partition::of(user).number().into()
}

/// An index of a slab as a small number. Four billion entries would not fit into memory.
fn number_of(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
