use std::time::Duration;

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

/// The baseline's own statements, verbatim.
const SCHEMA: &str = include_str!("baseline/schema.sql");

/// An empty database in which the baseline's own statements have made the tables.
async fn with_baseline_tables() -> TestEnv {
    let env = TestEnv::bare().await;
    let statements: Vec<_> = SCHEMA.split_terminator(';').filter(|text| !text.trim().is_empty()).collect();
    assert_eq!(statements.len(), 2);
    for statement in statements {
        env.execute(statement).await;
    }
    env
}

/// An installation on the baseline's tables, with the users 1 and 2.
async fn installation() -> TestEnv {
    let env = with_baseline_tables().await;
    let migrated = Daemon::command(&env, &["migrate"]).await;
    let printed = String::from_utf8_lossy(&migrated.stdout);
    assert!(migrated.status.success() && printed.contains("user: is there, left as it is"), "{migrated:?}");
    env.users(&[1, 2]).await;
    env
}

/// Runs snippets in one PHP process, after the variables that they use. They print nothing.
async fn run(env: &TestEnv, arguments: &[&str]) {
    let ran = env.php().file("baseline/run.php", arguments).await;
    assert_eq!((ran.output.as_str(), ran.code), ("", Some(0)), "{arguments:?}");
}

/// The baseline's branch: pushes to a receiver who is online, and stores otherwise.
async fn send(env: &TestEnv, content: &str) {
    run(env, &["sender_id=1", "receiver_id=2", &format!("content={content}"), "send"]).await;
}

/// `migrate` makes the two tables that the baseline's statements make, to the letter, and the index that
/// `check` asks for.
#[tokio::test]
async fn migrate_creates_the_default_schema() {
    let (baseline, migrated) = (with_baseline_tables().await, TestEnv::new().await);
    baseline.execute("ALTER TABLE offline_message ADD INDEX (receiver_id, id)").await;
    for table in ["offline_message", "user"] {
        let show = format!("SHOW CREATE TABLE `{table}`");
        let created: Vec<(String, String)> = migrated.query(&show).await;
        assert_eq!(created, baseline.query(&show).await);
    }
}

/// A message to a user who is offline is committed when the call returns, delivered when the user connects,
/// and removed once the client has confirmed it. Clearing the counter is the application's own statement.
#[tokio::test]
async fn offline_messages_are_stored_delivered_and_removed() {
    let env = installation().await;
    let daemon = env.daemon().await;
    for (text, unread) in [("one", 1), ("two", 2), ("three", 3)] {
        send(&env, text).await;
        assert_eq!(env.stored(2).await.last().map(String::as_str), Some(text), "committed when it returns");
        assert_eq!(env.unread(2).await, unread);
    }

    let mut browser = daemon.connect(2).await;
    assert_eq!(
        browser.until_unread_count().await,
        (vec!["one".to_owned(), "two".to_owned(), "three".to_owned()], 3)
    );
    let reading = browser.keep_reading();
    eventually("the rows are gone", || env.stored(2), Vec::is_empty).await;
    assert_eq!(env.unread(2).await, 3, "delivered is not read");
    run(&env, &["user_id=2", "clear_unread_count"]).await;
    assert_eq!(env.unread(2).await, 0);
    assert_eq!(env.php().get("echo getUnreadCount(2);").await, "0");
    let records: Vec<u64> = env.query("SELECT COUNT(*) FROM chatpush_message").await;
    assert_eq!(records, [0], "nothing is left behind");
    reading.abort();
}

#[tokio::test]
async fn message_to_an_online_user_is_pushed_and_not_stored() {
    let env = installation().await;
    let daemon = env.daemon().await;
    let mut browser = daemon.connect(2).await;
    browser.until_unread_count().await;
    send(&env, "hello").await;
    let frame = browser.json().await;
    assert_eq!((frame["data"].as_str(), frame["type"].as_str()), (Some("hello"), Some("chat")));
    assert!(frame["id"].is_string() && frame["time"].is_u64());
    assert!(env.stored(2).await.is_empty());
}

/// The page has connected, so the daemon delivers the rows; the sign-in code pushes the same rows and the
/// counter.
#[tokio::test]
async fn sign_in_code_and_replay_show_each_message_once() {
    let env = installation().await;
    let daemon = env.daemon().await;
    for text in ["same", "same", "other"] {
        send(&env, text).await;
    }
    let browser = daemon.connect(2).await;
    run(&env, &["user_id=2", "push_offline_messages", "push_unread_count"]).await;
    let reading = browser.keep_reading();
    eventually("the rows are gone", || env.stored(2), Vec::is_empty).await;
    daemon.stop();
    let texts = reading.await.expect("the client reads to the end");
    let shown =
        |text: &str| texts.iter().filter(|frame| frame.contains(&format!("\"data\":\"{text}\""))).count();
    assert_eq!((shown("same"), shown("other")), (2, 1), "{texts:?}");
    assert!(
        texts.iter().any(|frame| frame.contains(r#"{\"type\":\"unread_count\",\"data\":3}"#)),
        "{texts:?}"
    );
}

/// With `flush_on_connect = false` the sign-in code alone delivers.
#[tokio::test]
async fn sign_in_code_delivers_without_the_replay() {
    let env = installation().await.with("CHATPUSH_FLUSH_ON_CONNECT", "false");
    let daemon = env.daemon().await;
    send(&env, "kept").await;
    let mut browser = daemon.connect(2).await;
    assert_eq!(browser.until_unread_count().await, (Vec::new(), 1));
    assert!(browser.frames_within(Duration::from_millis(200)).await.is_empty());
    assert_eq!(env.stored(2).await, ["kept"]);

    run(&env, &["user_id=2", "push_offline_messages", "push_unread_count"]).await;
    let frame = browser.json().await;
    assert_eq!((frame["data"].as_str(), frame["offline"].as_bool()), (Some("kept"), Some(true)));
    let counter = browser.json().await;
    assert_eq!(counter["data"], r#"{"type":"unread_count","data":1}"#);
    let reading = browser.keep_reading();
    eventually("the row is gone", || env.stored(2), Vec::is_empty).await;
    reading.abort();
}

/// With `count_unread = false` the baseline's own statement counts.
#[tokio::test]
async fn application_can_count_unread_messages_itself() {
    let env = installation().await.with("CHATPUSH_COUNT_UNREAD", "false");
    let _daemon = env.daemon().await;
    for unread in 1..=2 {
        send(&env, "hello").await;
        run(&env, &["receiver_id=2", "count_unread"]).await;
        assert_eq!(env.unread(2).await, unread);
    }
    assert_eq!(env.php().get("echo getUnreadCount(2);").await, "2");
}
