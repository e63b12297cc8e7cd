//! What it costs to note somebody.

use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

use super::own_installation;

/// How many queries of the daemon hold a text, by MariaDB's log of queries.
async fn queries(env: &TestEnv, text: &str) -> u64 {
    let count = format!(
        "SELECT COUNT(*) FROM mysql.slow_log WHERE sql_text LIKE '%{text}%' AND sql_text NOT LIKE '%slow_log%'"
    );
    env.servers().sql(&count).await.trim().parse().expect("a number")
}

/// Of whoever is away nothing is read before they may be due. Whoever is connected is looked at soon, so that it is known
/// when the connection has ended.
#[tokio::test]
async fn who_is_away_is_not_looked_at_before_they_may_be_due() {
    let env = own_installation("undelivered").await.with("CHATPUSH_NOTIFY_AFTER", "600");
    env.execute("INSERT IGNORE INTO `user` (id) SELECT seq FROM seq_1_to_300").await;
    let log =
        "SET GLOBAL log_output = 'TABLE', slow_query_log = 1, long_query_time = 0, log_slow_filter = ''";
    env.servers().sql(log).await;
    let daemon = env.daemon().await;
    let looks = |times: u64| {
        let env = &env;
        eventually("it looks", move || queries(env, "`check_at` <= "), move |count| *count >= times)
    };
    looks(1).await;
    env.php().get("ChatPush\\sendToUsers(1, range(2, 300), 'x');").await;
    let noted = "SELECT COUNT(*) FROM chatpush_notified \
                 WHERE check_at > since_ms + 500000 AND connected_at IS NULL";
    eventually("all are noted", || env.query::<u64>(noted), |count| *count == [299]).await;
    looks(queries(&env, "`check_at` <= ").await + 2).await;
    assert_eq!(queries(&env, "COALESCE(m.`time_ms`").await, 0, "queries for the first message of each");

    let mut browser = daemon.connect_with(1, "chatpush.v1").await;
    while browser.json().await["type"] != "unread_count" {}
    env.php().get("storeOfflineMessage(2, 1, 'x');").await;
    let connected = "SELECT COUNT(*) FROM chatpush_notified \
                     WHERE user_id = 1 AND connected_at > since_ms AND check_at < connected_at + 10000";
    eventually("1 is looked at", || env.query::<u64>(connected), |count| *count == [1]).await;
}
