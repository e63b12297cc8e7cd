use std::time::Duration;

use chatpush_tests::client::Client;
use chatpush_tests::daemon::token;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use chatpush_wire::id::UserId;

fn store(receiver: u32, content: &str) -> String {
    format!("var_dump(storeOfflineMessage(1, {receiver}, '{content}'));")
}

/// A row stays until the client has answered the ping behind its frame.
#[tokio::test]
async fn unconfirmed_row_is_sent_again() {
    let env = TestEnv::new().await;
    env.users(&[1, 2]).await;
    let daemon = env.daemon().await;
    env.php().get(&store(2, "kept")).await;
    {
        let mut hasty = daemon.connect(2).await;
        let frame = hasty.json().await;
        assert_eq!(frame["data"], "kept");
        // The socket is dropped here. The ping behind the frame has not been read.
    }
    eventually("the user is offline", || is_subscribed(&env, 2), |online| !online).await;
    assert_eq!(env.stored(2).await, ["kept"]);
    let mut again = daemon.connect(2).await;
    assert_eq!(again.until_unread_count().await, (vec!["kept".to_owned()], 1), "it is sent again");
}

#[tokio::test]
async fn id_and_time_are_the_same_live_and_replayed() {
    let env = TestEnv::new().await;
    env.users(&[1, 2]).await;
    let daemon = env.daemon().await;
    let mut first = daemon.connect(2).await;
    first.until_unread_count().await;
    // The client is not read any further, so it does not answer the ping.
    env.php().get(&store(2, "twice")).await;
    let live = first.json().await;
    assert_eq!(
        (&live["data"], &live["from"], &live["offline"]),
        (&"twice".into(), &1.into(), &serde_json::Value::Null)
    );
    let mut second = daemon.connect(2).await;
    let stored = second.json().await;
    assert_eq!((&stored["id"], &stored["time"]), (&live["id"], &live["time"]));
    assert_eq!(stored["offline"], true);
}

#[tokio::test]
async fn connecting_during_stores_receives_each_message_once_in_order() {
    let env = TestEnv::new().await;
    env.users(&[1, 2]).await;
    let daemon = env.daemon().await;
    let php = env.php();
    let storing = tokio::spawn(async move {
        php.get("for ($i = 0; $i < 400; $i++) storeOfflineMessage(1, 2, sprintf('m%03d', $i));").await
    });
    eventually("some are stored", || env.stored(2), |rows| rows.len() > 20).await;
    let reading = daemon.connect(2).await.keep_reading();
    storing.await.expect("PHP ran");
    eventually("all rows are deleted", || env.stored(2), Vec::is_empty).await;
    daemon.stop();
    let texts = reading.await.expect("the client reads to the end");
    let shown: Vec<_> = texts
        .iter()
        .filter_map(|text| {
            text.split("\"data\":\"m").nth(1).map(|rest| rest[..3].parse::<u32>().expect("a number"))
        })
        .collect();
    assert_eq!(shown, (0..400).collect::<Vec<_>>());
}

/// The confirmation of one device removes the row.
#[tokio::test]
async fn all_devices_on_all_daemons_receive_messages() {
    let env = TestEnv::new().await;
    env.users(&[1, 2]).await;
    let (one, other) = (env.daemon().await, env.daemon().await);
    let mut devices = [one.connect(2).await, one.connect(2).await, other.connect(2).await];
    for device in &mut devices {
        assert_eq!(device.until_unread_count().await, (Vec::new(), 0));
    }
    let php = env.php();
    php.get(&store(2, "stored")).await;
    php.get("var_dump(pushMessage(2, 'pushed', 'text'));").await;
    for device in &mut devices {
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let frame = device.json().await;
            if frame["type"] != "unread_count" {
                seen.push(frame["data"].as_str().expect("a content").to_owned());
            }
        }
        seen.sort();
        assert_eq!(seen, ["pushed", "stored"]);
    }
    let reading = devices.map(Client::keep_reading);
    eventually("the first confirmation deletes the row", || env.stored(2), Vec::is_empty).await;
    reading.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn unread_counter_is_sent_when_it_changes() {
    let env = TestEnv::new().await;
    env.users(&[1, 2]).await;
    let daemon = env.daemon().await;
    let mut browser = daemon.connect(2).await;
    assert_eq!(browser.until_unread_count().await, (Vec::new(), 0));
    env.php().get(&store(2, "x")).await;
    assert_eq!(browser.until_unread_count().await, (vec!["x".to_owned()], 1));
    env.php().get(r"ChatPush\clearUnreadCount(2);").await;
    assert_eq!(browser.until_unread_count().await, (Vec::new(), 0));
    assert_eq!(env.unread(2).await, 0);
}

#[tokio::test]
async fn row_inserted_by_the_application_is_delivered_and_removed() {
    let env = TestEnv::new().await;
    env.users(&[1, 2]).await;
    let daemon = env.daemon().await;
    env.execute("INSERT INTO offline_message VALUES (NULL, 1, 2, 'by hand', '2024-05-06 07:08:09')").await;
    let mut browser = daemon.connect(2).await;
    let frame = browser.json().await;
    assert_eq!(
        (&frame["data"], &frame["type"], &frame["from"]),
        (&"by hand".into(), &"text".into(), &1.into())
    );
    let reading = browser.keep_reading();
    eventually("the row is deleted", || env.stored(2), Vec::is_empty).await;
    reading.abort();
}

/// Records of old rows do not apply to new rows with the same ids.
#[tokio::test]
async fn truncated_row_ids_can_be_reused() {
    let env = TestEnv::new().await;
    env.users(&[1, 2]).await;
    let daemon = env.daemon().await;
    env.php().get(&store(2, "old")).await;
    env.execute("TRUNCATE offline_message").await;
    env.execute("INSERT INTO offline_message VALUES (NULL, 1, 2, 'new', '2024-05-06 07:08:09')").await;
    let mut browser = daemon.connect(2).await;
    let frame = browser.json().await;
    assert_eq!(frame["id"].as_str().map(|id| id.starts_with("row/1/")), Some(true), "{frame}");
    let reading = browser.keep_reading();
    eventually("the row is deleted", || env.stored(2), Vec::is_empty).await;
    env.execute("TRUNCATE offline_message").await;
    reading.abort();
    eventually("the user is offline", || is_subscribed(&env, 2), |online| !online).await;
    env.php().get(&store(2, "again")).await;
    assert_eq!(env.stored(2).await, ["again"], "a row id can be reused");
}

/// `chatpush.raw` gets the content alone. `chatpush.v1` confirms by ack instead of pong.
#[tokio::test]
async fn subprotocols_set_format_and_confirmation() {
    let env = TestEnv::new().await;
    env.users(&[1, 2, 3]).await;
    let daemon = env.daemon().await;
    env.php().get(&(store(2, "bare") + &store(3, "acked"))).await;

    let mut raw = daemon.connect_with(2, "chatpush.raw").await;
    assert_eq!(raw.text().await, "bare");
    let reading = raw.keep_reading();
    eventually("the pong confirms", || env.stored(2), Vec::is_empty).await;
    reading.abort();

    let mut page = daemon.connect_with(3, "chatpush.v1").await;
    let frame = page.json().await;
    page.until_unread_count().await;
    assert!(page.frames_within(Duration::from_millis(300)).await.is_empty());
    assert_eq!(env.stored(3).await, ["acked"], "a pong does not confirm for chatpush.v1");
    page.send_text(r#"{"ack":["nonsense"]}"#).await;
    page.send_text(&serde_json::json!({ "ack": [frame["id"]] }).to_string()).await;
    page.send_text(r#"{"read":true}"#).await;
    eventually("the ack confirms", || env.stored(3), Vec::is_empty).await;
    eventually("the counter is cleared", || env.unread(3), |unread| *unread == 0).await;
}

#[tokio::test]
async fn presence_follows_connections_and_killed_daemons() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    assert!(!is_subscribed(&env, 2).await);
    let (first, second) = (daemon.connect(2).await, daemon.connect(2).await);
    eventually("the user is online", || is_subscribed(&env, 2), |online| *online).await;
    drop(first);
    drop(second);
    eventually("the user is offline", || is_subscribed(&env, 2), |online| !online).await;
    let _again = daemon.connect(2).await;
    eventually("the user is online again", || is_subscribed(&env, 2), |online| *online).await;
    daemon.kill();
    eventually("the daemon's users are offline", || is_subscribed(&env, 2), |online| !online).await;
}

#[tokio::test]
async fn invalid_token_is_rejected_with_a_reason() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let good = token(2);
    let unsigned = format!("{}.", good.rsplit_once('.').expect("three parts").0);
    let expired = String::from_utf8(
        chatpush_tests::daemon::Daemon::command(&env, &["token", "2", "--ttl", "1"]).await.stdout,
    )
    .expect("a token");
    for (token, reason) in [
        ("", "token is missing: /ws?token=…"),
        (
            unsigned.as_str(),
            "token signature does not match: chatpush.secret in PHP and secret of chatpushd differ",
        ),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIiwiZXhwIjo5OTk5OTk5OTk5fQ.", "token algorithm must be HS256"),
    ] {
        let refused = Client::connect(daemon.port(), token, None).await.expect_err(reason);
        assert_eq!((refused.status, refused.reason.as_str()), (401, reason));
    }
    eventually(
        "the short token has expired",
        || async {
            Client::connect(daemon.port(), expired.trim(), None).await.err().map(|refused| refused.reason)
        },
        |reason| reason.as_deref() == Some("token has expired"),
    )
    .await;
}

async fn is_subscribed(env: &TestEnv, user: u32) -> bool {
    let channel = env.prefix().user_channel(&UserId::try_from(i64::from(user)).expect("a user id"));
    let counts: (String, u32) = env.redis(&["PUBSUB", "SHARDNUMSUB", &channel]).await;
    counts.1 > 0
}
