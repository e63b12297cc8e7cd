use chatpush_wire::conversation::Conversation;
use chatpush_wire::entry::Addressee;

use super::*;

fn user(id: i64) -> UserId {
    UserId::try_from(id).unwrap()
}

fn id(number: u8) -> MessageId {
    MessageId::generate(1, [number; 10])
}

fn message(number: u8, receiver: i64) -> Entry {
    Entry::Message {
        id: id(number),
        sender: user(1),
        receiver: user(receiver),
        content: format!("m{number}"),
        message_type: None,
        conversation: None,
        receiver_online: false,
        reply_to: Some(format!("q{number}")),
    }
}

fn client_ack(number: u8, receiver: i64) -> Entry {
    Entry::ClientAck { receiver: user(receiver), ids: vec![id(number)] }
}

fn clear(receiver: i64) -> Entry {
    Entry::Clear { receiver: user(receiver), conversation: None, reply_to: None }
}

fn logged(entries: Vec<Entry>) -> Vec<LogEntry> {
    entries
        .into_iter()
        .zip(1..)
        .map(|(entry, at): (Entry, u64)| LogEntry {
            partition: Partition::of(receiver_of(&entry)),
            position: format!("{at}-0").parse().unwrap(),
            entry: Ok(entry),
            fields: Vec::new(),
        })
        .collect()
}

fn receiver_of(entry: &Entry) -> &UserId {
    match entry {
        Entry::Message { receiver, .. }
        | Entry::ClientAck { receiver, .. }
        | Entry::AppDelete { receiver, .. }
        | Entry::Clear { receiver, .. }
        | Entry::Duplicate { receiver, .. }
        | Entry::Forget { receiver, .. }
        | Entry::Recall { receiver, .. } => receiver,
        Entry::MessageToMany { receivers, .. } | Entry::DuplicateToMany { receivers, .. } => {
            &receivers[0].user
        }
    }
}

fn plan(entries: &[LogEntry]) -> Batch<'_> {
    Batch::plan(entries, |_| Position::default(), (Counting::Total, false), &Known::default())
}

#[test]
fn rows_keep_the_order_of_acceptance() {
    let entries = logged(vec![message(1, 5), message(2, 5), message(3, 5)]);
    let batch = plan(&entries);
    let contents: Vec<_> = batch.inserts.iter().map(|insert| insert.content).collect();
    assert_eq!(contents, ["m1", "m2", "m3"]);
    assert_eq!(batch.counters[&user(5)], Counter { cleared: false, added: 3, since: Position::new(1, 0) });
    assert_eq!(batch.replies.len(), 3);
}

#[test]
fn a_message_confirmed_in_the_same_batch_leaves_only_its_count() {
    let entries = logged(vec![message(1, 5), client_ack(1, 5)]);
    let batch = plan(&entries);
    assert!(batch.inserts.is_empty() && batch.client_acks.is_empty());
    assert_eq!(batch.counters[&user(5)].added, 1);
}

/// A history has every message: its row is inserted and marked.
#[test]
fn a_message_confirmed_or_recalled_in_the_same_batch_is_a_row_of_a_history() {
    let entries =
        logged(vec![message(1, 5), client_ack(1, 5), message(2, 5), recall(2, 1, 5), recall(1, 1, 5)]);
    let batch = Batch::plan(&entries, |_| Position::default(), (Counting::Total, true), &Known::default());
    assert_eq!(batch.inserts.iter().map(|insert| insert.content).collect::<Vec<_>>(), ["m1", "m2"]);
    assert_eq!(batch.client_acks, [(&user(5), &id(1))]);
    assert_eq!(batch.withdrawn, [(&user(5), &id(2))]);
    assert_eq!(batch.delivered, []);
    assert_eq!(recalled(&batch), [(true, None), (false, None)], "the first was confirmed");
    assert_eq!(batch.counters[&user(5)].added, 1);
}

#[test]
fn a_confirmed_older_message_is_deleted() {
    let entries = logged(vec![client_ack(1, 5), message(1, 21)]);
    let batch = plan(&entries);
    assert_eq!(batch.client_acks, [(&user(5), &id(1))]);
    assert_eq!(batch.inserts.len(), 1, "the same id of another receiver is another message");
}

#[test]
fn a_clear_resets_the_count_before_it_and_not_after_it() {
    let entries = logged(vec![message(1, 5), clear(5), message(2, 5)]);
    let batch = plan(&entries);
    assert_eq!(batch.counters[&user(5)], Counter { cleared: true, added: 1, since: Position::new(1, 0) });
    assert_eq!(batch.notify_unread, [&user(5)]);
}

#[test]
fn each_position_moves_once_in_the_order_of_partitions() {
    let entries = logged(vec![message(1, 6), message(2, 5), message(3, 6)]);
    let batch = plan(&entries);
    let ends: Vec<_> = batch.positions.iter().map(|p| (p.partition.number(), p.to.to_string())).collect();
    assert_eq!(ends, [(5, "2-0".to_owned()), (6, "3-0".to_owned())]);
}

#[test]
fn without_count_unread_no_counter_changes() {
    let entries = logged(vec![message(1, 5)]);
    let batch = Batch::plan(&entries, |_| Position::default(), (Counting::Off, false), &Known::default());
    assert!(batch.counters.is_empty() && batch.inserts.len() == 1);
}

#[test]
fn each_delete_replies_to_its_own_caller() {
    let delete = |rows: &[u64], reply_to: &str| Entry::AppDelete {
        receiver: user(5),
        rows: rows.to_vec(),
        reply_to: Some(reply_to.to_owned()),
    };
    let entries = logged(vec![delete(&[1], "a"), delete(&[2], "b")]);
    let batch = plan(&entries);
    let outcomes: Vec<_> = batch.replies.iter().map(|r| (r.reply_to, r.outcome.clone())).collect();
    assert_eq!(outcomes, [("a", Outcome::Removed(0)), ("b", Outcome::Removed(1))]);
}

#[test]
fn a_stored_message_is_replied_to_and_not_stored_again() {
    let entries = logged(vec![message(1, 5), client_ack(1, 5), message(1, 21)]);
    let stored = HashSet::from([(user(5), id(1))]);
    let batch = Batch::plan(
        &entries,
        |_| Position::default(),
        (Counting::Total, false),
        &Known { stored, ..Known::default() },
    );
    let receivers: Vec<_> = batch.inserts.iter().map(|insert| insert.receiver).collect();
    assert_eq!((receivers, batch.replies.len()), (vec![&user(21)], 2));
    assert_eq!(batch.client_acks, [(&user(5), &id(1))]);
    assert!(!batch.counters.contains_key(&user(5)));
}

#[test]
fn a_batch_is_cut_at_its_limit_and_keeps_its_order() {
    let delete = |rows: usize, receiver: i64| Entry::AppDelete {
        receiver: user(receiver),
        rows: (1..=rows as u64).collect(),
        reply_to: None,
    };
    let numbers =
        |entries: &[LogEntry]| entries.iter().map(|logged| logged.position.time_ms()).collect::<Vec<_>>();
    let mut entries = logged(vec![message(1, 5), delete(BATCH_ROWS - 1, 6), message(2, 7), message(3, 8)]);
    let cut = limit_size(&mut entries);
    assert_eq!(numbers(&entries), [1, 2]);
    assert_eq!(cut.iter().map(|partition| partition.number()).collect::<Vec<_>>(), [7, 8]);
    assert!(limit_size(&mut entries).is_empty(), "the rest is within the limit");
}

#[test]
fn the_first_entry_is_kept_however_many_rows_it_touches() {
    let large = Entry::ClientAck { receiver: user(5), ids: vec![id(1); BATCH_ROWS + 1] };
    let mut entries = logged(vec![large, message(1, 6)]);
    let cut = limit_size(&mut entries);
    assert_eq!((entries.len(), cut.len()), (1, 1));
    assert!(matches!(entries[0].entry, Ok(Entry::ClientAck { .. })));
}

#[test]
fn a_duplicate_refers_to_its_message() {
    let duplicate = |number, receiver| Entry::Duplicate {
        receiver: user(receiver),
        id: id(number),
        receiver_online: true,
        reply_to: Some("again".to_owned()),
    };
    let entries = logged(vec![message(1, 2), duplicate(1, 2), duplicate(1, 18), duplicate(3, 2)]);
    let batch = plan(&entries);
    let outcomes: Vec<_> = batch.replies.iter().skip(1).map(|reply| reply.outcome.clone()).collect();
    let (first, third, own, other) = (id(1), id(3), user(2), user(18));
    let repeated = |receiver, id| Outcome::Repeated { receiver, id, receiver_online: true };
    let expected =
        [Outcome::Stored { receiver_online: true }, repeated(&other, &first), repeated(&own, &third)];
    assert_eq!(outcomes, expected);
}

fn recall(number: u8, sender: i64, receiver: i64) -> Entry {
    let reply_to = Some("recall".to_owned());
    Entry::Recall { sender: user(sender), receiver: user(receiver), ids: vec![id(number)], reply_to }
}

/// Whether the recalls of a batch took the message from it, and which of the statements decides otherwise.
fn recalled(batch: &Batch<'_>) -> Vec<(bool, Option<usize>)> {
    let outcomes = batch.replies.iter().map(|reply| reply.outcome.clone());
    let recalls = outcomes.filter_map(|outcome| match outcome {
        Outcome::Recalled { from_batch, index, .. } => Some((from_batch, index)),
        _ => None,
    });
    recalls.collect()
}

#[test]
fn a_message_recalled_in_its_own_batch_leaves_neither_row_nor_count() {
    let entries = logged(vec![message(1, 5), message(2, 5), recall(1, 1, 5), recall(1, 1, 5)]);
    let batch = plan(&entries);
    assert_eq!(batch.inserts.iter().map(|insert| insert.content).collect::<Vec<_>>(), ["m2"]);
    assert_eq!(recalled(&batch), [(true, None), (false, None)], "once");
    assert_eq!(batch.counters[&user(5)].added, 1);
    assert_eq!(batch.recalled, [(&user(5), &id(1))], "its id stays known");
    assert_eq!(batch.notify_unread, [&user(5)]);
}

#[test]
fn a_message_that_was_recalled_before_and_is_sent_again_is_no_row_and_clients_are_told() {
    let entries = logged(vec![message(1, 5), message(2, 5), message(3, 5)]);
    let of = |numbers: &[u8]| numbers.iter().map(|number| (user(5), id(*number))).collect();
    let known = Known { stored: of(&[1, 2]), recalled: of(&[1]), ..Known::default() };
    let batch = Batch::plan(&entries, |_| Position::default(), (Counting::Total, false), &known);
    assert_eq!(batch.shown_again, [(&user(5), &id(1))]);
    assert_eq!(batch.inserts.iter().map(|insert| insert.content).collect::<Vec<_>>(), ["m3"]);
    assert_eq!(batch.counters[&user(5)].added, 1);
}

/// In a history: a client has confirmed it before it became a row, and it was lost or refused.
#[test]
fn a_message_that_was_confirmed_without_a_row_is_a_row_that_does_not_wait() {
    let duplicate = Entry::Duplicate {
        receiver: user(5),
        id: id(1),
        receiver_online: false,
        reply_to: Some("d".to_owned()),
    };
    let entries =
        vec![duplicate, message(1, 5), message(2, 5), message(1, 5), recall(1, 1, 5), client_ack(1, 5)];
    let entries = logged(entries);
    let known = Known {
        confirmed_without_row: HashSet::from([(user(5), id(1))]),
        room: HashMap::from([(user(5), 0)]),
        ..Known::default()
    };
    let batch = Batch::plan(&entries, |_| Position::default(), (Counting::Total, true), &known);
    assert_eq!(batch.inserts.iter().map(|insert| insert.content).collect::<Vec<_>>(), ["m1"]);
    assert_eq!(batch.client_acks, [(&user(5), &id(1))], "its row is marked");
    assert!(batch.confirmed.contains(&(&user(5), &id(1))), "it is remembered that it has a row");
    assert_eq!(batch.counters[&user(5)].added, 1);
    assert_eq!(batch.full.len(), 1, "a message that waits needs room");
    assert_eq!(recalled(&batch), [(false, None)]);
    let (receiver, id) = (user(5), id(1));
    let unknown = Outcome::Repeated { receiver: &receiver, id: &id, receiver_online: false };
    assert_eq!(batch.replies[0].outcome, unknown, "MySQL may have refused it");
    assert_eq!(batch.replies[1].outcome, Outcome::Stored { receiver_online: false });
}

#[test]
fn a_recall_behind_a_clear_takes_no_count_that_is_gone() {
    let entries = logged(vec![message(1, 5), clear(5), message(2, 5), recall(1, 1, 5)]);
    assert_eq!(
        plan(&entries).counters[&user(5)],
        Counter { cleared: true, added: 1, since: Position::new(1, 0) }
    );
    let entries = logged(vec![message(1, 5), clear(5), message(2, 5), recall(2, 1, 5)]);
    let batch = plan(&entries);
    assert_eq!(batch.counters[&user(5)], Counter { cleared: true, added: 0, since: Position::new(1, 0) });
    assert_eq!(batch.clears[&user(5)], Position::new(2, 0));
}

#[test]
fn a_recall_takes_only_what_its_sender_has_sent_and_nobody_confirmed() {
    let entries = logged(vec![message(1, 5), recall(1, 2, 5), client_ack(1, 5), recall(1, 1, 5)]);
    let batch = plan(&entries);
    assert_eq!(recalled(&batch), [(false, None), (false, None)]);
    assert_eq!(batch.counters[&user(5)].added, 1);
    assert_eq!(batch.delivered, [Delivered { sender: &user(1), receiver: &user(5), id: &id(1) }]);
}

#[test]
fn a_message_of_an_earlier_batch_is_recalled_by_a_statement() {
    let entries = logged(vec![message(1, 21), recall(1, 1, 5), recall(2, 1, 5)]);
    let batch = plan(&entries);
    assert_eq!(recalled(&batch), [(false, Some(0)), (false, Some(1))]);
    let (sender, receiver, ids) = (user(1), user(5), [id(1), id(2)]);
    let expected = ids.iter().map(|id| Recall { sender: &sender, receiver: &receiver, ids: vec![id] });
    assert_eq!(batch.recalls, expected.collect::<Vec<_>>());
    let counter = Counter { since: Position::new(2, 0), ..Counter::default() };
    assert_eq!(batch.counters[&user(5)], counter, "the statement finds out what it counts");
}

fn to_many(number: u8, receivers: &[(i64, bool, bool)]) -> Entry {
    let addressee = |(id, online, repeated): &(i64, bool, bool)| Addressee {
        user: user(*id),
        online: *online,
        repeated: *repeated,
    };
    Entry::MessageToMany {
        id: id(number),
        sender: user(1),
        receivers: receivers.iter().map(addressee).collect(),
        content: format!("m{number}"),
        message_type: None,
        conversation: None,
        reply_to: Some(format!("q{number}")),
    }
}

#[test]
fn an_entry_to_many_is_a_row_and_a_count_for_each_new_receiver() {
    let entries = logged(vec![
        message(1, 69),
        to_many(1, &[(5, true, false), (69, false, true), (133, false, true), (197, false, false)]),
        client_ack(1, 197),
    ]);
    let batch = plan(&entries);
    let rows: Vec<_> = batch.inserts.iter().map(|insert| (insert.receiver, insert.id)).collect();
    assert_eq!(rows, [(&user(69), &id(1)), (&user(5), &id(1))], "197 has confirmed it already");
    assert_eq!(batch.counters.keys().map(|user| (*user).clone()).collect::<Vec<_>>(), [5, 69, 197].map(user));
    assert_eq!(batch.notify_unread, [&user(5)]);
    let (stored, offline) =
        (Outcome::Stored { receiver_online: true }, Outcome::Stored { receiver_online: false });
    let (other, id) = (user(133), id(1));
    let repeated = Outcome::Repeated { receiver: &other, id: &id, receiver_online: false };
    let each = Outcome::Each(vec![stored, offline.clone(), repeated, offline]);
    assert_eq!(batch.replies.last().map(|reply| (reply.reply_to, reply.outcome.clone())), Some(("q1", each)));
}

/// A content that stands in the log once becomes many rows.
#[test]
fn an_entry_to_many_counts_as_its_receivers() {
    let receivers: Vec<_> = (1..=128).map(|number| (64 * number + 5, false, false)).collect();
    let many = || to_many(1, &receivers);
    let mut entries = logged((0..40).map(|_| many()).collect());
    assert_eq!(limit_size(&mut entries), [Partition::of(&user(5)); 8]);
    assert_eq!(entries.len(), 32, "of 4,096 rows");
    let large = || match many() {
        Entry::MessageToMany { id, sender, receivers, message_type, conversation, reply_to, .. } => {
            let content = "x".repeat(32 * 1024);
            Entry::MessageToMany { id, sender, receivers, content, message_type, conversation, reply_to }
        }
        other => other,
    };
    let mut entries = logged(vec![large(), large(), large()]);
    assert_eq!(limit_size(&mut entries).len(), 1);
    assert_eq!(entries.len(), 2, "of 8 MiB");
}

/// They were queued before the log was repaired.
#[test]
fn entries_before_the_position_leave_it_where_it_is() {
    let entries = logged(vec![message(1, 5), message(2, 5)]);
    for (from, to) in [("9-3", "9-3"), ("1-7", "2-0")] {
        let position = |text: &str| text.parse::<Position>().unwrap();
        let batch = Batch::plan(&entries, |_| position(from), (Counting::Total, false), &Known::default());
        assert_eq!((batch.inserts.len(), batch.positions.len()), (2, 1));
        assert_eq!((batch.positions[0].from, batch.positions[0].to), (position(from), position(to)));
    }
}

#[test]
fn a_forget_is_alone_in_its_partition() {
    let forget = |receiver| Entry::Forget { receiver: user(receiver), reply_to: None };
    let separated = |entries| {
        let mut entries = logged(entries);
        let cut: HashSet<_> = separate_forgets(&mut entries).into_iter().collect();
        let left: Vec<_> = entries.iter().map(|logged| logged.position.to_string()).collect();
        (left.join(" "), cut)
    };
    let partition = |id| Partition::of(&user(id));
    assert_eq!(separated(vec![message(1, 5), message(2, 6)]), ("1-0 2-0".to_owned(), HashSet::new()));
    assert_eq!(
        separated(vec![message(1, 5), forget(5), message(2, 5), message(3, 6)]),
        ("1-0 4-0".to_owned(), HashSet::from([partition(5)]))
    );
    assert_eq!(
        separated(vec![forget(5), message(2, 69), forget(6)]),
        ("1-0 3-0".to_owned(), HashSet::from([partition(5)])),
        "the partition may have other users"
    );
    assert_eq!(separated(vec![forget(5), forget(5)]), ("1-0".to_owned(), HashSet::from([partition(5)])));
}

fn conversation(name: &str) -> Conversation {
    Conversation::try_from(name.to_owned()).unwrap()
}

/// A message for user 5 that belongs to a conversation.
fn named(number: u8, name: &str) -> Entry {
    Entry::Message {
        id: id(number),
        sender: user(1),
        receiver: user(5),
        content: format!("m{number}"),
        message_type: None,
        conversation: Some(conversation(name)),
        receiver_online: false,
        reply_to: None,
    }
}

fn clear_of(name: &str) -> Entry {
    let reply_to = Some("q".to_owned());
    Entry::Clear { receiver: user(5), conversation: Some(conversation(name)), reply_to }
}

/// What is cleared and added in one batch comes in the order of the log.
#[test]
fn conversations_are_counted_and_cleared_in_order() {
    let planned = |entries: Vec<Entry>, counting| {
        let entries = logged(entries);
        let batch = Batch::plan(&entries, |_| Position::default(), (counting, false), &Known::default());
        (batch.counters.get(&user(5)).copied(), batch.parts.get(&user(5)).cloned(), batch.replies.len())
    };
    let parts = |cleared: &[&str], added: &[(&str, u32)], clears: &[(&str, u64, bool)]| Parts {
        cleared: cleared.iter().map(|name| (*name).to_owned()).collect(),
        added: added.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        clears: clears
            .iter()
            .map(|(name, time_ms, counted)| {
                ((*name).to_owned(), PartClear { position: Position::new(*time_ms, 0), counted: *counted })
            })
            .collect(),
    };
    let counter = |cleared, added| Some(Counter { cleared, added, since: Position::new(1, 0) });
    let by = Counting::ByConversation;
    assert_eq!(
        planned(
            vec![named(1, "team"), message(2, 5), named(3, "team"), clear_of("team"), named(4, "team")],
            by
        ),
        (counter(false, 2), Some(parts(&["team"], &[("1", 1), ("team", 1)], &[("team", 4, true)])), 2)
    );
    assert_eq!(
        planned(vec![clear_of("a"), named(1, "b"), clear_of("b"), clear_of("b"), clear_of("a")], by),
        (counter(false, 0), Some(parts(&["a", "b"], &[], &[("a", 5, false), ("b", 4, true)])), 4)
    );
    assert_eq!(
        planned(vec![named(1, "team"), clear(5), named(2, "b"), clear_of("b"), named(3, "c")], by),
        (counter(true, 1), Some(parts(&[], &[("c", 1)], &[("b", 4, true)])), 1)
    );
    assert_eq!(
        planned(vec![named(1, "team"), clear_of("team")], Counting::Total),
        (counter(false, 1), None, 1)
    );
}

/// It counts no more where it was cleared, for its conversation or altogether.
#[test]
fn a_recalled_message_is_taken_from_its_conversation_unless_that_was_cleared() {
    let planned = |entries: Vec<Entry>| {
        let entries = logged(entries);
        let batch = Batch::plan(
            &entries,
            |_| Position::default(),
            (Counting::ByConversation, false),
            &Known::default(),
        );
        let added = batch.parts.get(&user(5)).map(|parts| parts.added.clone()).unwrap_or_default();
        assert_eq!(batch.counters[&user(5)].added, added.values().sum::<u32>(), "the total is their sum");
        added.into_iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    };
    let messages = || vec![named(1, "team"), message(2, 5), named(3, "team"), named(4, "other")];
    let with = |more: Vec<Entry>| planned(messages().into_iter().chain(more).collect());
    assert_eq!(with(vec![recall(1, 1, 5)]), "1 1, other 1, team 1");
    assert_eq!(with(vec![recall(2, 1, 5), recall(4, 1, 5), recall(4, 1, 5)]), "team 2");
    assert_eq!(with(vec![clear_of("team"), named(5, "team"), recall(1, 1, 5)]), "1 1, other 1, team 1");
    assert_eq!(with(vec![clear_of("team"), named(5, "team"), recall(5, 1, 5)]), "1 1, other 1");
    assert_eq!(with(vec![clear_of("other"), recall(1, 1, 5)]), "1 1, team 1");
    assert_eq!(with(vec![clear(5), named(5, "team"), recall(1, 1, 5)]), "team 1");
}

#[test]
fn an_entry_to_many_counts_for_its_conversation_with_each_receiver() {
    let Entry::MessageToMany { id, sender, receivers, content, reply_to, .. } =
        to_many(1, &[(5, true, false), (69, false, true), (197, false, false)])
    else {
        unreachable!()
    };
    let team = Some(conversation("team"));
    let many = Entry::MessageToMany {
        id,
        sender,
        receivers,
        content,
        message_type: None,
        conversation: team,
        reply_to,
    };
    let entries = logged(vec![many, to_many(2, &[(197, false, false)])]);
    let batch =
        Batch::plan(&entries, |_| Position::default(), (Counting::ByConversation, false), &Known::default());
    let added = |id| batch.parts.get(&user(id)).map(|parts| parts.added.clone());
    assert_eq!(added(5), Some(BTreeMap::from([("team".to_owned(), 1)])));
    assert_eq!(added(69), None, "it was repeated for this one");
    assert_eq!(added(197), Some(BTreeMap::from([("1".to_owned(), 1), ("team".to_owned(), 1)])));
    assert_eq!(batch.notify_unread, [&user(5)]);
}
