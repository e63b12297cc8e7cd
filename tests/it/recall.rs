//! Messages that are taken back: by their sender, or because MySQL has refused them.

use chatpush_tests::eventually::eventually;
use chatpush_tests::grants::next_of;
use chatpush_tests::test_env::TestEnv;
use mysql_async::prelude::Queryable as _;
use serde_json::json;

fn recall(id: &str) -> String {
    format!("echo json_encode(ChatPush\\recallMessage(1, 2, '{id}'));")
}

async fn send(env: &TestEnv, id: &str) {
    env.php().get(&format!("ChatPush\\sendMessage(1, 2, 'text of {id}', 'chat', '{id}');")).await;
}

/// The row goes and the counter falls. Nobody else's message goes, and a repeated call does not revive it.
#[tokio::test]
async fn message_that_waits_is_taken_back_once() {
    let env = TestEnv::new().await;
    env.users(&[2, 3]).await;
    let daemon = env.daemon().await;
    send(&env, "a").await;
    send(&env, "b").await;
    let php = env.php();
    php.get("ChatPush\\sendMessage(3, 2, 'of another', 'chat', 'a');").await;
    php.get("ChatPush\\sendMessage(1, 3, 'for another', 'chat', 'a');").await;
    assert_eq!(php.get(&recall("a")).await, "true");
    assert_eq!(env.stored(2).await, ["text of b", "of another"]);
    assert_eq!((env.stored(3).await.len(), env.unread(2).await), (1, 2));
    assert_eq!(php.get(&recall("a")).await, "false");
    assert_eq!(php.get(&recall("never sent")).await, "false");
    // By the id of the frame, also of a message without an id of its own.
    php.get("ChatPush\\sendMessage(1, 2, 'generated');").await;
    let ids = "$rows = getOfflineMessage(2); echo json_encode(array_map(fn ($row) => [
        ChatPush\\recallMessage(3, 2, $row['sender_id'] === 3 ? 'b' : $row['message_id']),
        ChatPush\\recallMessage(1, 2, $row['message_id'])], $rows));";
    assert_eq!(php.get(ids).await, "[[false,true],[false,false],[false,true]]");
    assert_eq!((env.stored(2).await, env.unread(2).await), (vec!["of another".to_owned()], 1));
    send(&env, "a").await;
    // Also when Redis has forgotten the id.
    let seen: Vec<String> = env.redis(&["KEYS", &format!("{}:*:seen:*", env.name())]).await;
    for key in seen {
        let _: u64 = env.redis(&["DEL", &key]).await;
    }
    send(&env, "b").await;
    assert_eq!(env.stored(2).await, ["of another"]);
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_message").await, [2]);
    assert_eq!(daemon.connect(2).await.until_unread_count().await, (vec!["of another".to_owned()], 1));
}

/// Redis shows it to who is connected, and only MySQL knows that it was recalled.
#[tokio::test]
async fn what_was_recalled_and_is_sent_again_after_redis_lost_its_tail_disappears_again() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let php = env.php();
    // One is recalled in the batch that would store it, and one in another.
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("SELECT * FROM `user` WHERE id = 2 FOR UPDATE").await.expect("the row is free");
    let queued = "ChatPush\\sendMessage(1, 2, 'text of a', 'chat', 'a');";
    php.clone().with("chatpush.durability=queued").get(queued).await;
    let recalling = php.clone();
    let waiting = tokio::spawn(async move { recalling.get(&recall("a")).await });
    eventually("both are in the log", || env.log_length(2), |length| *length == 2).await;
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    assert_eq!(waiting.await.expect("it is answered"), "true");
    send(&env, "b").await;
    assert_eq!(php.get(&recall("b")).await, "true");
    let mut page = daemon.connect_with(2, "chatpush.v1").await;
    assert_eq!(page.until_unread_count().await, (Vec::new(), 0));
    let seen: Vec<String> = env.redis(&["KEYS", &format!("{}:*:seen:*", env.name())]).await;
    assert_eq!(seen.len(), 2, "{seen:?}");
    for key in seen {
        let _: u64 = env.redis(&["DEL", &key]).await;
    }
    for id in ["a", "b"] {
        send(&env, id).await;
        assert_eq!(next_of(&mut page, "chat").await["id"], format!("1:{id}"));
        assert_eq!(next_of(&mut page, "recall").await["ids"], json!([format!("1:{id}")]));
    }
    assert_eq!((env.stored(2).await, env.unread(2).await), (Vec::new(), 0));
}

/// A message that a clear came after does not count any more, and no counter falls below 0.
#[tokio::test]
async fn counter_does_not_fall_for_what_was_read() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let _daemon = env.daemon().await;
    let php = env.php();
    send(&env, "read").await;
    php.get("ChatPush\\clearUnreadCount(2);").await;
    send(&env, "unread").await;
    assert_eq!(php.get(&recall("read")).await, "true");
    assert_eq!(env.unread(2).await, 1);
    assert_eq!(php.get(&recall("unread")).await, "true");
    assert_eq!(env.unread(2).await, 0);
    send(&env, "seen").await;
    env.execute("UPDATE `user` SET unread_count = 0").await;
    assert_eq!(php.get(&recall("seen")).await, "true");
    assert_eq!(env.unread(2).await, 0);
}

/// The log holds both, and one transaction applies them.
#[tokio::test]
async fn message_is_taken_back_in_the_batch_that_stores_it() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let _daemon = env.daemon().await;
    send(&env, "first").await;
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("SELECT * FROM `user` WHERE id = 2 FOR UPDATE").await.expect("the row is free");
    let queued = env.php().with("chatpush.durability=queued");
    for id in ["a", "b"] {
        queued.get(&format!("ChatPush\\sendMessage(1, 2, '{id}', 'chat', '{id}');")).await;
    }
    let php = env.php();
    let late = "try { ChatPush\\recallMessage(1, 2, 'first'); }
        catch (ChatPush\\TimeoutException $e) { echo $e->getOutcome()->value, (int) $e->isRetryable(); }";
    assert_eq!(php.clone().with("chatpush.timeout_ms=500").get(late).await, "queued0");
    let waiting = tokio::spawn(async move { php.get(&recall("a")).await });
    eventually("all are in the log", || env.log_length(2), |length| *length == 4).await;
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    assert_eq!(waiting.await.expect("it is answered"), "true");
    assert_eq!((env.stored(2).await, env.unread(2).await), (vec!["b".to_owned()], 1));
}

/// Clients that know the frame are told, and the others see nothing new.
#[tokio::test]
async fn connected_clients_are_told() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let mut page = daemon.connect_with(2, "chatpush.v1").await;
    let mut old = daemon.connect(2).await;
    assert_eq!(page.until_unread_count().await.1, 0);
    assert_eq!(old.until_unread_count().await.1, 0);
    send(&env, "a").await;
    assert_eq!(next_of(&mut page, "chat").await["id"], "1:a");
    assert_eq!(env.php().get(&recall("a")).await, "true", "nobody has confirmed it");
    let told = next_of(&mut page, "recall").await;
    assert_eq!(told, json!({"type": "recall", "ids": ["1:a"]}));
    assert_eq!(next_of(&mut page, "unread_count").await["data"], 0);
    // What was confirmed is not unconfirmed any more; a page removes it all the same.
    send(&env, "b").await;
    assert_eq!(next_of(&mut page, "chat").await["id"], "1:b");
    page.send_text(r#"{"ack":["1:b"]}"#).await;
    eventually("it is gone", || env.stored_count(2), |count| *count == 0).await;
    assert_eq!(env.php().get(&recall("1:b")).await, "false");
    assert_eq!(next_of(&mut page, "recall").await["ids"], json!(["1:b"]));
    env.php().get("pushMessage(2, 'last', 'end');").await;
    loop {
        let frame = old.json().await;
        assert_ne!(frame["type"], "recall", "{frame}");
        if frame["type"] == "end" {
            break;
        }
    }
}

/// The sender hears that it was refused, so nobody keeps it on the screen.
#[tokio::test]
async fn message_that_mysql_refuses_disappears_from_the_page() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    env.refuse_rows("NEW.content = 'text of poison'", "45000").await;
    let daemon = env.daemon().await;
    let mut page = daemon.connect_with(2, "chatpush.v1").await;
    assert_eq!(page.until_unread_count().await.1, 0);
    let refused = "try { ChatPush\\sendMessage(1, 2, 'text of poison', 'chat', 'poison'); }
        catch (ChatPush\\Exception $e) { echo $e->getOutcome()->value; }";
    assert_eq!(env.php().get(refused).await, "not_queued");
    let shown = page.json().await;
    assert_eq!((&shown["type"], &shown["id"]), (&json!("chat"), &json!("1:poison")), "{shown}");
    assert_eq!(page.json().await, json!({"type": "recall", "ids": ["1:poison"]}));
}

/// The id of a message without an id of its own does not show whose it is.
#[tokio::test]
async fn nobody_takes_back_what_another_has_sent() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let mut page = daemon.connect_with(2, "chatpush.v1").await;
    page.until_unread_count().await;
    let php = env.php();
    php.get("ChatPush\\sendMessage(3, 2, 'of another', 'chat');").await;
    let shown = next_of(&mut page, "chat").await["id"].clone();
    let id = shown.as_str().expect("an id").to_owned();
    assert_eq!(php.get(&recall(&id)).await, "false");
    php.get("pushMessage(2, 'last', 'end');").await;
    loop {
        let frame = page.json().await;
        let named = frame["ids"].as_array().is_some_and(|ids| ids.contains(&shown));
        assert!(!named, "{frame}");
        if frame["type"] == "end" {
            break;
        }
    }
    assert_eq!(env.stored(2).await, ["of another"]);
    assert_eq!(php.get(&format!("echo json_encode(ChatPush\\recallMessage(3, 2, '{id}'));")).await, "true");
    while !next_of(&mut page, "recall").await["ids"].as_array().is_some_and(|ids| ids.contains(&shown)) {}
}

/// Of many receivers, one whose message MySQL refuses.
#[tokio::test]
async fn message_to_many_that_mysql_refuses_for_one_disappears_there() {
    let env = TestEnv::new().await;
    env.users(&[2, 66]).await;
    env.refuse_rows("NEW.receiver_id = 66", "45000").await;
    let daemon = env.daemon().await;
    let mut page = daemon.connect_with(66, "chatpush.v1").await;
    page.until_unread_count().await;
    let code = "try { ChatPush\\sendToUsers(1, [2, 66], 'hello', 'chat'); echo 'sent'; }
        catch (ChatPush\\PartialException $e) { echo json_encode(array_keys($e->getOutcomes())); }";
    assert_eq!(env.php().get(code).await, "[66]");
    let shown = next_of(&mut page, "chat").await["id"].clone();
    assert_eq!(next_of(&mut page, "recall").await["ids"], json!([shown]));
}

/// The entries have one time, that of a Redis whose clock was ahead; their order decides.
#[tokio::test]
async fn message_behind_a_clear_of_the_same_millisecond_counts() {
    for conversation in [None, Some("1")] {
        let env = TestEnv::bare().await.with("CHATPUSH_UNREAD_BY_CONVERSATION", "true").set_up().await;
        env.users(&[2]).await;
        let daemon = env.daemon().await;
        let log = env.log(2);
        let append = async |seq: u32, fields: &[&str]| {
            let id = format!("1900000000000-{seq}");
            let head = ["XADD", &log, &id, "v", "1", "r", "2"];
            let _: String = env.redis(&[&head, fields].concat()).await;
            let applied = async || env.log_length(2).await;
            eventually("it is applied", applied, |length| *length == 0).await;
        };
        let message = async |seq: u32, id: &str| {
            append(seq, &["k", "m", "i", id, "s", "1", "c", "x", "l", "0"]).await;
        };
        let mut clear = vec!["k", "z"];
        clear.extend(conversation.map(|name| ["o", name]).into_iter().flatten());
        message(0, "1:before").await;
        append(7, &clear).await;
        message(8, "1:a").await;
        message(9, "1:b").await;
        let counts = async || {
            let code = "echo json_encode([getUnreadCount(2), ChatPush\\getUnreadCounts(2)]);";
            env.php().get(code).await
        };
        assert_eq!(counts().await, r#"[2,{"1":2}]"#, "{conversation:?}");
        assert_eq!(env.php().get(&recall("a")).await, "true");
        assert_eq!(counts().await, r#"[1,{"1":1}]"#, "it came after the clear ({conversation:?})");
        assert_eq!(env.php().get(&recall("before")).await, "true");
        assert_eq!(counts().await, r#"[1,{"1":1}]"#, "it came before the clear ({conversation:?})");
        drop(daemon);
    }
}

/// Each receiver has a message of its own.
#[tokio::test]
async fn message_to_many_is_taken_back_from_one() {
    let env = TestEnv::new().await;
    env.users(&[2, 3, 66]).await;
    let daemon = env.daemon().await;
    let mut page = daemon.connect_with(2, "chatpush.v1").await;
    page.until_unread_count().await;
    let send = "ChatPush\\sendToUsers(1, [2, 66, 3], 'to many', 'chat', 'a');";
    env.php().get(send).await;
    assert_eq!(next_of(&mut page, "chat").await["id"], "1:a");
    assert_eq!(env.php().get(&recall("a")).await, "true");
    assert_eq!(next_of(&mut page, "recall").await["ids"], json!(["1:a"]));
    env.php().get(send).await;
    assert_eq!(env.php().get(&recall("a")).await, "false", "a repeated call does not revive it");
    assert_eq!((env.stored_count(2).await, env.unread(2).await), (0, 0));
    for user in [3, 66] {
        assert_eq!((env.stored_count(user).await, env.unread(user).await), (1, 1));
    }
    // In the batch that stores it, too.
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("SELECT * FROM `user` WHERE id = 66 FOR UPDATE").await.expect("the row is free");
    let queued = env.php().with("chatpush.durability=queued");
    queued.get("ChatPush\\sendToUsers(1, [2, 66, 130], 'again', 'chat', 'b');").await;
    let php = env.php();
    let waiting = tokio::spawn(async move { php.get(&recall("b")).await });
    eventually("both are in the log", || env.log_length(2), |length| *length == 2).await;
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    assert_eq!(waiting.await.expect("it is answered"), "true");
    assert_eq!((env.stored_count(2).await, env.unread(2).await), (0, 0));
    assert_eq!((env.stored_count(66).await, env.unread(66).await), (2, 2));
    assert_eq!(env.stored_count(130).await, 1);
}
