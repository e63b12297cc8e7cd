//! What conversations count no longer goes by itself, or with its user.

use chatpush_tests::eventually::eventually;
use mysql_async::prelude::Queryable as _;
use serde_json::json;

use super::{SEND, counts, installation};

/// The keys that are left in a table.
async fn keys(env: &chatpush_tests::test_env::TestEnv, table: &str) -> Vec<(u64, String)> {
    env.query(&format!("SELECT user_id, conversation FROM {table} ORDER BY 1, 2")).await
}

/// Counters of 0, those of users who are gone or were cleared by the application, and clears before which nothing
/// waits any more.
#[tokio::test]
async fn rows_that_count_nothing_go() {
    let env = installation().await;
    let _daemon = env.daemon().await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'waits', 'chat', 'a', 'team');").await;
    env.execute("INSERT INTO chatpush_conversation_cleared (user_id, conversation, cleared_ms) VALUES (2, 'x', 1), (3, 'x', 1), (9, 'x', 1)")
        .await;
    // More than one step.
    env.execute("INSERT INTO chatpush_conversation_cleared (user_id, conversation, cleared_ms) SELECT 8, CONCAT('c', seq), 1 FROM seq_1_to_2500")
        .await;
    env.execute("INSERT INTO chatpush_unread SELECT 8, CONCAT('c', seq), 1 FROM seq_1_to_2500").await;
    env.execute("INSERT INTO chatpush_unread VALUES (2, 'x', 0), (3, 'x', 7), (9, 'x', 7)").await;
    let left = [(2, "team".to_owned())];
    eventually("they go", || keys(&env, "chatpush_unread"), |found| *found == left).await;
    let left = [(2, "x".to_owned())];
    eventually("they go", || keys(&env, "chatpush_conversation_cleared"), |found| *found == left).await;
    assert_eq!(counts(&env, 2).await, (json!({"team": 1}), 1));
}

/// The application's 0 is recorded when its parts go, so that no older message is taken out of a counter later. A user
/// that the application has locked is left alone.
#[tokio::test]
async fn emptied_parts_go_as_at_the_next_change() {
    let env = installation().await;
    let _daemon = env.daemon().await;
    let php = env.php();
    php.get("ChatPush\\sendMessage(1, 2, 'first', 'chat', 'a');").await;
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("UPDATE `user` SET unread_count = 0 WHERE id = 2").await.expect("the row is free");
    php.get("ChatPush\\sendMessage(1, 3, 'for another');").await;
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    let left = [(3, "1".to_owned())];
    eventually("they go", || keys(&env, "chatpush_unread"), |found| *found == left).await;
    php.get("ChatPush\\sendMessage(3, 2, 'second', 'chat', 'b');").await;
    assert_eq!(php.get("echo json_encode(ChatPush\\recallMessage(1, 2, 'a'));").await, "true");
    assert_eq!(counts(&env, 2).await, (json!({"3": 1}), 1));
}

/// Totals of our own that are 0 are as good as none.
#[tokio::test]
async fn own_totals_of_0_go() {
    let env =
        chatpush_tests::test_env::TestEnv::bare().await.with("CHATPUSH_MYSQL_TABLES_USER", "").set_up().await;
    let _daemon = env.daemon().await;
    env.php().get(SEND).await;
    env.php().get("storeOfflineMessage(1, 3, 'waits'); ChatPush\\clearUnreadCount(2);").await;
    let left = [(3, String::new())];
    eventually("they go", || keys(&env, "chatpush_unread"), |found| *found == left).await;
    env.php().get("storeOfflineMessage(1, 2, 'again');").await;
    assert_eq!(env.php().get("echo getUnreadCount(2), getUnreadCount(3);").await, "11");
}
