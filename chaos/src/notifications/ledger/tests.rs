use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{Calm, Entries};

/// A ledger whose clock stands still.
fn still() -> Entries {
    let calm = Calm::start();
    calm.disturb();
    Entries::new(Arc::new(calm), false)
}

/// A ledger whose clock has gone on for a minute since something was entered.
fn a_minute_later(enter: impl FnOnce(&mut Entries)) -> Entries {
    let mut entries = still();
    enter(&mut entries);
    let calm = Calm::start_at(Duration::from_secs(60));
    calm.disturb();
    entries.calm = Arc::new(calm);
    entries
}

fn told(entries: &mut Entries, id: &str, message: Option<&str>) {
    let last = message.map(|message| json!({ "message_id": message }));
    let body = json!({ "type": "message.waiting", "data": { "user_id": 7, "last": last } });
    entries.received(id, body.to_string().as_bytes(), true);
}

#[test]
fn one_webhook_may_be_under_way_when_a_message_is_confirmed() {
    let mut entries = still();
    told(&mut entries, "a", Some("1:m"));
    entries.confirmed("1:m");
    told(&mut entries, "a", Some("1:m"));
    assert_eq!(entries.wrong, [""; 0]);
    told(&mut entries, "a", Some("1:m"));
    assert_eq!(entries.wrong.len(), 1, "{:?}", entries.wrong);
    assert!(entries.wrong[0].starts_with("told of what was delivered: 1:m for 7, 2 times"));
}

#[test]
fn nothing_is_under_way_for_a_minute() {
    let mut entries = a_minute_later(|entries| entries.confirmed("1:m"));
    told(&mut entries, "a", Some("1:n"));
    assert_eq!(entries.wrong, [""; 0], "another message");
    told(&mut entries, "a", Some("1:m"));
    assert_eq!(entries.wrong.len(), 1, "{:?}", entries.wrong);
}

#[test]
fn nobody_is_told_for_whom_nothing_waits() {
    let mut entries = a_minute_later(|entries| entries.nothing_waits("7"));
    told(&mut entries, "a", None);
    assert_eq!(entries.wrong.len(), 1, "{:?}", entries.wrong);
    entries.something_waits("7");
    told(&mut entries, "b", Some("1:m"));
    assert_eq!(entries.wrong.len(), 1, "{:?}", entries.wrong);
}

#[test]
fn telling_again_is_another_webhook() {
    let mut entries = still();
    let messages = ["1:m".to_owned()];
    told(&mut entries, "a", Some("1:m"));
    let before = entries.waiting("7", &messages);
    assert!(entries.told_at("7", &messages, &HashSet::new()).is_some());
    assert_eq!(entries.told_at("7", &messages, &before), None);
    told(&mut entries, "b", Some("1:m"));
    assert!(entries.told_at("7", &messages, &before).is_some());
    entries.accepted("a");
    assert!(!entries.is_accepted("7", &messages, &before));
    entries.accepted("b");
    assert!(entries.is_accepted("7", &messages, &before));
}
