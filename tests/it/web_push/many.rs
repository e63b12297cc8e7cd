//! Many users for whom messages really wait: no query looks at all of them.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

use super::push_service::PushService;
use super::{subscribed, with_web_push};

/// Users whom Web Push is to tell, and as many whom the application is to tell.
const EACH: u64 = 3_000;

/// Users whom one query is for: those who are looked at together, those of whom somebody was told, and those who are
/// taken together. It may look at three times as many rows: at each user's, once more if it has found them by an index
/// that it changes, and at one of another table.
const LOOKED_AT: u64 = 500;
const TOLD: u64 = 200;
const TAKEN: u64 = 100;

/// The daemon's queries on who is due, what waits and what is unread, with the rows that each has looked at. Those of this
/// test name a sequence. The sweep of records without a row has a limit of its own.
const EXAMINED: &str = "FROM mysql.slow_log WHERE sql_text NOT LIKE '%seq_%' \
                        AND sql_text NOT LIKE '%`chatpush_message` WHERE `offline_id` > %' \
                        AND (sql_text LIKE '%chatpush_notified%' OR sql_text LIKE '%offline_message%' \
                        OR sql_text LIKE '%`user`%')";

/// No query for so many users has looked at more than three times as many rows.
async fn none_looked_at_more(env: &TestEnv, users: u64, what: &str) {
    let order = "ORDER BY rows_examined DESC LIMIT 1";
    let line =
        env.servers().sql(&format!("SELECT rows_examined, LEFT(sql_text, 400) {EXAMINED} {order}")).await;
    let (rows, query) = line.trim().split_once('\t').expect("there are queries");
    assert!(rows.parse::<u64>().expect("a number") <= 3 * users, "{rows} rows {what}: {query}");
}

/// Waits until a query has been made so many times.
async fn looked(env: &TestEnv, query: &str, times: u64) {
    let looked = || async {
        let count =
            env.servers().sql(&format!("SELECT COUNT(*) {EXAMINED} AND sql_text LIKE '%{query}%'")).await;
        count.trim().parse::<u64>().expect("a number")
    };
    eventually(query, looked, |count| *count >= times).await;
}

/// MariaDB's log of queries says how many rows each has looked at, however fast they are.
async fn no_query_looks_at_all(when: &str) {
    let service = PushService::start().await;
    service.hold();
    let env = with_web_push(TestEnv::with_own_servers().await, &service, &service.host()).await;
    let env = env.with("CHATPUSH_NOTIFY_WHEN", when);
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    let log =
        "SET GLOBAL log_output = 'TABLE', slow_query_log = 1, long_query_time = 0, log_slow_filter = ''";
    env.servers().sql(log).await;
    let all = 2 * EACH;
    let users = format!(
        "INSERT INTO `user` (id, username, password, unread_count) SELECT seq, CONCAT('u', seq), '', 1 FROM seq_1_to_{all}"
    );
    env.execute(&users).await;
    let daemon = env.daemon().await;
    subscribed(&daemon, 1, &service.subscription("a")).await;
    env.execute(&format!(
        "INSERT INTO chatpush_push (endpoint_hash, user_id, endpoint, p256dh, auth, created_at) \
         SELECT UNHEX(SHA2(CONCAT(endpoint, seq), 256)), seq, CONCAT(endpoint, seq), p256dh, auth, created_at \
         FROM chatpush_push JOIN seq_2_to_{EACH}"
    ))
    .await;
    env.execute(&format!(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         SELECT 1, seq, 'x', NOW() FROM seq_1_to_{all}"
    ))
    .await;
    let due = || async {
        let of = |exit| {
            format!(
                "SELECT COUNT(*) FROM chatpush_notified WHERE offer_at > 0 AND `exit` = {exit} /* seq_ */"
            )
        };
        [env.query::<u64>(&of(0)).await[0], env.query::<u64>(&of(1)).await[0]]
    };
    eventually("all are due", due, |due| *due == [EACH, EACH]).await;
    none_looked_at_more(&env, LOOKED_AT, "to find who is due").await;

    // The look that has found the last of them is over when others have begun.
    env.servers().sql("TRUNCATE mysql.slow_log").await;
    looked(&env, "`check_at` <= ", 2).await;
    env.servers().sql("TRUNCATE mysql.slow_log").await;
    let take = "foreach (range(1, 3) as $call) echo count(ChatPush\\getDueNotifications(100, 600)), ' ';";
    assert_eq!(env.php().get(take).await, "100 100 100 ");
    for exit in ["`exit` = 0 AND `offer_at` <= ", "`exit` = 1 AND `offer_at` <= "] {
        looked(&env, exit, 3).await;
    }
    none_looked_at_more(&env, TAKEN, "to tell who is due").await;

    env.execute("UPDATE chatpush_notified SET told_at = offer_at, offer_at = NULL /* seq_ */").await;
    env.servers().sql("TRUNCATE mysql.slow_log").await;
    looked(&env, "ORDER BY `told_at`", 3).await;
    none_looked_at_more(&env, TOLD, "to find who has come back").await;

    env.servers().sql("TRUNCATE mysql.slow_log").await;
    env.php().get("ChatPush\\sendToUsers(9999, range(1, 400), 'y');").await;
    if when == "unread" {
        looked(&env, "JOIN `user` u ON", 1).await;
    }
    let scanned = || {
        env.query::<bool>(
            "SELECT (SELECT MAX(row_id) FROM chatpush_notify_scan) >= (SELECT MAX(id) FROM offline_message) /* seq_ */",
        )
    };
    eventually("the messages were found", scanned, |scanned| scanned == &[true]).await;
    none_looked_at_more(&env, LOOKED_AT, "to note who has new messages").await;
}

#[tokio::test]
async fn no_query_looks_at_all_who_are_due() {
    no_query_looks_at_all("undelivered").await;
}

#[tokio::test]
async fn no_query_looks_at_all_who_have_unread_messages() {
    no_query_looks_at_all("unread").await;
}
