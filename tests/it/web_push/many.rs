//! Many users for whom messages really wait: no query looks at all of them.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

use super::push_service::PushService;
use super::{subscribed, with_web_push};

/// Users whom Web Push is to tell, and as many whom the application is to tell.
const EACH: u64 = 3_000;

/// Rows that one query may look at: twice as many as the users whom the daemon looks at together, which are 500.
const MOST: u64 = 1_000;

/// The daemon's queries on who is due and what waits, with the rows that each has looked at. Those of this test name a
/// sequence.
const EXAMINED: &str = "FROM mysql.slow_log WHERE sql_text NOT LIKE '%seq_%' \
                        AND (sql_text LIKE '%chatpush_notified%' OR sql_text LIKE '%offline_message%')";

/// Rows that the largest query has looked at, and the query.
async fn largest(env: &TestEnv) -> (u64, String) {
    let order = "ORDER BY rows_examined DESC LIMIT 1";
    let line =
        env.servers().sql(&format!("SELECT rows_examined, LEFT(sql_text, 400) {EXAMINED} {order}")).await;
    let (rows, query) = line.trim().split_once('\t').expect("there are queries");
    (rows.parse().expect("a number"), query.to_owned())
}

/// Waits until a query has been made some times.
async fn looked(env: &TestEnv, query: &str) {
    let looked = || async {
        let count =
            env.servers().sql(&format!("SELECT COUNT(*) {EXAMINED} AND sql_text LIKE '%{query}%'")).await;
        count.trim().parse::<u64>().expect("a number")
    };
    eventually(query, looked, |count| *count >= 3).await;
}

/// MariaDB's log of queries says how many rows each has looked at, however fast they are.
#[tokio::test]
async fn no_query_looks_at_all_who_are_due() {
    let service = PushService::start().await;
    service.hold();
    let env = with_web_push(TestEnv::with_own_servers().await, &service, &service.host()).await;
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    let log =
        "SET GLOBAL log_output = 'TABLE', slow_query_log = 1, long_query_time = 0, log_slow_filter = ''";
    env.servers().sql(log).await;
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
         SELECT 1, seq, 'x', NOW() FROM seq_1_to_{}",
        2 * EACH
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
    let (rows, query) = largest(&env).await;
    assert!(rows <= MOST, "{rows} rows to find who is due: {query}");

    env.servers().sql("TRUNCATE mysql.slow_log").await;
    let take = "foreach (range(1, 3) as $call) echo count(ChatPush\\getDueNotifications(100, 600)), ' ';";
    assert_eq!(env.php().get(take).await, "100 100 100 ");
    for exit in ["`exit` = 0 AND `offer_at` <= ", "`exit` = 1 AND `offer_at` <= "] {
        looked(&env, exit).await;
    }
    let (rows, query) = largest(&env).await;
    assert!(rows <= MOST, "{rows} rows to tell who is due: {query}");

    env.execute("UPDATE chatpush_notified SET told_at = offer_at, offer_at = NULL /* seq_ */").await;
    env.servers().sql("TRUNCATE mysql.slow_log").await;
    looked(&env, "ORDER BY `told_at`").await;
    let (rows, query) = largest(&env).await;
    assert!(rows <= MOST, "{rows} rows to find who has come back: {query}");
}
