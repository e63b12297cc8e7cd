//! Users who have messages that they have not read: `notify.when` is `unread`.

use chatpush_tests::eventually::eventually;
use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;
use mysql_async::prelude::Queryable as _;
use serde_json::json;

use super::{due, first_due, ids, installation, mark, noted, nothing_is_noted, own_installation};

/// With `unread`, an open page that confirms does not count as reading; a clear does, and so does a counter that
/// the application sets to 0.
#[tokio::test]
async fn unread_messages_are_told_until_they_are_read() {
    let env = installation("unread").await;
    let daemon = env.daemon().await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'a', 'chat', 'a');").await;
    browser.send_text(&json!({"ack": ["1:a"]}).to_string()).await;
    eventually("it is confirmed", || env.stored_count(2), |count| *count == 0).await;
    let users = first_due(&env).await;
    assert_eq!(users, [json!({"user_id": 2, "waiting": 0, "unread": 1, "first_time": null, "last": null})]);
    assert_eq!(mark(&env, "2").await, "1");
    env.php().get("storeOfflineMessage(1, 2, 'b'); storeOfflineMessage(1, 3, 'x');").await;
    assert_eq!(ids(&first_due(&env).await), [3], "2 was told and has not read");
    browser.send_text(r#"{"read":true}"#).await;
    eventually("it is read", || env.unread(2), |count| *count == 0).await;
    nothing_is_noted(&env, 2).await;
    env.php().get("storeOfflineMessage(1, 2, 'c');").await;
    assert_eq!(ids(&first_due(&env).await), [2]);
    assert_eq!(mark(&env, "2").await, "1");
    env.execute("UPDATE user SET unread_count = 0 WHERE id = 2").await;
    env.php().get("storeOfflineMessage(1, 2, 'd');").await;
    assert_eq!(ids(&first_due(&env).await), [2], "read before");
}

/// Each message moves the time at which the receiver is looked at.
#[tokio::test]
async fn user_who_gets_messages_all_the_time_is_due() {
    let env = installation("unread").await;
    let _daemon = env.daemon().await;
    let php = env.php();
    let code = "while (true) storeOfflineMessage(1, 2, 'one of many');";
    let mut storing = [(); 2].map(|()| php.program(["-r", code]).spawn().expect("PHP starts"));
    let found = first_due(&env).await;
    assert_eq!(found[0]["user_id"], 2);
    for php in &mut storing {
        assert_eq!(php.try_wait().expect("it can be asked"), None, "the messages go on");
        php.kill().await.expect("it is there");
    }
}

/// Although an application's transaction keeps it from MySQL.
#[tokio::test]
async fn read_counts_before_it_is_in_mysql() {
    let env = installation("unread").await;
    let daemon = env.daemon().await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    eventually("2 is due", || noted(&env, 2), |noted| *noted == Some((false, true, false))).await;
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("SELECT * FROM user WHERE id = 2 FOR UPDATE").await.expect("the row is free");
    browser.send_text(r#"{"read":true}"#).await;
    eventually("it is in the log", || env.log_length(2), |length| *length > 0).await;
    assert_eq!(ids(&due(&env, 60).await), [0; 0]);
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    nothing_is_noted(&env, 2).await;
}

/// A writer that is killed behind a commit has not noted the receivers, and the messages are gone by now. Nobody had been
/// told of user 2; user 3 had read what somebody was told of.
#[tokio::test]
async fn next_writer_notes_whom_the_last_one_has_not() {
    let env = installation("unread").await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 3, 'a');").await;
    assert_eq!(ids(&first_due(&env).await), [3]);
    assert_eq!(mark(&env, "3").await, "1");
    env.execute("UPDATE user SET unread_count = 0 WHERE id = 3").await;
    env.execute("RENAME TABLE chatpush_notified TO away").await;
    env.php().get("storeOfflineMessage(1, 2, 'b'); storeOfflineMessage(1, 3, 'c');").await;
    daemon.kill();
    env.execute("DELETE FROM offline_message").await;
    env.execute("RENAME TABLE away TO chatpush_notified").await;
    let _next = env.daemon().await;
    let mut found = ids(&first_due(&env).await);
    if found.len() == 1 {
        found.extend(ids(&first_due(&env).await));
    }
    found.sort_unstable();
    assert_eq!(found, [2, 3]);
}

/// As many new messages as are unread do not mean that the others were read, if somebody was told of some of them.
#[tokio::test]
async fn next_writer_tells_nobody_twice() {
    let env = installation("unread").await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 3, 'a');").await;
    assert_eq!(ids(&first_due(&env).await), [3]);
    assert_eq!(mark(&env, "3").await, "1");
    env.php().get("storeOfflineMessage(1, 3, 'b');").await;
    daemon.kill();
    let _next = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'c');").await;
    assert_eq!(ids(&first_due(&env).await), [2]);
}

/// The next writer waits for no lock of another transaction, and neither does anybody else.
#[tokio::test]
async fn locked_user_holds_up_no_store() {
    let env = installation("unread").await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    eventually("2 is noted", || noted(&env, 2), Option::is_some).await;
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    let lock = "SELECT * FROM chatpush_notified WHERE user_id = 2 FOR UPDATE";
    application.query_drop(lock).await.expect("the row is free");
    env.php().get("storeOfflineMessage(1, 2, 'b'); storeOfflineMessage(1, 1, 'c');").await;
    daemon.kill();
    let _next = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 3, 'd');").await;
    let both = || async { (noted(&env, 1).await.is_some(), noted(&env, 3).await.is_some()) };
    eventually("the others are noted", both, |both| *both == (true, true)).await;
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    let all_are_due =
        || env.query::<u32>("SELECT COUNT(*) FROM chatpush_notified WHERE offer_at IS NOT NULL");
    eventually("all are due", all_are_due, |count| *count == [3]).await;
}

/// A Redis that is killed may have lost the entries of messages that are stored, but not noted.
#[tokio::test]
async fn receivers_are_noted_although_redis_has_lost_them() {
    let env = own_installation("unread").await;
    let _daemon = env.daemon().await;
    env.execute("RENAME TABLE chatpush_notified TO away").await;
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    env.execute("DELETE FROM offline_message").await;
    let user = UserId::try_from(2).expect("a user id");
    let _: u32 = env.redis(&["DEL", &env.prefix().log(Partition::of(&user))]).await;
    let _: u32 = env.redis(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    env.execute("RENAME TABLE away TO chatpush_notified").await;
    assert_eq!(ids(&first_due(&env).await), [2]);
}

/// They have not read what somebody told of, though as many are unread as were sent since.
#[tokio::test]
async fn message_that_is_taken_back_tells_nobody_again() {
    let env = installation("unread").await;
    let _daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 3, 'a');").await;
    assert_eq!(ids(&first_due(&env).await), [3]);
    assert_eq!(mark(&env, "3").await, "1");
    let taken_back = "ChatPush\\sendMessage(1, 3, 'b', 'chat', 'b'); ChatPush\\recallMessage(1, 3, 'b');";
    env.php().get(taken_back).await;
    env.php().get("storeOfflineMessage(1, 2, 'c');").await;
    assert_eq!(ids(&first_due(&env).await), [2]);
    assert_eq!(noted(&env, 3).await, Some((false, false, true)), "they were told");
}
