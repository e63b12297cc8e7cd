//! Whom somebody is to be told about: `getDueNotifications()` and `markNotified()`.

mod clocks;
mod connections;
mod contents;
mod costs;
mod expiry;
mod failures;
mod history;
mod jobs;
mod locks;
mod lost;
mod off_and_on;
mod unread;

use chatpush_tests::client::Client;
use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use mysql_async::prelude::Queryable as _;
use serde_json::{Value, json};

/// An installation whose users 1 to 3 are due a second after a message.
async fn installation(when: &str) -> TestEnv {
    with_users(TestEnv::new().await, when).await
}

/// The same on servers of its own.
async fn own_installation(when: &str) -> TestEnv {
    with_users(TestEnv::with_own_servers().await, when).await
}

async fn with_users(env: TestEnv, when: &str) -> TestEnv {
    let env = env.with("CHATPUSH_NOTIFY_AFTER", "1").with("CHATPUSH_NOTIFY_WHEN", when);
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    env.users(&[1, 2, 3]).await;
    env
}

/// Who is due, leased for so many seconds.
async fn due(env: &TestEnv, lease: u32) -> Vec<Value> {
    let printed =
        env.php().get(&format!("echo json_encode(ChatPush\\getDueNotifications(100, {lease}));")).await;
    serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{printed}"))
}

/// The first users who are due, by id, leased for a minute. Right after a daemon was killed nobody may answer in time.
async fn first_due(env: &TestEnv) -> Vec<Value> {
    let code = "try { echo json_encode(ChatPush\\getDueNotifications(100, 60)); } \
                catch (ChatPush\\TimeoutException) { echo '[]'; }";
    let due = || async {
        let printed = env.php().get(code).await;
        serde_json::from_str::<Vec<Value>>(&printed).unwrap_or_else(|_| panic!("{printed}"))
    };
    eventually("somebody is due", due, |users| !users.is_empty()).await
}

fn ids(users: &[Value]) -> Vec<u64> {
    users.iter().filter_map(|user| user["user_id"].as_u64()).collect()
}

async fn mark(env: &TestEnv, users: &str) -> String {
    env.php().get(&format!("echo ChatPush\\markNotified([{users}]);")).await
}

/// What is noted of a user: whether they are looked at, due, told.
async fn noted(env: &TestEnv, user: u32) -> Option<(bool, bool, bool)> {
    let sql = format!(
        "SELECT check_at IS NOT NULL, offer_at IS NOT NULL, told_at IS NOT NULL \
         FROM chatpush_notified WHERE user_id = {user}"
    );
    env.query::<(bool, bool, bool)>(&sql).await.pop()
}

async fn nothing_is_noted(env: &TestEnv, user: u32) {
    eventually("nothing is noted", || async { noted(env, user).await }, Option::is_none).await;
}

/// Confirms these messages once they have arrived, behind which the counter comes.
async fn confirm_stored(browser: &mut Client, ids: &[&str]) {
    while browser.json().await["type"] != "unread_count" {}
    browser.send_text(&json!({"ack": ids}).to_string()).await;
}

/// A daemon that is killed may not have recorded that the user was back. What they were told of is gone.
#[tokio::test]
async fn user_whose_return_was_not_recorded_is_due_again() {
    let env = installation("undelivered").await;
    let daemon = env.daemon().await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'first');").await;
    assert_eq!(ids(&first_due(&env).await), [2]);
    assert_eq!(mark(&env, "2").await, "1");
    daemon.process().signal("STOP");
    env.execute("DELETE FROM offline_message").await;
    env.php().with("chatpush.durability=queued").get("ChatPush\\sendMessage(1, 2, 'second');").await;
    daemon.process().signal("CONT");
    let users = first_due(&env).await;
    assert_eq!((ids(&users), users[0]["last"]["content"].as_str()), (vec![2], Some("second")));
    assert_eq!(mark(&env, "2").await, "1");
    env.php().get("ChatPush\\sendMessage(1, 2, 'third');").await;
    // A sweep that comes behind the third message changes nothing for user 2.
    env.php().get("ChatPush\\sendMessage(1, 3, 'later');").await;
    assert_eq!(ids(&first_due(&env).await), [3]);
}

/// As if a daemon had been killed between the confirmation and the record of the connection.
#[tokio::test]
async fn confirmation_without_a_recorded_return_is_enough() {
    let env = installation("undelivered").await;
    let _daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    assert_eq!(ids(&first_due(&env).await), [2]);
    assert_eq!(mark(&env, "2").await, "1");
    env.php().get("ChatPush\\ackOfflineMessage(2, [1]);").await;
    nothing_is_noted(&env, 2).await;
    env.php().get("storeOfflineMessage(1, 2, 'b');").await;
    assert_eq!(ids(&first_due(&env).await), [2]);
}

/// Once, until the user connects again, however many messages come.
#[tokio::test]
async fn absent_user_is_due_once() {
    let env = installation("undelivered").await;
    let daemon = env.daemon().await;
    let send = "ChatPush\\sendMessage(1, 2, 'first', 'chat', 'a'); echo (int) (microtime(true) * 1000);
        ChatPush\\sendMessage(3, 2, 'second', 7, 'b');";
    let accepted: u64 = env.php().get(send).await.parse().expect("milliseconds");
    let users = first_due(&env).await;
    let (first, last) = (&users[0]["first_time"], &users[0]["last"]);
    assert_eq!(
        (users[0]["user_id"].as_u64(), &users[0]["waiting"], &users[0]["unread"]),
        (Some(2), &json!(2), &json!(2))
    );
    assert!(
        first.as_u64().is_some_and(|first| accepted.abs_diff(first) < 60_000),
        "{first}, accepted at {accepted}"
    );
    let told_of = (&last["message_id"], &last["sender_id"], &last["type"], &last["content"]);
    assert_eq!(told_of, (&json!("3:b"), &json!(3), &json!(7), &json!("second")));
    assert!(last["time"].as_u64() >= first.as_u64(), "{users:?}");
    assert_eq!(ids(&due(&env, 60).await), [0; 0], "leased");
    assert_eq!(mark(&env, "1, 2, 3").await, "1");
    assert_eq!(mark(&env, "2").await, "0");
    env.php()
        .get("ChatPush\\sendMessage(1, 2, 'third', 'chat', 'c'); storeOfflineMessage(1, 3, 'other');")
        .await;
    assert_eq!(ids(&first_due(&env).await), [3], "2 was told");

    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    confirm_stored(&mut browser, &["1:a", "3:b", "1:c"]).await;
    eventually("all is confirmed", || env.stored_count(2), |count| *count == 0).await;
    nothing_is_noted(&env, 2).await;
    drop(browser);
    env.php().get("ChatPush\\sendMessage(1, 2, 'fourth', 'chat', 'd');").await;
    let users = first_due(&env).await;
    assert_eq!((ids(&users), &users[0]["last"]["content"]), (vec![2], &json!("fourth")));
}

/// A lease that ends offers the user again.
#[tokio::test]
async fn lease_that_ends_is_offered_again() {
    let env = installation("undelivered").await;
    let _daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'x');").await;
    let first = eventually("2 is due", || async { due(&env, 1).await }, |users| !users.is_empty());
    assert_eq!(ids(&first.await), [2]);
    assert_eq!(ids(&first_due(&env).await), [2]);
    assert_eq!(ids(&due(&env, 60).await), [0; 0]);
    assert_eq!(mark(&env, "2").await, "1", "a leased user counts");
}

/// Delivery, a recall and a deletion by the application cancel what is due and not told yet.
#[tokio::test]
async fn what_does_not_wait_any_more_is_not_told() {
    let env = installation("undelivered").await;
    let daemon = env.daemon().await;
    env.php()
        .get(
            "ChatPush\\sendMessage(3, 1, 'a', 'chat', 'a'); ChatPush\\sendMessage(1, 2, 'b', 'chat', 'b');
        storeOfflineMessage(1, 3, 'c');",
        )
        .await;
    for user in 1..=3 {
        eventually(
            "all three are due",
            || async { noted(&env, user).await },
            |noted| *noted == Some((false, true, false)),
        )
        .await;
    }
    let mut browser = daemon.connect_with(1, "chatpush.v1").await;
    confirm_stored(&mut browser, &["3:a"]).await;
    eventually("it is confirmed", || env.stored_count(1), |count| *count == 0).await;
    assert_eq!(env.php().get("echo json_encode(ChatPush\\recallMessage(1, 2, 'b'));").await, "true");
    env.execute("DELETE FROM offline_message WHERE receiver_id = 3").await;
    assert_eq!(ids(&due(&env, 60).await), [0; 0]);
    for user in 1..=3 {
        nothing_is_noted(&env, user).await;
    }
}

/// Whoever is connected is not due although messages wait; when they have left, the time counts from then.
#[tokio::test]
async fn time_counts_from_the_end_of_the_last_connection() {
    // Longer than the two seconds after which somebody who is connected is looked at again.
    let env = installation("undelivered").await.with("CHATPUSH_NOTIFY_AFTER", "5");
    let daemon = env.daemon().await;
    let browser = daemon.connect_with(2, "chatpush.v1").await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'never confirmed', 'chat', 'a');").await;
    // Looked at twice while connected.
    let since = "SELECT COUNT(*) FROM chatpush_notified WHERE connected_at > since_ms + 1000";
    eventually("seen connected", || env.query::<u64>(since), |count| *count == [1]).await;
    assert_eq!(ids(&due(&env, 60).await), [0; 0]);
    let now = "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000";
    let before = env.query::<u64>(now).await[0];
    drop(browser);
    assert_eq!(ids(&first_due(&env).await), [2]);
    let due_at = env.query::<u64>("SELECT due_at FROM chatpush_notified").await[0];
    assert!(due_at >= before + 5_000, "{} ms too early", before + 5_000 - due_at);
}

/// The clock of who writes rows may be ahead of MySQL's. When it has passed their times, they are no other messages.
#[tokio::test]
async fn row_from_the_future_is_told_of_once() {
    let env = installation("undelivered").await;
    let _daemon = env.daemon().await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         VALUES (1, 2, 'ahead', NOW() + INTERVAL 4 SECOND)",
    )
    .await;
    assert_eq!(ids(&first_due(&env).await), [2]);
    assert_eq!(mark(&env, "2").await, "1");
    let has_passed = || env.query::<bool>("SELECT send_time < NOW() FROM offline_message");
    eventually("the time has passed", has_passed, |passed| *passed == [true]).await;
    // Some looks and sweeps later.
    env.php().get("ChatPush\\sendMessage(1, 3, 'later');").await;
    assert_eq!(ids(&first_due(&env).await), [3]);
    assert_eq!(noted(&env, 2).await, Some((false, false, true)));
}

/// Rows that the application inserts itself count, also those of a transaction that is committed late.
#[tokio::test]
async fn rows_of_the_application_count() {
    let env = installation("undelivered").await;
    let _daemon = env.daemon().await;
    let insert = |user| {
        format!(
            "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) VALUES (1, {user}, 'mine', NOW())"
        )
    };
    let mut late = env.mysql().await;
    late.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    late.query_drop(insert(3)).await.expect("it is inserted");
    env.execute(&insert(2)).await;
    let users = first_due(&env).await;
    assert_eq!((ids(&users), &users[0]["last"]["content"]), (vec![2], &json!("mine")));
    late.query_drop("COMMIT").await.expect("MariaDB answers");
    assert_eq!(ids(&first_due(&env).await), [3]);
    // Keys begin again.
    env.execute("TRUNCATE TABLE offline_message").await;
    env.execute(&insert(1)).await;
    assert_eq!(ids(&first_due(&env).await), [1]);
}

/// What chatpush has stored waits on after `adopt --keep --again`, and rows that are left alone never count.
#[tokio::test]
async fn rows_that_are_left_alone_do_not_count() {
    let env = installation("undelivered").await;
    let insert =
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) VALUES (1, 3, 'x', NOW())";
    env.execute(insert).await;
    env.execute("UPDATE chatpush_notify_scan SET row_id = 0").await;
    let daemon = env.daemon().await;
    env.php().get("foreach (['a', 'b'] as $text) storeOfflineMessage(1, 2, $text);").await;
    daemon.kill();
    let again = Daemon::command(&env, &["adopt", "--keep", "--again"]).await;
    assert!(again.status.success(), "{again:?}");
    env.execute("DELETE FROM chatpush_notified").await;
    env.execute("UPDATE chatpush_notify_scan SET row_id = 0").await;
    let _daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'c');").await;
    let users = eventually(
        "all three wait",
        || async { due(&env, 1).await },
        |users| users.iter().any(|user| user["waiting"] == 3),
    )
    .await;
    assert_eq!((ids(&users), &users[0]["last"]["content"]), (vec![2], &json!("c")));
    let first = env.query::<u64>("SELECT MIN(time_ms) FROM chatpush_message").await;
    assert_eq!(users[0]["first_time"], first[0]);
    env.execute("DELETE FROM offline_message WHERE content = 'c'").await;
    let users = eventually("the others wait", || async { due(&env, 1).await }, |users| !users.is_empty());
    assert_eq!(users.await[0]["waiting"], 2);
    nothing_is_noted(&env, 3).await;
}

/// The daemon that takes over goes on where the killed one was, and nobody is told twice.
#[tokio::test]
async fn killed_daemon_loses_and_repeats_nothing() {
    let env = installation("undelivered").await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'x');").await;
    assert_eq!(ids(&first_due(&env).await), [2]);
    assert_eq!(mark(&env, "2").await, "1");
    env.php().get("storeOfflineMessage(1, 3, 'y');").await;
    daemon.kill();
    let daemon = env.daemon().await;
    assert_eq!(ids(&first_due(&env).await), [3]);
    env.php().get("storeOfflineMessage(1, 1, 'z');").await;
    let other = env.daemon().await;
    daemon.kill();
    assert_eq!(ids(&first_due(&env).await), [1]);
    drop(other);
}

/// What was stored before the setting was switched on tells nobody.
#[tokio::test]
async fn what_was_stored_before_tells_nobody() {
    let env = TestEnv::new().await;
    env.users(&[1, 2, 3]).await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'before');").await;
    let off =
        "try { ChatPush\\getDueNotifications(); } catch (ChatPush\\Exception $e) { echo $e->getMessage(); }
        try { ChatPush\\markNotified([2]); } catch (ChatPush\\Exception $e) { echo $e->getOutcome()->name; }";
    let printed = env.php().get(off).await;
    assert!(printed.contains("notify.after") && printed.ends_with("NotQueued"), "{printed}");
    daemon.kill();
    let env = env.with("CHATPUSH_NOTIFY_AFTER", "1");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    let _daemon = env.daemon().await;
    let begun = env.query::<u64>("SELECT row_id FROM chatpush_notify_scan");
    assert_eq!(begun.await, [1]);
    env.php().get("storeOfflineMessage(1, 3, 'after');").await;
    assert_eq!(ids(&first_due(&env).await), [3]);
}

/// Nothing that is read for one user, or for one call, grows with the number of messages or of users.
async fn assert_queries_are_bounded(when: &str) {
    let env = own_installation(when).await;
    let _daemon = env.daemon().await;
    env.execute(
        "INSERT INTO `user` (id, username, password) SELECT seq, CONCAT('u', seq), '' FROM seq_10_to_100009",
    )
    .await;
    env.execute("UPDATE `user` SET unread_count = 100000 WHERE id = 2").await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time)
        SELECT 1, 2, 'x', NOW() FROM seq_1_to_100000",
    )
    .await;
    env.execute(
        "INSERT INTO chatpush_notified (user_id, since_ms, offer_at) SELECT seq, 1, 2 FROM seq_10_to_100009",
    )
    .await;
    let users = eventually("2 is due", || noted(&env, 2), |noted| *noted == Some((false, true, false))).await;
    assert!(users.is_some());
    env.execute("UPDATE chatpush_notified SET offer_at = 1 WHERE user_id = 2").await;
    let scanned = || env.query::<u64>("SELECT row_id FROM chatpush_notify_scan");
    eventually("no row is looked at any more", scanned, |row| row[0] >= 100_000).await;
    let read = "SELECT SUM(variable_value) FROM information_schema.global_status \
                WHERE variable_name IN ('HANDLER_READ_NEXT', 'HANDLER_READ_PREV', 'HANDLER_READ_RND_NEXT')";
    let before = env.query::<u64>(read).await[0];
    let printed = env.php().get("echo json_encode(ChatPush\\getDueNotifications(1));").await;
    assert!(printed.contains(r#""waiting":1000"#) && printed.contains(r#""unread":100000"#), "{printed}");
    let rows = env.query::<u64>(read).await[0] - before;
    assert!(rows < 5_000, "{rows} rows were read");
}

#[tokio::test]
async fn queries_are_bounded() {
    assert_queries_are_bounded("undelivered").await;
}

#[tokio::test]
async fn queries_for_unread_messages_are_bounded() {
    assert_queries_are_bounded("unread").await;
}

/// Rows of a history that do not wait neither stop nor slow down the search.
#[tokio::test]
async fn history_is_searched_in_bounded_steps() {
    let env = TestEnv::with_own_servers().await;
    env.execute(
        "ALTER TABLE offline_message ADD delivered_at DATETIME NULL, ADD KEY (receiver_id, delivered_at, id)",
    )
    .await;
    let env = env
        .with("CHATPUSH_NOTIFY_AFTER", "1")
        .with("CHATPUSH_MYSQL_HISTORY_COLUMN", "delivered_at")
        .with("CHATPUSH_MYSQL_HISTORY_VALUE", "now");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    let _daemon = env.daemon().await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time, delivered_at)
        SELECT 1, 3, 'old', NOW(), NOW() FROM seq_1_to_20000",
    )
    .await;
    let scanned = || env.query::<u64>("SELECT row_id FROM chatpush_notify_scan");
    eventually("all were looked at", scanned, |row| row[0] >= 20_000).await;
    env.php().get("storeOfflineMessage(1, 2, 'new');").await;
    assert_eq!(ids(&first_due(&env).await), [2]);
    let read = "SELECT SUM(variable_value) FROM information_schema.global_status \
                WHERE variable_name IN ('HANDLER_READ_NEXT', 'HANDLER_READ_RND_NEXT')";
    let before = env.query::<u64>(read).await[0];
    env.php().get("storeOfflineMessage(1, 1, 'x');").await;
    assert_eq!(ids(&first_due(&env).await), [1]);
    let rows = env.query::<u64>(read).await[0] - before;
    assert!(rows < 20_000, "{rows} rows were read");
}

/// A setting that needs a table is not used without it: nothing is refused, and the messages wait.
#[tokio::test]
async fn missing_table_stops_nothing_for_ever() {
    let env = TestEnv::new().await.with("CHATPUSH_NOTIFY_AFTER", "1").with("CHATPUSH_NOTIFY_WHEN", "unread");
    env.users(&[2]).await;
    let daemon = Daemon::launch(&env);
    let ready = || daemon.get("/ready");
    eventually("it says why", ready, |ready| ready.contains("chatpush_notified")).await;
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    eventually("it is ready", ready, |ready| ready.starts_with("HTTP/1.1 200")).await;
    assert_eq!(env.php().get("var_dump(storeOfflineMessage(1, 2, 'x'));").await.trim(), "bool(true)");
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await, [0]);
}
