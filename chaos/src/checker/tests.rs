use super::*;

/// A line of a worker, with spaces for tabs. The conversation and the sender may be left out.
fn tabs(line: &str) -> String {
    let more = if line.starts_with('>') && line.split(' ').count() == 4 { "\t\t1" } else { "" };
    line.replace(' ', "\t") + more
}

fn history(lines: &[&str]) -> History {
    let mut history = History::default();
    for line in lines {
        history.line(&tabs(line));
    }
    history.close();
    history
}

fn shown(mut history: History, user: u32, keys: &[&str]) -> History {
    let connection = history.connected(user, "plain".to_owned());
    for key in keys {
        history.shown(connection, (*key).to_owned(), None);
    }
    history
}

const TWO: [&str; 4] = ["> a-s-1 store 1", "< a-s-1 ok", "> a-s-2 store 1", "< a-s-2 queued"];

fn tables(counter: u64) -> Tables {
    Tables { counters: [(1, counter)].into(), ..Tables::default() }
}

fn row(key: &str, changes: u32) -> (Key, Row) {
    let row = Row { receiver: 1, content: key.to_owned(), message_id: None, changes, waits: changes == 0 };
    (key.to_owned(), row)
}

fn words(found: &[String]) -> Vec<&str> {
    let mut words: Vec<_> = found.iter().filter_map(|text| text.split(' ').next()).collect();
    words.sort_unstable();
    words
}

#[test]
fn correct_history_has_no_violation() {
    let history = shown(history(&TWO), 1, &["a-s-1", "a-s-2"]);
    assert_eq!(violations(&history, &tables(2)), Vec::<String>::new());
}

#[test]
fn each_kind_of_violation_is_found() {
    let found = violations(&shown(history(&TWO), 1, &["a-s-1"]), &tables(1));
    assert_eq!(words(&found), ["lost:"], "{found:?}");
    let found = violations(&shown(history(&TWO), 1, &["a-s-2", "a-s-1"]), &tables(2));
    assert_eq!(words(&found), ["out"], "{found:?}");
    let found = violations(&shown(history(&TWO), 1, &["a-s-1", "a-s-2", "a-s-1"]), &tables(2));
    assert_eq!(words(&found), ["received"], "{found:?}");
    let found = violations(&shown(history(&TWO), 1, &["a-s-1", "a-s-2"]), &tables(3));
    assert_eq!(words(&found), ["the"], "{found:?}");
    let found = violations(&shown(shown(history(&TWO), 1, &["a-s-1", "a-s-2"]), 2, &["a-s-1"]), &tables(2));
    assert_eq!(words(&found), ["delivered"], "{found:?}");
    let refused = history(&["> a-s-1 store 1", "< a-s-1 refused"]);
    let found = violations(&shown(refused, 1, &["a-s-1"]), &tables(1));
    assert_eq!(words(&found), ["refused"], "{found:?}");
    let before = vec![row("a-s-1", 1), row("a-s-1", 1)];
    let doubled = Tables { before, left: 1, ..tables(2) };
    let found = violations(&shown(history(&TWO), 1, &["a-s-1", "a-s-2"]), &doubled);
    assert_eq!(words(&found), ["1", "stored"], "{found:?}");
}

#[test]
fn another_id_or_type_is_found() {
    let receive = |frames: &[(&str, &str)]| {
        let mut history = history(&["> a-m-1 send 1", "< a-m-1 ok"]);
        for (id, found) in frames {
            let connection = history.connected(1, "plain".to_owned());
            let (id, message_type) = ((*id).to_owned(), (*found).to_owned());
            let frame = Frame { id, message_type, conversation: None };
            history.shown(connection, "a-m-1".to_owned(), Some(frame));
        }
        violations(&history, &tables(1))
    };
    assert_eq!(receive(&[("1:a-m-1", "a-m-1"), ("1:a-m-1", "chat")]), Vec::<String>::new());
    for frames in
        [&[("1:a-m-2", "a-m-1")][..], &[("1:a-m-1", "a-m-2")], &[("1:a-m-1", "a-m-1"), ("x", "a-m-1")]]
    {
        let found = receive(frames);
        assert_eq!(words(&found), ["received"], "{found:?}");
    }
}

#[test]
fn what_redis_has_lost_may_be_missing_unless_it_was_committed() {
    let lines: Vec<_> = TWO.iter().map(|line| tabs(line)).collect();
    let lost = |from_start: bool| {
        let mut history = History::default();
        let start = history.started;
        for line in &lines {
            history.line(line);
        }
        history.lost_tail(if from_start { start } else { std::time::Instant::now() });
        history.close();
        history
    };
    let found = violations(&shown(lost(true), 1, &["a-s-1"]), &tables(1));
    assert_eq!(found, Vec::<String>::new());
    // It was shown before, and is not stored.
    let found = violations(&shown(lost(true), 1, &["a-s-1", "a-s-2"]), &tables(1));
    assert_eq!(found, Vec::<String>::new());
    let found = violations(&shown(lost(true), 1, &["a-s-2"]), &tables(1));
    assert_eq!(words(&found), ["lost:"], "{found:?}");
    let found = violations(&shown(lost(true), 1, &["a-s-1", "a-s-2"]), &tables(3));
    assert_eq!(words(&found), ["the"], "{found:?}");
    // It was queued before.
    let found = violations(&shown(lost(false), 1, &["a-s-1"]), &tables(1));
    assert_eq!(words(&found), ["lost:"], "{found:?}");
}

#[test]
fn unknown_calls_may_have_been_executed_or_not() {
    let unknown = ["> a-s-1 store 1", "> a-s-2 store 1", "< a-s-2 unknown"];
    assert!(violations(&history(&unknown), &tables(0)).is_empty());
    assert!(violations(&shown(history(&unknown), 1, &["a-s-2", "a-s-1"]), &tables(2)).is_empty());
}

/// A call that follows a recall, and Redis's loss of what it knew, is seen for a moment.
#[test]
fn recalled_messages_have_no_order() {
    let recalled = [TWO.as_slice(), &["R> a-s-1 1", "R< a-s-1 1 true"]].concat();
    let found = violations(&shown(history(&recalled), 1, &["a-s-2", "a-s-1"]), &tables(1));
    assert!(!words(&found).contains(&"out"), "{found:?}");
    let not = [TWO.as_slice(), &["R> a-s-1 1", "R< a-s-1 1 false"]].concat();
    let found = violations(&shown(history(&not), 1, &["a-s-2", "a-s-1"]), &tables(2));
    assert!(words(&found).contains(&"out"), "{found:?}");
}

/// The tables of an application in which user 1 has received these messages.
fn application(rows: &[(&str, u32)], part: u64) -> Tables {
    let after: Vec<_> = rows.iter().map(|(key, changes)| row(key, *changes)).collect();
    let parts = [((1, "team".to_owned()), part)].into();
    Tables { is_application: true, before: after.clone(), after, parts, ..tables(part) }
}

const TEAM: [&str; 4] = ["> a-m-1 send 1 team 9", "< a-m-1 ok", "> a-m-2 send 1 team 9", "< a-m-2 ok"];

fn team(more: &[&str]) -> History {
    history(&[&TEAM[..], more].concat())
}

#[test]
fn a_conversation_counts_what_came_after_its_clear() {
    let both = ["a-m-1", "a-m-2"];
    let rows = [("a-m-1", 1), ("a-m-2", 1)];
    let count = |more: &[&str], count| violations(&shown(team(more), 1, &both), &application(&rows, count));
    assert_eq!(count(&[], 2), Vec::<String>::new());
    assert_eq!(words(&count(&[], 1)), ["team"]);
    let cleared = ["C> 1 team", "C< 1 team ok"];
    assert_eq!(count(&cleared, 0), Vec::<String>::new());
    assert_eq!(words(&count(&cleared, 2)), ["team"], "it was not lowered");
    let unknown = ["C> 1 team", "C< 1 team unknown"];
    assert!(count(&unknown, 0).is_empty() && count(&unknown, 2).is_empty());
    let mut tables = application(&rows, 2);
    tables.counters.insert(1, 3);
    assert_eq!(words(&violations(&shown(team(&[]), 1, &both), &tables)), ["the"], "the total is another");
}

#[test]
fn a_clear_that_redis_has_lost_may_not_have_been_done() {
    let count = |outcome: &str, from_start: bool, count| {
        let mut history = History::default();
        let start = history.started;
        let cleared = ["C> 1 team".to_owned(), format!("C< 1 team {outcome}")];
        for line in TEAM.map(str::to_owned).iter().chain(&cleared) {
            history.line(&tabs(line));
        }
        history.lost_tail(if from_start { start } else { std::time::Instant::now() });
        history.close();
        let history = shown(history, 1, &["a-m-1", "a-m-2"]);
        violations(&history, &application(&[("a-m-1", 1), ("a-m-2", 1)], count))
    };
    assert!(count("queued", true, 0).is_empty() && count("queued", true, 2).is_empty());
    assert_eq!(words(&count("queued", false, 2)), ["team"], "it was queued before");
    assert_eq!(words(&count("ok", true, 2)), ["team"], "MySQL has it");
}

#[test]
fn a_row_of_a_history_is_marked_once_and_stays() {
    let both = ["a-m-1", "a-m-2"];
    let check = |rows: &[(&str, u32)]| {
        let mut tables = application(rows, 2);
        tables.after.iter_mut().for_each(|(_, row)| row.waits = false);
        violations(&shown(team(&[]), 1, &both), &tables)
    };
    assert_eq!(check(&[("a-m-1", 1), ("a-m-2", 1)]), Vec::<String>::new());
    assert_eq!(words(&check(&[("a-m-1", 2), ("a-m-2", 1)])), ["the"], "marked twice");
    assert_eq!(words(&check(&[("a-m-1", 0), ("a-m-2", 1)])), ["the"], "not marked");
    assert_eq!(words(&check(&[("a-m-1", 1)])), ["missing"]);
    let deleted = Tables { deleted: 1, ..application(&[("a-m-1", 1), ("a-m-2", 1)], 2) };
    assert_eq!(words(&violations(&shown(team(&[]), 1, &both), &deleted)), ["1"]);
}

#[test]
fn a_recalled_message_does_not_count_and_is_recalled_once() {
    let rows = [("a-m-1", 1), ("a-m-2", 1)];
    let check = |more: &[&str], keys: &[&str], count| {
        violations(&shown(team(more), 1, keys), &application(&rows, count))
    };
    let taken = ["R> a-m-2 1", "R< a-m-2 1 true"];
    assert_eq!(check(&taken, &["a-m-1"], 1), Vec::<String>::new());
    assert_eq!(words(&check(&taken, &["a-m-1"], 2)), ["team"], "its count did not fall");
    let twice = [taken, taken].concat();
    assert_eq!(words(&check(&twice, &["a-m-1"], 1)), ["recalled"]);
    let failed = ["R> a-m-2 1", "R< a-m-2 1 false"];
    assert_eq!(words(&check(&failed, &["a-m-1", "a-m-2"], 2)), ["not"], "it was received later");
    let unknown = ["R> a-m-2 1", "R< a-m-2 1 queued"];
    assert!(check(&unknown, &["a-m-1"], 1).is_empty() && check(&unknown, &["a-m-1", "a-m-2"], 2).is_empty());
}

#[test]
fn a_removed_message_may_be_shown_before_the_frame_that_says_so() {
    let receive = |told: bool| {
        let mut history = team(&["R> a-m-2 1", "R< a-m-2 1 true"]);
        let connection = history.connected(1, "chatpush.v1 then close".to_owned());
        for key in ["a-m-1", "a-m-2"] {
            history.shown(connection, key.to_owned(), None);
        }
        if told {
            history.told(connection, "9:a-m-2");
        }
        let last = history.connections[0].times[1];
        history.connections[0].shown.push("a-p-3".to_owned());
        history.connections[0].times.push(last + Duration::from_secs(2));
        violations(&history, &application(&[("a-m-1", 1), ("a-m-2", 1)], 1))
    };
    assert_eq!(receive(true), Vec::<String>::new());
    assert_eq!(words(&receive(false)), ["shown"]);
}

#[test]
fn each_of_many_receivers_has_an_outcome() {
    let lines = ["> a-g-1 group 1,2,3 team 9", "< a-g-1 1=ok,2=queued,3=refused"];
    let found = violations(&shown(history(&lines), 1, &["a-g-1@1"]), &tables(1));
    assert_eq!(words(&found), ["lost:"], "{found:?}");
    let found =
        violations(&shown(history(&lines), 4, &["a-g-1@1", "a-g-1@2", "a-g-1@4"]), &Tables::default());
    assert!(found.iter().any(|text| text.contains("not in the list")), "{found:?}");
    let refused = history(&["> a-g-1 group 1,2 team 9", "< a-g-1 unknown"]);
    assert!(refused.messages.values().all(|message| message.outcome == Outcome::Unknown));
}
