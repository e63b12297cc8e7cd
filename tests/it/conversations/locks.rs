//! Counting beside an application that changes totals in its own transactions.

use std::time::Duration;

use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{begun, counts, installation};

/// How often it is tried to let the writer wait for a lock. It waits for a second, and a busy machine may miss that.
const TRIES: usize = 20;

/// Lets the writer count for the users 1 and 2, who have five unread messages each, while the application has locked
/// user 1. Returns the application's transaction once the writer waits for it.
async fn batch_that_waits_for_user_1(env: &TestEnv) -> Conn {
    // Without a privilege, only the connections of the same account are seen.
    let waits = "SELECT COUNT(*) FROM information_schema.processlist \
                 WHERE db = DATABASE() AND id <> CONNECTION_ID() AND info LIKE '%`user`%'";
    let mut application = env.mysql().await;
    for _ in 0..TRIES {
        // Parts without a total are swept.
        env.execute("UPDATE `user` SET unread_count = 5").await;
        for user in [1, 2] {
            env.execute(&format!("REPLACE INTO chatpush_unread VALUES ({user}, '3', 5)")).await;
        }
        application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
        let lock = "SELECT id FROM `user` WHERE id = 1 FOR UPDATE";
        application.query_drop(lock).await.expect("the row is free");
        env.php().with("chatpush.durability=queued").get("ChatPush\\sendToUsers(3, [1, 2], 'text');").await;
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end {
            let waiting: Option<u64> = application.query_first(waits).await.expect("MariaDB answers");
            if waiting != Some(0) {
                return application;
            }
            sleep(Duration::from_millis(1)).await;
        }
        application.query_drop("ROLLBACK").await.expect("MariaDB answers");
        applied(env).await;
    }
    panic!("the writer never waits")
}

async fn applied(env: &TestEnv) {
    for user in [1, 2] {
        eventually("it is applied", || env.log_length(user), |length| *length == 0).await;
    }
}

/// Users are locked in the order of their ids, whatever conversations they have.
#[tokio::test]
async fn application_that_locks_users_in_order_meets_no_deadlock() {
    let env = installation().await;
    let _daemon = env.daemon().await;
    begun(&env, "1", "3").await;
    let mut application = batch_that_waits_for_user_1(&env).await;
    let next = "UPDATE `user` SET unread_count = unread_count + 1 WHERE id = 2";
    application.query_drop(next).await.expect("no deadlock");
    application.query_drop("COMMIT").await.expect("no deadlock");
    applied(&env).await;
    assert_eq!(counts(&env, 1).await, (json!({"3": 6}), 6));
    assert_eq!(counts(&env, 2).await, (json!({"3": 6}), 7));
}
