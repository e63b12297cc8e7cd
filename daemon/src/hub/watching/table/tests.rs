use chatpush_wire::limit;

use super::*;
use crate::hub::{Bounds, Format, Sendable};

fn user(id: i64) -> UserId {
    UserId::try_from(id).unwrap()
}

fn users(ids: impl IntoIterator<Item = i64>) -> Vec<UserId> {
    ids.into_iter().map(user).collect()
}

fn outbox() -> Arc<Outbox> {
    Arc::new(Outbox::new(Format::Json, Bounds { frames: 4, bytes: 1_000, total: 10_000 }, Arc::default()))
}

/// The texts of the frames that wait.
fn texts(outbox: &Outbox) -> Vec<String> {
    let frames = outbox.take(Sendable::Everything, || true).unwrap();
    outbox.written();
    frames.into_iter().map(|frame| frame.into_text().to_string()).collect()
}

fn flush(table: &mut Table, now: Instant) -> Option<Instant> {
    table.take_due().into_iter().filter_map(|key| table.flush(key, now)).min()
}

fn numbers(table: &Table) -> usize {
    table.numbers.iter().map(HashMap::len).sum()
}

/// A table in which a connection watches the users 1 and 2, of whom 1 is online, and was told so.
fn told() -> (Table, Arc<Outbox>, usize, Instant) {
    let (mut table, outbox, now) = (Table::default(), outbox(), Instant::now());
    let key = table.insert(outbox.clone(), users([2, 1, 2]), None);
    table.begin(key);
    table.learn(&user(1), true);
    table.learn(&user(2), false);
    assert_eq!(flush(&mut table, now), None);
    assert_eq!(texts(&outbox), [r#"{"type":"presence","users":{"2":false,"1":true}}"#]);
    (table, outbox, key, now)
}

#[test]
fn everybody_is_told_once_and_then_the_changes() {
    let (mut table, outbox, _, now) = told();
    table.learn(&user(1), true);
    assert_eq!(flush(&mut table, now + INTERVAL), None);
    assert!(texts(&outbox).is_empty());
    table.learn(&user(2), true);
    flush(&mut table, now + INTERVAL);
    assert_eq!(texts(&outbox), [r#"{"type":"presence","users":{"2":true}}"#]);
}

#[test]
fn nothing_is_told_before_everything_is_known() {
    let (mut table, outbox, now) = (Table::default(), outbox(), Instant::now());
    let key = table.insert(outbox.clone(), users([1, 2]), None);
    table.learn(&user(1), true);
    table.begin(key);
    assert_eq!(table.take_doubted(9), [user(2)], "the other is known");
    flush(&mut table, now);
    assert!(texts(&outbox).is_empty());
    table.learn(&user(2), true);
    flush(&mut table, now);
    assert_eq!(texts(&outbox).len(), 1);
}

#[test]
fn changes_of_a_second_are_one_frame_and_those_that_undo_each_other_none() {
    let (mut table, outbox, _, now) = told();
    table.learn(&user(1), false);
    table.learn(&user(2), true);
    assert_eq!(flush(&mut table, now), Some(now + INTERVAL));
    assert!(texts(&outbox).is_empty());
    table.learn(&user(1), true);
    assert_eq!(flush(&mut table, now + INTERVAL), None);
    assert_eq!(texts(&outbox), [r#"{"type":"presence","users":{"2":true}}"#]);
}

#[test]
fn a_slow_client_is_told_the_latest_state_when_there_is_room() {
    let (mut table, outbox, _, now) = told();
    for _ in 0..2 {
        outbox.push(&Outgoing::new("x".into(), None));
    }
    table.learn(&user(1), false);
    let later = now + INTERVAL;
    assert_eq!(flush(&mut table, later), Some(later + INTERVAL));
    assert_eq!(texts(&outbox), ["x", "x"]);
    table.learn(&user(1), true);
    table.learn(&user(2), true);
    assert_eq!(flush(&mut table, later + INTERVAL), None);
    assert_eq!(texts(&outbox), [r#"{"type":"presence","users":{"2":true}}"#]);
}

#[test]
fn a_peer_is_asked_about_once_however_many_watch() {
    let mut table = Table::default();
    let outboxes = [(); 3].map(|()| outbox());
    for outbox in &outboxes {
        let key = table.insert(outbox.clone(), users([1, 2]), None);
        table.begin(key);
    }
    table.doubt(&user(1));
    let mut asked = table.take_doubted(9);
    asked.sort_unstable();
    assert_eq!(asked, users([1, 2]));
    assert!(table.take_doubted(9).is_empty());
    assert_eq!(table.doubt_partition(Partition::of(&user(2))), 1);
    assert_eq!(table.take_doubted(9), [user(2)]);
    table.doubt(&user(7));
    assert!(table.take_doubted(9).is_empty(), "nobody watches this one");
}

#[test]
fn whom_nobody_watches_is_forgotten() {
    let (mut table, outbox, key, now) = told();
    let other = table.insert(outbox.clone(), users([1, 3]), None);
    assert!(table.is_peer(other, &user(3)) && !table.is_peer(key, &user(3)));
    table.remove(key);
    assert!(table.is_peer(other, &user(1)) && numbers(&table) == 2);
    // A number that is free is given out again.
    let third = table.insert(outbox.clone(), users([4, 1]), None);
    table.begin(third);
    table.learn(&user(4), true);
    flush(&mut table, now);
    assert_eq!(texts(&outbox).len(), 1);
    table.remove(other);
    table.remove(third);
    assert!(table.is_empty() && numbers(&table) == 0 && table.peers.is_empty());
}

/// Bytes that the table has allocated.
fn allocated(table: &Table) -> usize {
    // A map takes a byte beside each entry, and is full at seven eighths (std's implementation).
    let map = |map: &HashMap<UserId, u32>| map.capacity() * 8 / 7 * (size_of::<(UserId, u32)>() + 1);
    let watcher =
        |watcher: &Watcher| watcher.peers.allocated() + watcher.told.as_ref().map_or(0, |told| told.len());
    let slabs = table.peers.capacity() * (size_of::<Peer>() + 8)
        + table.watchers.capacity() * (size_of::<Watcher>() + 8);
    let lists = table.doubted.capacity() * size_of::<u32>() + table.due.capacity() * size_of::<usize>();
    table.numbers.iter().map(map).sum::<usize>()
        + table.peers.iter().map(|(_, peer)| peer.watchers.allocated()).sum::<usize>()
        + table.watchers.iter().map(|(_, it)| watcher(it)).sum::<usize>()
        + (slabs + lists + table.online.capacity())
}

/// Bytes for each of so many connections, which watch so many of each other.
fn allocated_each(connections: usize, peers: i64) -> usize {
    let (mut table, outbox) = (Table::default(), outbox());
    let count = i64::try_from(connections).unwrap();
    for id in 0..count {
        let peers = (1..=peers).map(|step| (id * 31 + step * 47) % count + 1);
        let key = table.insert(outbox.clone(), users(peers), None);
        table.begin(key);
    }
    for id in 1..=count {
        table.learn(&user(id), true);
    }
    flush(&mut table, Instant::now());
    for key in 0..connections {
        table.watchers[key].remember(&table.online);
    }
    allocated(&table) / connections
}

/// Two million pairs of a watcher and a peer, with each list in both directions.
#[test]
fn ten_thousand_connections_with_two_hundred_peers_take_a_kibibyte_each() {
    let each = allocated_each(10_000, 200);
    assert!(each <= 1_024, "{each} bytes");
}

/// As many peers as a grant may name.
#[test]
fn connections_with_five_hundred_peers_take_two_kibibytes_each() {
    let each = allocated_each(2_000, i64::try_from(limit::GRANT_PEERS).unwrap());
    assert!(each <= 2_048, "{each} bytes");
}

/// Every daemon hears the announcement that all may have changed once for each partition.
#[test]
fn an_announcement_about_everybody_looks_at_each_peer_once() {
    let mut table = Table::default();
    let key = table.insert(outbox(), users(1..=500), None);
    let looked_at: usize = Partition::all().map(|partition| table.doubt_partition(partition)).sum();
    assert_eq!(looked_at, 500);
    assert_eq!(table.take_doubted(1_000).len(), 500);
    table.remove(key);
    assert_eq!(Partition::all().map(|partition| table.doubt_partition(partition)).sum::<usize>(), 0);
}

#[test]
fn leaving_a_popular_peer_takes_a_bounded_number_of_steps() {
    let mut table = Table::default();
    let outbox = outbox();
    let keys: Vec<_> = (0..20_000).map(|_| table.insert(outbox.clone(), users([1, 2]), None)).collect();
    let most = keys.into_iter().map(|key| table.remove(key)).max();
    assert!(most <= Some(1_024), "{most:?}");
    assert!(table.is_empty() && numbers(&table) == 0);
}

/// A connection that sends its grant again is told everything again, and no more often.
#[test]
fn a_watcher_in_place_of_another_keeps_its_pace() {
    let (mut table, outbox, key, now) = told();
    let not_before = table.not_before(key);
    assert_eq!(not_before, Some(now + INTERVAL));
    let next = table.insert(outbox.clone(), users([1, 2]), not_before);
    table.remove(key);
    table.begin(next);
    assert_eq!(flush(&mut table, now), not_before);
    assert!(texts(&outbox).is_empty());
    assert_eq!(flush(&mut table, now + INTERVAL), None);
    assert_eq!(texts(&outbox).len(), 1);
}
