//! A killed Redis or MySQL may have lost what it accepted last. A daemon notices by its lost connections.

use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;
use mysql_async::prelude::Queryable as _;

use super::{due, first_due, ids, installation, mark, noted, own_installation};

const TOLD: Option<(bool, bool, bool)> = Some((false, false, true));

/// As a MySQL that is started again does: also those that are in use.
pub(super) async fn close_mysql_connections(env: &TestEnv) {
    let of_daemon = format!(
        "SELECT id FROM information_schema.processlist WHERE db = '{}' AND id <> CONNECTION_ID()",
        env.name()
    );
    for connection in env.query::<u64>(&of_daemon).await {
        // It may have ended by itself.
        let _ = env.mysql().await.query_drop(format!("KILL {connection}")).await;
    }
}

async fn tell_of(env: &TestEnv, user: u32) {
    env.php().get(&format!("storeOfflineMessage(1, {user}, 'x');")).await;
    assert_eq!(ids(&first_due(env).await), [u64::from(user)]);
    assert_eq!(mark(env, &user.to_string()).await, "1");
}

async fn is_noted(env: &TestEnv, user: u32) {
    eventually("noted", || noted(env, user), Option::is_some).await;
}

/// A row that was looked at is lost, and its key is given to another one. Every statement succeeds on a new connection.
#[tokio::test]
async fn keys_are_not_trusted_after_a_lost_connection() {
    let env = installation("undelivered").await;
    let _daemon = env.daemon().await;
    let insert = "INSERT INTO offline_message (id, sender_id, receiver_id, content, send_time) VALUES";
    env.execute(&format!("{insert} (1, 1, 1, 'x', NOW()), (2, 1, 2, 'x', NOW())")).await;
    is_noted(&env, 2).await;
    let scanned = || env.query::<u64>("SELECT row_id FROM chatpush_notify_scan WHERE id = 1");
    eventually("that is recorded", scanned, |row| *row == [2]).await;
    env.execute("DELETE FROM offline_message WHERE id = 2").await;
    env.execute("UPDATE chatpush_notify_scan SET row_id = 1").await;
    env.execute(&format!("{insert} (2, 1, 3, 'x', NOW())")).await;
    close_mysql_connections(&env).await;
    is_noted(&env, 3).await;
}

/// Nothing is lost with a connection: what was looked at is not looked at again, although it cannot be recorded for
/// good yet. If connections break each minute, that would be more and more.
#[tokio::test]
async fn looks_that_hold_are_not_begun_again() {
    let env = installation("undelivered").await;
    let _daemon = env.daemon().await;
    let insert = "INSERT INTO offline_message (id, sender_id, receiver_id, content, send_time) VALUES";
    // Keys are missing before it, whose rows may be committed within a minute.
    env.execute(&format!("{insert} (10, 1, 1, 'x', NOW())")).await;
    is_noted(&env, 1).await;
    let reached = || env.query::<u64>("SELECT row_id FROM chatpush_notify_scan ORDER BY id");
    eventually("that is recorded", reached, |rows| *rows == [0, 10]).await;
    env.execute(&format!("{insert} (11, 1, 2, 'x', NOW())")).await;
    eventually("that is recorded", reached, |rows| *rows == [0, 11]).await;
    env.execute("DELETE FROM chatpush_notified WHERE user_id = 2").await;
    close_mysql_connections(&env).await;
    env.execute(&format!("{insert} (12, 1, 3, 'x', NOW())")).await;
    eventually("3 is due", || noted(&env, 3), |noted| *noted == Some((false, true, false))).await;
    assert_eq!(noted(&env, 2).await, None, "it was looked at again");
}

/// User 3 came, confirmed nothing and left, and Redis has lost that before it was recorded: they are due again. User 2
/// has come too, but has been told again since: that holds.
#[tokio::test]
async fn return_that_redis_has_lost_is_noted_again() {
    let env = own_installation("undelivered").await;
    let daemon = env.daemon().await;
    tell_of(&env, 2).await;
    daemon.connect_with(2, "chatpush.v1").await.until_unread_count().await;
    assert_eq!(ids(&first_due(&env).await), [2]);
    assert_eq!(mark(&env, "2").await, "1");

    tell_of(&env, 3).await;
    env.execute("RENAME TABLE chatpush_notified TO away").await;
    daemon.connect_with(3, "chatpush.v1").await.until_unread_count().await;
    let user = UserId::try_from(3).expect("a user id");
    let _: u32 = env.redis(&["DEL", &env.prefix().returned(Partition::of(&user))]).await;
    // As a Redis that is started again does.
    let _: u32 = env.redis(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    env.execute("RENAME TABLE away TO chatpush_notified").await;
    assert_eq!(ids(&first_due(&env).await), [3]);
    assert_eq!(noted(&env, 2).await, TOLD);
    assert_eq!(ids(&due(&env, 60).await), [0; 0], "2 was told");
}

/// The same if MySQL has lost the record of the return.
#[tokio::test]
async fn return_that_mysql_has_lost_is_recorded_again() {
    let env = installation("undelivered").await;
    let daemon = env.daemon().await;
    tell_of(&env, 2).await;
    env.execute("CREATE TABLE before_it AS SELECT * FROM chatpush_notified").await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    browser.until_unread_count().await;
    eventually("the return is recorded", || noted(&env, 2), |noted| *noted == Some((true, false, false)))
        .await;
    env.execute("REPLACE INTO chatpush_notified SELECT * FROM before_it").await;
    close_mysql_connections(&env).await;
    drop(browser);
    assert_eq!(ids(&first_due(&env).await), [2]);
}
