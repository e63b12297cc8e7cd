//! What makes a row of the application's table the message that was stored.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

/// Connects user 2, and returns type, data and id of each message up to the unread counter. Each is
/// confirmed.
async fn shown(daemon: &Daemon) -> Vec<(String, String, String)> {
    let mut client = daemon.connect(2).await;
    let mut frames = Vec::new();
    loop {
        let frame = client.json().await;
        if frame["type"] == "unread_count" {
            break;
        }
        let text = |name: &str| frame[name].as_str().unwrap_or_default().to_owned();
        frames.push((text("type"), text("data"), text("id")));
    }
    client.keep_reading();
    frames
}

fn contents(frames: &[(String, String, String)]) -> Vec<&str> {
    frames.iter().map(|(_, data, _)| data.as_str()).collect()
}

/// The message ids of the rows of user 2, as `getOfflineMessage` gives them.
async fn fetched_ids(env: &TestEnv) -> String {
    env.php().get("echo implode(' ', array_column(getOfflineMessage(2), 'message_id'));").await
}

fn ids(frames: &[(String, String, String)]) -> String {
    frames.iter().map(|(_, _, id)| id.as_str()).collect::<Vec<_>>().join(" ")
}

/// The times of the messages of user 2 in milliseconds since 1970. None of them is confirmed.
async fn times(daemon: &Daemon) -> Vec<u64> {
    let mut client = daemon.connect_with(2, "chatpush.v1").await;
    let mut times = Vec::new();
    loop {
        match client.json().await["time"].as_u64() {
            Some(time) => times.push(time),
            None => return times,
        }
    }
}

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    u64::try_from(now.as_millis()).expect("it fits")
}

#[tokio::test]
async fn messages_keep_id_and_type_when_the_time_zone_changes() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let php = env.php();
    let began = now();
    env.servers().sql("SET GLOBAL time_zone = '+08:00'").await;
    php.get("ChatPush\\sendMessage(1, 2, 'sent', 'image');").await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         VALUES (1, 2, 'inserted', NOW())",
    )
    .await;
    let off: Vec<i64> = env
        .query("SELECT ABS(TIMESTAMPDIFF(SECOND, send_time, CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', '+08:00'))) FROM offline_message")
        .await;
    assert!(off.iter().all(|off| *off < 3_600), "send_time is in the zone of the server: {off:?}");
    // A row has its seconds, and the zone that the server has now.
    let read = times(&daemon).await;
    assert!(read.iter().all(|time| (began - 1_000..=now()).contains(time)), "{began} {read:?}");
    let known = fetched_ids(&env).await;
    env.servers().sql("SET GLOBAL time_zone = '-03:00'").await;
    assert_eq!(times(&daemon).await[0], read[0], "its time was recorded");
    assert_eq!(fetched_ids(&env).await, known);
    let frames = shown(&daemon).await;
    assert_eq!(ids(&frames), known);
    assert_eq!(contents(&frames), ["sent", "inserted"]);
    assert_eq!(frames[0].0, "image");
    eventually("what was confirmed is deleted", || env.stored(2), Vec::is_empty).await;
    assert_eq!(contents(&shown(&daemon).await), Vec::<&str>::new());
}

/// The server comes back with another time zone, under a running daemon, and that is started again too.
#[tokio::test]
async fn messages_keep_id_and_time_when_servers_restart_in_another_time_zone() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let mut daemon = env.daemon().await;
    let mut expected = Vec::new();
    for (number, zone) in ["+08:00", "-03:00", "+05:30"].into_iter().enumerate() {
        let text = format!("message {number}");
        env.php().get(&format!("ChatPush\\sendMessage(1, 2, '{text}', 'image', 'id {number}');")).await;
        // The time of a message is the id of its entry, which stays in the log for some seconds.
        let entries: Vec<(String, Vec<String>)> =
            env.redis(&["XREVRANGE", &env.log(2), "+", "-", "COUNT", "1"]).await;
        let time: u64 = entries[0].0.split('-').next().unwrap_or_default().parse().expect("a time");
        expected.push((text, format!("1:id {number}"), time));
        env.servers().kill_mariadb().await;
        env.servers().start_mariadb_with(&[&format!("--default-time-zone={zone}")]).await;
        if number > 0 {
            daemon = daemon.restart(&env).await;
        }
        // It confirms nothing.
        let mut client = daemon.connect_with(2, "chatpush.v1").await;
        let mut shown = Vec::new();
        while shown.len() < expected.len() {
            let frame = client.json().await;
            assert_eq!(frame["type"], "image", "{frame}");
            let text = |name: &str| frame[name].as_str().unwrap_or_default().to_owned();
            shown.push((text("data"), text("id"), frame["time"].as_u64().expect("a time")));
        }
        assert_eq!(shown, expected, "in {zone}");
    }
    assert_eq!(shown(&daemon).await.len(), expected.len());
    eventually("what was confirmed is deleted", || env.stored(2), Vec::is_empty).await;
}

#[tokio::test]
async fn messages_keep_id_and_type_when_their_send_time_changes() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    env.execute(
        "ALTER TABLE offline_message ADD seen tinyint NOT NULL DEFAULT 0, \
         MODIFY send_time timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
    )
    .await;
    let daemon = env.daemon().await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'sent', 'image');").await;
    let (known, read) = (fetched_ids(&env).await, times(&daemon).await);
    env.execute("UPDATE offline_message SET seen = 1, send_time = '2001-01-01 00:00:00'").await;
    assert_eq!(times(&daemon).await, read);
    let frames = shown(&daemon).await;
    assert_eq!(ids(&frames), known);
    assert_eq!((frames[0].0.as_str(), contents(&frames)), ("image", vec!["sent"]));
    eventually("it is deleted", || env.stored(2), Vec::is_empty).await;
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_message").await, [0]);
}

/// The same of a row that the application has inserted. It is known by its id and its words alone.
#[tokio::test]
async fn row_of_the_application_stays_the_same_when_its_send_time_changes() {
    let insert = "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
                  VALUES (1, 2, 'inserted', NOW() - INTERVAL 1 DAY)";
    let on_update = "ALTER TABLE offline_message ADD seen tinyint NOT NULL DEFAULT 0, \
         MODIFY send_time timestamp NOT NULL DEFAULT '2001-01-01 00:00:00' ON UPDATE CURRENT_TIMESTAMP";
    let trigger = "CREATE TRIGGER old BEFORE INSERT ON offline_message FOR EACH ROW \
                   SET NEW.send_time = '2001-01-01 00:00:00'";
    for triggers in [false, true] {
        let env = TestEnv::new().await;
        env.users(&[2]).await;
        env.execute(on_update).await;
        if triggers {
            env.execute(trigger).await;
        }
        let daemon = env.daemon().await;
        env.execute(insert).await;
        let sent = "SELECT CAST(send_time AS CHAR) FROM offline_message";
        let before: Vec<String> = env.query(sent).await;
        let known = fetched_ids(&env).await;
        let mut client = daemon.connect_with(2, "chatpush.v1").await;
        let frame = client.json().await;
        let id = frame["id"].as_str().expect("an id").to_owned();
        assert_eq!((frame["data"].as_str(), id.as_str()), (Some("inserted"), known.as_str()));
        env.execute("UPDATE offline_message SET seen = 1").await;
        assert_ne!(env.query::<String>(sent).await, before, "the time has changed");
        assert_eq!(fetched_ids(&env).await, known);
        client.send_text(&format!(r#"{{"ack":["{id}"]}}"#)).await;
        eventually("it is deleted", || env.stored(2), Vec::is_empty).await;
        assert_eq!(contents(&shown(&daemon).await), Vec::<&str>::new());
    }
}

/// A trigger that changes a message must not separate it from its record.
#[tokio::test]
async fn message_changed_by_a_trigger_keeps_its_type() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    env.execute(
        "CREATE TRIGGER censor BEFORE INSERT ON offline_message FOR EACH ROW \
         SET NEW.content = REPLACE(NEW.content, 'darn', '***')",
    )
    .await;
    let daemon = env.daemon().await;
    let code = "foreach (['darn', 'fine'] as $text) ChatPush\\sendMessage(1, 2, $text, 'image');";
    env.php().get(code).await;
    let frames = shown(&daemon).await;
    assert_eq!(contents(&frames), ["***", "fine"]);
    assert!(frames.iter().all(|(message_type, ..)| message_type == "image"), "{frames:?}");
    eventually("they are deleted", || env.stored(2), Vec::is_empty).await;
}

/// After a TRUNCATE, rows have ids that were used before. A record of then must not claim a row of now.
#[tokio::test]
async fn row_with_a_reused_id_is_another_message() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let php = env.php();
    php.get("foreach (['a', 'b'] as $text) ChatPush\\sendMessage(1, 2, $text, 'image');").await;
    env.execute("TRUNCATE TABLE offline_message").await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) VALUES (1, 2, 'new', NOW())",
    )
    .await;
    // This one gets the id of the old record of "b".
    php.get("ChatPush\\sendMessage(1, 2, 'c', 'sticker');").await;
    let frames = shown(&daemon).await;
    let types: Vec<_> =
        frames.iter().map(|(message_type, data, _)| (data.as_str(), message_type.as_str())).collect();
    assert_eq!(types, [("new", "text"), ("c", "sticker")]);
    assert!(frames[0].2.starts_with("row/1/"), "{frames:?}");
    eventually("they are deleted", || env.stored(2), Vec::is_empty).await;
}

/// The application has deleted the row, and its record is still there.
#[tokio::test]
async fn message_is_stored_again_after_the_application_deleted_its_row() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let _daemon = env.daemon().await;
    let php = env.php();
    let send = "var_dump(ChatPush\\sendMessage(1, 2, 'again', message_id: 'order 7'));";
    php.get(send).await;
    env.execute("DELETE FROM offline_message").await;
    let seen: Vec<String> = env.redis(&["KEYS", &format!("{}:*:seen:*", env.name())]).await;
    let _: u64 = env.redis(&["DEL", &seen[0]]).await;
    php.get(send).await;
    assert_eq!((env.stored(2).await, env.unread(2).await), (vec!["again".to_owned()], 2));
}

/// A trigger may also change who has sent a message.
#[tokio::test]
async fn message_whose_sender_a_trigger_changes_is_stored() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    env.execute(
        "CREATE TRIGGER anonymous BEFORE INSERT ON offline_message FOR EACH ROW SET NEW.sender_id = 99",
    )
    .await;
    let daemon = env.daemon().await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'whisper', 'image');").await;
    let frames = shown(&daemon).await;
    assert_eq!((frames[0].0.as_str(), contents(&frames)), ("image", vec!["whisper"]));
    eventually("it is deleted", || env.stored(2), Vec::is_empty).await;
}

#[tokio::test]
async fn records_of_deleted_rows_are_swept() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let _daemon = env.daemon().await;
    env.php().get("foreach (range(1, 3) as $i) storeOfflineMessage(1, 2, \"$i\");").await;
    env.execute("DELETE FROM offline_message WHERE content <> '2'").await;
    let records = "SELECT COUNT(*) FROM chatpush_message";
    eventually("the others are gone", || env.query::<u64>(records), |count| *count == [1]).await;
    assert_eq!(env.stored(2).await, ["2"]);
}

/// The ids of consecutive rows are not always one apart.
#[tokio::test]
async fn records_follow_the_increment_of_the_server() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    env.servers().sql("SET GLOBAL auto_increment_increment = 3").await;
    let queued = env.php().with("chatpush.durability=queued");
    queued.get("foreach (range(1, 30) as $i) ChatPush\\sendMessage(1, 2, \"$i\", \"type$i\");").await;
    let daemon = env.daemon().await;
    let frames = shown(&daemon).await;
    assert_eq!(frames.len(), 30);
    for (message_type, data, _) in &frames {
        assert_eq!(message_type, &format!("type{data}"));
    }
}

/// Redis has forgotten that it accepted the message, and the client has confirmed it.
#[tokio::test]
async fn confirmed_message_is_not_stored_again_after_redis_lost_its_tail() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let client = daemon.connect(2).await.keep_reading();
    let php = env.php();
    let send = "var_dump(ChatPush\\sendMessage(1, 2, 'once', message_id: 'order 7'));";
    php.get(send).await;
    eventually("it is confirmed", || env.stored(2), Vec::is_empty).await;
    let seen: Vec<String> = env.redis(&["KEYS", &format!("{}:*:seen:*", env.name())]).await;
    let _: u64 = env.redis(&["DEL", &seen[0]]).await;
    php.get(send).await;
    assert_eq!((env.stored(2).await, env.unread(2).await), (Vec::<String>::new(), 1));
    client.abort();
}

/// Also one whose id no sender has chosen: after Redis was replaced, every id is looked up.
#[tokio::test]
async fn generated_ids_are_looked_up_after_redis_was_replaced() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let client = daemon.connect(2).await.keep_reading();
    env.php().get("storeOfflineMessage(1, 2, 'once');").await;
    eventually("it is confirmed", || env.stored(2), Vec::is_empty).await;
    let log: Vec<(String, Vec<String>)> = env.redis(&["XRANGE", &env.log(2), "-", "+", "COUNT", "1"]).await;
    daemon.stop();
    client.abort();
    env.execute("UPDATE chatpush_installation SET redis_run_id = 'another'").await;
    let _daemon = env.daemon().await;
    // The caller has not heard that it is stored, and calls again.
    let key = env.log(2);
    let again: Vec<&str> =
        ["XADD", &key, "*"].into_iter().chain(log[0].1.iter().map(String::as_str)).collect();
    let _: String = env.redis(&again).await;
    eventually("the entry is applied", || env.log_length(2), |length| *length == 0).await;
    assert_eq!((env.stored(2).await, env.unread(2).await), (Vec::<String>::new(), 1));
}

#[tokio::test]
async fn confirmed_messages_are_remembered_for_the_time_that_is_set() {
    for (seconds, remembered) in [("0", 0), ("600", 1), ("1", 0)] {
        let env = TestEnv::new().await.with("CHATPUSH_REDIS_FAILOVER_MEMORY", seconds);
        env.users(&[2]).await;
        let daemon = env.daemon().await;
        let client = daemon.connect(2).await.keep_reading();
        env.php().get("storeOfflineMessage(1, 2, 'x');").await;
        eventually("it is confirmed", || env.stored(2), Vec::is_empty).await;
        let count = async || env.query::<u64>("SELECT COUNT(*) FROM chatpush_confirmed").await[0];
        if seconds == "1" {
            eventually("it is forgotten", count, |count| *count == remembered).await;
        } else {
            assert_eq!(count().await, remembered, "{seconds}");
        }
        client.abort();
    }
}

/// Frames of earlier connections are only compared by their id, so an id must not come twice.
#[tokio::test]
async fn equal_rows_of_the_application_have_different_ids() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         VALUES (1, 2, 'ok', NOW()), (1, 2, 'ok', NOW()), (3, 2, 'ok', NOW())",
    )
    .await;
    let daemon = env.daemon().await;
    let frames = shown(&daemon).await;
    let ids: std::collections::BTreeSet<_> = frames.iter().map(|(.., id)| id).collect();
    assert_eq!((frames.len(), ids.len()), (3, 3), "{frames:?}");
    eventually("they are deleted", || env.stored(2), Vec::is_empty).await;
}
