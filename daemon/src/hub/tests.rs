use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::*;

fn hub() -> Arc<Hub> {
    Arc::new(Hub::new(Bounds { frames: 8, bytes: 1_000, total: 10_000 }))
}

fn user(id: i64) -> UserId {
    UserId::try_from(id).unwrap()
}

fn frame(text: &'static str) -> Outgoing {
    Outgoing::new(Utf8Bytes::from_static(text), None)
}

fn texts(registration: &Registration) -> Vec<String> {
    registration
        .take(Sendable::Everything, 0)
        .unwrap()
        .into_iter()
        .map(|outgoing| outgoing.into_text().to_string())
        .collect()
}

#[test]
fn frames_reach_all_connections_of_their_user_only() {
    let hub = hub();
    let registrations = [1, 1, 2].map(|id| hub.register(user(id), Format::Json, 9).unwrap());
    hub.deliver(&user(1), &frame("a"));
    hub.deliver(&user(1), &frame("b"));
    assert_eq!(texts(&registrations[0]), ["a", "b"]);
    assert_eq!(texts(&registrations[1]), ["a", "b"]);
    assert!(texts(&registrations[2]).is_empty());
}

#[test]
fn a_connection_in_the_content_format_gets_the_content_alone() {
    let hub = hub();
    let formats = [Format::Content, Format::Json, Format::Content];
    let connections = formats.map(|format| hub.register(user(1), format, 9).unwrap());
    let (message, other) = (r#"{"id":"a","data":"\"hi\""}"#, r#"{"type":"unread_count","data":3}"#);
    hub.deliver(&user(1), &frame(message));
    hub.deliver(&user(1), &frame(other));
    assert_eq!(texts(&connections[0]), ["\"hi\"", other]);
    assert_eq!(texts(&connections[1]), [message, other]);
    assert_eq!(texts(&connections[2]), ["\"hi\"", other]);
}

#[test]
fn a_user_stays_until_the_last_connection_is_gone() {
    let hub = hub();
    let (first, second) = (hub.register(user(1), Format::Json, 2), hub.register(user(1), Format::Json, 2));
    assert!(hub.register(user(1), Format::Json, 2).is_none(), "the third is one too many");
    drop(first);
    assert!(hub.has(&user(1)) && hub.users() == [user(1)]);
    drop(second);
    assert!(!hub.has(&user(1)) && hub.users().is_empty() && hub.connections() == 0);
}

#[test]
fn a_full_outbox_closes_its_own_connection_only() {
    let hub = hub();
    let (slow, quick) =
        (hub.register(user(1), Format::Json, 2).unwrap(), hub.register(user(1), Format::Json, 2).unwrap());
    for _ in 0..=8 {
        hub.deliver(&user(1), &frame("x"));
        assert_eq!(texts(&quick), ["x"]);
        quick.written();
    }
    assert_eq!(slow.take(Sendable::Everything, 0).unwrap_err(), Close::Slow);
    assert_eq!(hub.queued_bytes(), 0);
}

#[test]
fn pages_count_as_queued_and_shrink_when_much_is() {
    let hub = Hub::new(Bounds { frames: 8, bytes: 1_000, total: 1_000_000 });
    assert_eq!(hub.page_bytes(400_000), 400_000);
    let page = hub.page(vec![frame("0123456789"); 20_000]);
    assert_eq!((hub.queued_bytes(), hub.page_bytes(400_000)), (200_000, GUARANTEED_BYTES / 2));
    assert_eq!(hub.page_bytes(100), 100);
    drop(page);
    assert_eq!(hub.queued_bytes(), 0);
}

/// Only a replay may bring what was missed.
#[test]
fn frames_of_a_new_epoch_wait_for_the_replay() {
    let hub = hub();
    let registration = hub.register(user(1), Format::Json, 9).unwrap();
    hub.deliver(&user(1), &frame("a"));
    hub.begin_epoch(Partitions::ALL);
    assert!(registration.take(Sendable::Everything, 0).unwrap().is_empty());
    assert_eq!(registration.take(Sendable::Everything, 1).unwrap().len(), 1);
}
