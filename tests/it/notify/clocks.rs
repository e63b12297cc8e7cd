//! Times are those of MySQL's clock, whatever the daemon's says.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

use super::lost::close_mysql_connections;
use super::{first_due, ids, mark, own_installation};

/// The writer notes a message by MySQL's clock, which is years behind here, and who is due is judged by it.
#[tokio::test]
async fn unread_messages_are_noted_by_mysqls_clock() {
    let env = TestEnv::with_own_servers()
        .await
        .with("CHATPUSH_NOTIFY_AFTER", "1")
        .with("CHATPUSH_NOTIFY_WHEN", "unread");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    env.users(&[2]).await;
    env.servers().sql("SET GLOBAL init_connect = 'SET SESSION timestamp = 1500000000'").await;
    let _daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    let since = || env.query::<u64>("SELECT since_ms FROM chatpush_notified WHERE user_id = 2");
    let since = eventually("it is noted", since, |since| !since.is_empty()).await;
    assert_eq!(since, [1_500_000_000_000]);
    env.execute("INSERT INTO `user` (id, username, password, unread_count) VALUES (3, 'user3', '', 1)").await;
    env.execute("INSERT INTO chatpush_notified (user_id, since_ms, check_at) VALUES (3, 1, 1)").await;
    let due = || env.query::<u64>("SELECT offer_at FROM chatpush_notified WHERE offer_at IS NOT NULL");
    assert_eq!(eventually("3 is due", due, |due| !due.is_empty()).await, [1_500_000_000_000]);
}

/// A clock of MySQL that was far ahead leaves times behind that would not come for years.
#[tokio::test]
async fn clock_that_was_ahead_delays_nobody() {
    let env = TestEnv::new().await.with("CHATPUSH_NOTIFY_AFTER", "1");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    env.users(&[2, 3]).await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         VALUES (1, 2, 'a', NOW()), (1, 3, 'b', NOW())",
    )
    .await;
    let ahead = 4_000_000_000_000_u64;
    env.execute(&format!(
        "INSERT INTO chatpush_notified (user_id, since_ms, check_at, offer_at, due_at, lease) VALUES \
         (2, {ahead}, {ahead}, NULL, NULL, NULL), (3, {ahead}, NULL, {ahead}, {ahead}, 2)"
    ))
    .await;
    let _daemon = env.daemon().await;
    let due = || {
        let sql = "SELECT COUNT(*) FROM chatpush_notified WHERE offer_at <= UNIX_TIMESTAMP() * 1000 + 999";
        env.query::<u64>(sql)
    };
    eventually("both are due", due, |count| *count == [2]).await;
}

/// Two calls may come in the same millisecond. The second one tells nobody.
#[tokio::test]
async fn users_are_marked_once_in_a_millisecond() {
    let env = own_installation("undelivered").await;
    let _daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    assert_eq!(ids(&first_due(&env).await), [2]);
    // The clock of new connections stands still.
    env.servers().sql("SET GLOBAL init_connect = 'SET SESSION timestamp = 4000000000'").await;
    close_mysql_connections(&env).await;
    assert_eq!((mark(&env, "2").await, mark(&env, "2").await), ("1".to_owned(), "0".to_owned()));
}
