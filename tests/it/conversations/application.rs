//! What the application's own changes of a total do to conversations.

use chatpush_tests::eventually::eventually;
use serde_json::json;

use super::{begun, counts, installation};

const RECALL: &str = "echo json_encode(ChatPush\\recallMessage(1, 2, 'a'));";

/// A message from before the application's 0 is not counted, so that its recall takes nothing from others.
#[tokio::test]
async fn recall_of_what_the_application_has_cleared_takes_nothing() {
    let env = installation().await;
    let _daemon = env.daemon().await;
    let php = env.php();
    php.get("ChatPush\\sendMessage(1, 2, 'first', 'chat', 'a');").await;
    env.execute("UPDATE `user` SET unread_count = 0 WHERE id = 2").await;
    php.get("ChatPush\\sendMessage(3, 2, 'second', 'chat', 'b');").await;
    assert_eq!(counts(&env, 2).await, (json!({"3": 1}), 1));
    assert_eq!(php.get(RECALL).await, "true");
    assert_eq!(counts(&env, 2).await, (json!({"3": 1}), 1));
    // What came behind it does count.
    assert_eq!(php.get("echo json_encode(ChatPush\\recallMessage(3, 2, 'b'));").await, "true");
    assert_eq!(counts(&env, 2).await, (json!({}), 0));
}

/// The same whatever is the first change behind the application's 0, and where all counters are ours.
#[tokio::test]
async fn first_change_behind_the_zero_may_be_any() {
    for change in ["ChatPush\\clearUnreadCount(2, 'team');", "ChatPush\\recallMessage(1, 2, 'b');"] {
        let env = installation().await;
        let _daemon = env.daemon().await;
        let php = env.php();
        php.get("ChatPush\\sendMessage(1, 2, 'first', 'chat', 'a');").await;
        php.get("ChatPush\\sendMessage(1, 2, 'second', 'chat', 'b');").await;
        env.execute("UPDATE `user` SET unread_count = 0 WHERE id = 2").await;
        php.get(change).await;
        php.get("ChatPush\\sendMessage(3, 2, 'third');").await;
        assert_eq!(php.get(RECALL).await, "true", "{change}");
        assert_eq!(counts(&env, 2).await, (json!({"3": 1}), 1), "{change}");
    }
}

/// A total of 0 that chatpush has counted itself is no clear, and is not recorded.
#[tokio::test]
async fn total_that_falls_to_zero_by_itself_records_nothing() {
    let env = installation().await;
    let _daemon = env.daemon().await;
    let php = env.php();
    php.get("ChatPush\\sendMessage(1, 2, 'first', 'chat', 'a');").await;
    assert_eq!(php.get(RECALL).await, "true");
    php.get("ChatPush\\sendMessage(1, 2, 'second');").await;
    assert_eq!(env.query::<u64>("SELECT user_id FROM chatpush_cleared").await, Vec::<u64>::new());
    assert_eq!(counts(&env, 2).await, (json!({"1": 1}), 1));
}

/// A total that its column cannot hold is as large as it can be, and what conversations count stays exact.
#[tokio::test]
async fn full_total_does_not_empty_other_conversations() {
    let env = installation().await;
    env.execute("ALTER TABLE `user` MODIFY unread_count tinyint NOT NULL DEFAULT 0").await;
    let _daemon = env.daemon().await;
    begun(&env, "1", "3").await;
    env.execute("UPDATE `user` SET unread_count = 127 WHERE id = 2").await;
    env.execute("INSERT INTO chatpush_unread VALUES (2, 'x', 127), (2, 'y', 50), (2, 'z', 80)").await;
    let php = env.php();
    php.get("ChatPush\\sendMessage(1, 2, 'text', 'chat', 'a', 'y');").await;
    assert_eq!(counts(&env, 2).await, (json!({"x": 127, "y": 51, "z": 80}), 127));
    php.get("ChatPush\\clearUnreadCount(2, 'x');").await;
    assert_eq!(counts(&env, 2).await, (json!({"y": 51, "z": 80}), 127));
    assert_eq!(php.get(RECALL).await, "true");
    assert_eq!(counts(&env, 2).await, (json!({"y": 50, "z": 80}), 127));
    php.get("ChatPush\\clearUnreadCount(2, 'z');").await;
    assert_eq!(counts(&env, 2).await, (json!({"y": 50}), 50));
    // In one batch too: what is cleared, what stays, and what comes.
    env.execute("UPDATE `user` SET unread_count = 127 WHERE id = 2").await;
    env.execute("REPLACE INTO chatpush_unread VALUES (2, 'x', 100)").await;
    php.get("ChatPush\\clearUnreadCount(2, 'x'); ChatPush\\sendMessage(1, 2, 'text');").await;
    assert_eq!(counts(&env, 2).await, (json!({"1": 1, "y": 50}), 51));
}

/// The same when an old message goes by itself.
#[tokio::test]
async fn full_total_stays_full_when_an_old_message_goes() {
    let env = installation().await.with("CHATPUSH_MAILBOX_MAX_AGE_DAYS", "2");
    env.execute("ALTER TABLE `user` MODIFY unread_count tinyint NOT NULL DEFAULT 0").await;
    let daemon = env.daemon().await;
    begun(&env, "1", "3").await;
    env.execute("UPDATE `user` SET unread_count = 127 WHERE id = 2").await;
    env.execute("INSERT INTO chatpush_unread VALUES (2, 'x', 127), (2, 'y', 50)").await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'text', conversation: 'y');").await;
    assert_eq!(counts(&env, 2).await, (json!({"x": 127, "y": 51}), 127));
    daemon.stop();
    env.execute("UPDATE chatpush_message SET time_ms = 1 WHERE receiver_id = 2").await;
    let _daemon = env.daemon().await;
    eventually("it goes", || counts(&env, 2), |found| *found == (json!({"x": 127, "y": 50}), 127)).await;
}

/// Users who have no row have no total, and so no parts.
#[tokio::test]
async fn user_without_a_row_has_no_conversations() {
    let env = installation().await;
    let _daemon = env.daemon().await;
    env.php().get("ChatPush\\sendMessage(1, 9, 'text'); ChatPush\\sendMessage(1, 9, 'text');").await;
    assert_eq!(counts(&env, 9).await, (json!({}), 0));
    env.users(&[9]).await;
    env.php().get("ChatPush\\sendMessage(1, 9, 'text');").await;
    assert_eq!(counts(&env, 9).await, (json!({"1": 1}), 1));
}
