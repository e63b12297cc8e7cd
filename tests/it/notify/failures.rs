//! Looks that fail, and the looks behind them.

use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use serde_json::json;

use super::{due, first_due, ids, installation, noted};

/// Inserts a row of the application with this key.
async fn insert(env: &TestEnv, key: u32, receiver: u32) {
    env.execute(&format!(
        "INSERT INTO offline_message (id, sender_id, receiver_id, content, send_time) \
         VALUES ({key}, 1, {receiver}, 'mine', NOW())"
    ))
    .await;
}

/// While the message table cannot be read, users are judged all the same. Afterwards keys count again that a lost
/// commit has given back, as after a crash of MySQL.
#[tokio::test]
async fn failed_look_stops_nothing_and_trusts_no_key() {
    let env = installation("unread").await;
    let _daemon = env.daemon().await;
    let is_noted = async |user| eventually("noted", || noted(&env, user), Option::is_some).await;
    insert(&env, 1_000, 1).await;
    is_noted(1).await;
    let scanned = || env.query::<u64>("SELECT row_id FROM chatpush_notify_scan ORDER BY id");
    eventually("that is recorded", scanned, |rows| *rows == [0, 1_000]).await;
    env.execute("RENAME TABLE offline_message TO away").await;
    env.execute("DELETE FROM away").await;
    env.execute("UPDATE chatpush_notify_scan SET row_id = 0").await;
    env.execute("UPDATE user SET unread_count = 1 WHERE id > 1").await;
    // The second one is found by a look that has begun with a failure.
    for user in [2, 3] {
        env.execute(&format!(
            "INSERT INTO chatpush_notified (user_id, since_ms, check_at) VALUES ({user}, 1, 1)"
        ))
        .await;
        let noted = || noted(&env, user);
        eventually("it is due", noted, |noted| *noted == Some((false, true, false))).await;
    }
    env.execute("RENAME TABLE away TO offline_message").await;
    env.execute("DELETE FROM chatpush_notified").await;
    insert(&env, 5, 2).await;
    eventually("the last look is over", scanned, |rows| rows[1] == 5).await;
    insert(&env, 999, 3).await;
    is_noted(3).await;
}

/// Whoever is due is found at once behind many who have come back, however few are asked for.
#[tokio::test]
async fn many_who_have_come_back_hide_nobody() {
    let env = installation("undelivered").await;
    let _daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    let user = || noted(&env, 2);
    eventually("2 is due", user, |noted| *noted == Some((false, true, false))).await;
    env.execute(
        "INSERT INTO chatpush_notified (user_id, since_ms, offer_at) SELECT seq, 1, 1 FROM seq_10_to_1009",
    )
    .await;
    let printed = env.php().get("echo json_encode(ChatPush\\getDueNotifications(1));").await;
    let found: Vec<_> = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(ids(&found), [2]);
    assert_eq!(ids(&due(&env, 60).await), [0; 0]);
}

/// The application's column takes what is no id for chatpush.
#[tokio::test]
async fn row_that_cannot_be_read_hides_nobody() {
    let env = installation("undelivered").await;
    env.execute("ALTER TABLE offline_message MODIFY sender_id bigint unsigned NOT NULL").await;
    let _daemon = env.daemon().await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         VALUES (18446744073709551615, 2, 'a', NOW()), (1, 3, 'b', NOW())",
    )
    .await;
    let mut found = Vec::new();
    while found.len() < 2 {
        found.extend(first_due(&env).await);
    }
    let of = |user: u64| found.iter().find(|due| due["user_id"] == user).expect("the user is due");
    assert_eq!((&of(2)["waiting"], &of(2)["last"]), (&json!(1), &json!(null)));
    assert_eq!(of(3)["last"]["content"], "b");
}
