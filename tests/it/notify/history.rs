//! A history: rows that do not wait, and rows of which nobody knows.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use serde_json::json;

use super::{due, first_due, ids, mark};

/// An installation whose messages wait while a column that may be NULL says so.
async fn installation(when: &str) -> TestEnv {
    let env = TestEnv::new().await;
    env.execute("ALTER TABLE offline_message ADD state VARCHAR(10) NULL, ADD KEY (receiver_id, state, id)")
        .await;
    let env = env
        .with("CHATPUSH_NOTIFY_AFTER", "1")
        .with("CHATPUSH_NOTIFY_WHEN", when)
        .with("CHATPUSH_MYSQL_HISTORY_COLUMN", "state")
        .with("CHATPUSH_MYSQL_HISTORY_VALUE", "delivered")
        .with("CHATPUSH_MYSQL_HISTORY_WAITING", "waiting");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    env.users(&[1, 2, 3]).await;
    env
}

/// Rows of the application that hold NULL there do not wait, and hide nobody behind them. They are more than one
/// query reads.
#[tokio::test]
async fn column_that_is_null_stops_no_search() {
    let env = installation("undelivered").await;
    let _daemon = env.daemon().await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time, state)
        SELECT 1, 3, 'nobody knows', NOW(), NULL FROM seq_1_to_1200",
    )
    .await;
    env.php().get("storeOfflineMessage(1, 2, 'waits');").await;
    assert_eq!(ids(&first_due(&env).await), [2]);
    let scanned = || env.query::<u64>("SELECT row_id FROM chatpush_notify_scan WHERE id = 1");
    eventually("all were looked at", scanned, |row| row[0] >= 1_201).await;
}

/// A row that is delivered before anybody has looked at it counts as unread all the same.
#[tokio::test]
async fn row_that_is_delivered_at_once_is_unread() {
    let env = installation("unread").await;
    let _daemon = env.daemon().await;
    env.execute("UPDATE user SET unread_count = 1 WHERE id = 2").await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time, state)
        VALUES (1, 2, 'on an open page', NOW(), 'delivered')",
    )
    .await;
    assert_eq!(ids(&first_due(&env).await), [2]);
    assert_eq!(mark(&env, "2").await, "1");
    assert_eq!(ids(&due(&env, 60).await), [0; 0]);
}

/// So does a row of the application that a client has confirmed, which deletes it, before anybody has looked at it.
#[tokio::test]
async fn row_that_is_confirmed_at_once_is_unread() {
    let env = super::installation("unread").await;
    let daemon = env.daemon().await;
    env.execute("UPDATE user SET unread_count = 1 WHERE id = 2").await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) VALUES (1, 2, 'a', NOW())",
    )
    .await;
    // As if nobody had: the last look is over, and what it has found is removed.
    let scanned = || env.query::<u64>("SELECT row_id FROM chatpush_notify_scan WHERE id = 1");
    eventually("it is not looked at any more", scanned, |row| *row == [1]).await;
    env.execute("DELETE FROM chatpush_notified").await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    let id = browser.json().await["id"].clone();
    browser.send_text(&json!({ "ack": [id] }).to_string()).await;
    eventually("it is confirmed", || env.stored_count(2), |count| *count == 0).await;
    assert_eq!(ids(&first_due(&env).await), [2]);
}
