//! What senders are told of their own messages, if the operator wants it.

use chatpush_tests::eventually::eventually;
use chatpush_tests::grants::next_of;
use chatpush_tests::test_env::TestEnv;
use serde_json::json;

/// Also of a message that was confirmed before it was stored. Each once.
#[tokio::test]
async fn sender_is_told_what_a_client_has_confirmed() {
    let env = TestEnv::new().await.with("CHATPUSH_RECEIPTS", "true");
    env.users(&[1, 2]).await;
    let daemon = env.daemon().await;
    let mut sender = daemon.connect_with(1, "chatpush.v1").await;
    assert_eq!(sender.until_unread_count().await.1, 0);
    env.php().get("foreach (['a', 'b'] as $id) ChatPush\\sendMessage(1, 2, 'hi', 'chat', $id);").await;
    env.php().get("ChatPush\\sendMessage(3, 2, 'of another', 'chat', 'a');").await;
    let mut receiver = daemon.connect_with(2, "chatpush.v1").await;
    assert_eq!(receiver.until_unread_count().await.0.len(), 3);
    receiver.send_text(r#"{"ack":["1:a","1:b","3:a"]}"#).await;
    assert_eq!(
        next_of(&mut sender, "delivered").await,
        json!({"type": "delivered", "to": 2, "ids": ["1:a", "1:b"]})
    );
    receiver.send_text(r#"{"ack":["1:a"]}"#).await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'live', 'chat', 'c');").await;
    assert_eq!(next_of(&mut receiver, "chat").await["id"], "1:c");
    receiver.send_text(r#"{"ack":["1:c"]}"#).await;
    assert_eq!(next_of(&mut sender, "delivered").await["ids"], json!(["1:c"]), "nothing comes twice");
    eventually("nothing waits", || env.stored_count(2), |count| *count == 0).await;
}

/// Also where rows are marked. A row that the application has inserted has no id that its sender knows.
#[tokio::test]
async fn receipts_of_a_history_name_what_chatpush_has_stored() {
    let env = TestEnv::new().await;
    env.execute("ALTER TABLE offline_message ADD done datetime NULL, ADD INDEX (receiver_id, done, id)")
        .await;
    let env = env
        .with("CHATPUSH_RECEIPTS", "true")
        .with("CHATPUSH_MYSQL_HISTORY_COLUMN", "done")
        .with("CHATPUSH_MYSQL_HISTORY_VALUE", "now");
    env.users(&[1, 2]).await;
    let daemon = env.daemon().await;
    let mut sender = daemon.connect_with(1, "chatpush.v1").await;
    assert_eq!(sender.until_unread_count().await.1, 0);
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         VALUES (1, 2, 'theirs', NOW())",
    )
    .await;
    let send = "ChatPush\\sendMessage(1, 2, 'one', 'chat', 'a');
        ChatPush\\sendToUsers(1, [2], 'many', 'chat', 'b');";
    env.php().get(send).await;
    let mut receiver = daemon.connect_with(2, "chatpush.v1").await;
    let mut ids = Vec::new();
    for content in ["theirs", "one", "many"] {
        let frame = receiver.json().await;
        assert_eq!(frame["data"], content);
        ids.push(frame["id"].clone());
    }
    receiver.send_text(&json!({ "ack": ids }).to_string()).await;
    let mut told = Vec::new();
    while told.len() < 2 {
        let receipt = next_of(&mut sender, "delivered").await;
        assert_eq!(receipt["to"], 2);
        told.extend(receipt["ids"].as_array().expect("a list").iter().cloned());
    }
    told.sort_by_key(ToString::to_string);
    assert_eq!(told, ["1:a", "1:b"]);
    let marked = || env.query::<u64>("SELECT COUNT(done) FROM offline_message");
    eventually("all are marked", marked, |count| *count == [3]).await;
    env.php().get("pushMessage(1, 'end', 'end');").await;
    assert_eq!(sender.json().await["type"], "end", "the application's row has no receipt");
}

/// The connection that sent it gets it too: they cannot be told apart.
#[tokio::test]
async fn sender_gets_copies_on_every_connection() {
    let env = TestEnv::new().await.with("CHATPUSH_CARBONS", "true").with("CHATPUSH_DEFAULT_TYPE", "line");
    env.users(&[1, 2]).await;
    let (daemon, other) = (env.daemon().await, env.daemon().await);
    let mut devices =
        [daemon.connect_with(1, "chatpush.v1").await, other.connect_with(1, "chatpush.v1").await];
    let mut old = daemon.connect(1).await;
    for device in devices.iter_mut().chain([&mut old]) {
        assert_eq!(device.until_unread_count().await.1, 0);
    }
    let send = "ChatPush\\sendMessage(1, 2, 'hi', 5, 'a', 'team');";
    env.php()
        .get(&format!("{send} {send} storeOfflineMessage(1, 2, 'plain'); storeOfflineMessage(1, 1, 'note');"))
        .await;
    for device in &mut devices {
        let mut copy = device.json().await;
        assert!(copy["time"].take().is_u64());
        assert_eq!(
            copy,
            json!({"id": "1:a", "type": 5, "data": "hi", "from": 1, "to": 2, "conversation": "team",
                   "time": null})
        );
        let plain = device.json().await;
        assert_eq!(
            (&plain["data"], &plain["type"], &plain["to"]),
            (&json!("plain"), &json!("line"), &json!(2))
        );
        let note = device.json().await;
        assert_eq!((&note["data"], note.get("to")), (&json!("note"), None), "a repeated call has no copy");
    }
    assert_eq!(old.json().await["data"], "note", "a client without the protocol gets no copy");
}

/// The copy names all receivers but the sender and those whose call was repeated.
#[tokio::test]
async fn message_to_many_has_one_copy() {
    let env = TestEnv::new().await.with("CHATPUSH_CARBONS", "true");
    env.users(&[1, 2, 65, 66, 130]).await;
    let daemon = env.daemon().await;
    let mut sender = daemon.connect_with(1, "chatpush.v1").await;
    assert_eq!(sender.until_unread_count().await.1, 0);
    let send = |receivers| {
        format!("ChatPush\\sendToUsers(1, {receivers}, 'hi', 5, 'a', 'team'); pushMessage(1, 'end', 'end');")
    };
    // All are of one partition, so of one entry.
    env.php().get(&send("[130, 2, 66]")).await;
    let mut copy = sender.json().await;
    assert!(copy["time"].take().is_u64());
    assert_eq!(
        copy,
        json!({"id": "1:a", "type": 5, "data": "hi", "from": 1, "to": [130, 2, 66], "conversation": "team",
               "time": null})
    );
    assert_eq!(sender.json().await["type"], "end");
    env.php().get(&send("[66, 130]")).await;
    assert_eq!(sender.json().await["type"], "end", "a repeated call has no copy");
    env.php().get(&send("[1, 65]")).await;
    let mut frames = Vec::new();
    while frames.last().is_none_or(|frame: &serde_json::Value| frame["type"] != "end") {
        frames.push(sender.json().await);
    }
    let lists: Vec<_> = frames.iter().filter_map(|frame| frame.get("to")).collect();
    assert_eq!(lists, [&json!([65])], "the sender has the message itself");
}

/// Several partitions may be in several batches, so in several copies: together they name each receiver once.
#[tokio::test]
async fn copies_of_a_long_list_name_each_receiver_once() {
    let env = TestEnv::new().await.with("CHATPUSH_CARBONS", "true");
    let receivers: Vec<u32> = (2..=301).collect();
    env.users(&[1]).await;
    env.users(&receivers).await;
    let daemon = env.daemon().await;
    let mut sender = daemon.connect_with(1, "chatpush.v1").await;
    assert_eq!(sender.until_unread_count().await.1, 0);
    env.php().get("ChatPush\\sendToUsers(1, range(1, 301), 'hi', 5, 'a');").await;
    let mut named = Vec::new();
    while named.len() < receivers.len() {
        let frame = sender.json().await;
        // The sender is a receiver too.
        let Some(to) = frame.get("to") else { continue };
        assert_eq!((&frame["id"], &frame["data"]), (&json!("1:a"), &json!("hi")));
        named.extend(to.as_array().expect("a list").iter().map(|id| id.as_u64().expect("a number")));
    }
    named.sort_unstable();
    assert_eq!(named, receivers.iter().map(|id| u64::from(*id)).collect::<Vec<_>>());
}

#[tokio::test]
async fn senders_are_told_nothing_by_default() {
    let env = TestEnv::new().await;
    env.users(&[1, 2]).await;
    let daemon = env.daemon().await;
    let mut sender = daemon.connect_with(1, "chatpush.v1").await;
    assert_eq!(sender.until_unread_count().await.1, 0);
    env.php().get("ChatPush\\sendMessage(1, 2, 'hi', 'chat', 'a');").await;
    let mut receiver = daemon.connect_with(2, "chatpush.v1").await;
    assert_eq!(receiver.until_unread_count().await.0, ["hi"]);
    receiver.send_text(r#"{"ack":["1:a"]}"#).await;
    eventually("it is confirmed", || env.stored_count(2), |count| *count == 0).await;
    env.php().get("pushMessage(1, 'end', 'end');").await;
    assert_eq!(sender.json().await["type"], "end");
}
