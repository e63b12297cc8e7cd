//! Unread messages by conversation.

use chatpush_tests::client::Client;
use chatpush_tests::daemon::Daemon;
use chatpush_tests::test_env::TestEnv;
use serde_json::{Value, json};

/// An installation that counts conversations, with the users 1 to 3.
async fn installation() -> TestEnv {
    let env = TestEnv::new().await.with("CHATPUSH_UNREAD_BY_CONVERSATION", "true");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    env.users(&[1, 2, 3]).await;
    env
}

/// What PHP gets, as JSON; and the total.
async fn counts(env: &TestEnv, user: u32) -> (Value, u64) {
    let code =
        format!("echo json_encode([(object) ChatPush\\getUnreadCounts({user}), getUnreadCount({user})]);");
    let printed = env.php().get(&code).await;
    let list: Vec<Value> = serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{printed}"));
    (list[0].clone(), list[1].as_u64().expect("a number"))
}

/// The next unread counter: its `by` and its total.
async fn next_unread(client: &mut Client) -> (Value, u64) {
    loop {
        let frame = client.json().await;
        if frame["type"] == "unread_count" {
            return (frame["by"].clone(), frame["data"].as_u64().expect("a number"));
        }
    }
}

const SEND: &str = "ChatPush\\sendMessage(1, 2, 'a'); ChatPush\\sendMessage(3, 2, 'b');
    ChatPush\\sendMessage(1, 2, 'c', conversation: 'team'); storeOfflineMessage(1, 2, 'd');";

/// Without a conversation, the sender is it. A clear of one takes away as much from the total.
#[tokio::test]
async fn messages_count_for_their_conversation() {
    let env = installation().await;
    let daemon = env.daemon().await;
    assert_eq!(counts(&env, 2).await, (json!({}), 0));
    env.php().get(SEND).await;
    assert_eq!(counts(&env, 2).await, (json!({"1": 2, "3": 1, "team": 1}), 4));
    let keys = "var_dump(array_keys(ChatPush\\getUnreadCounts(2)) === [1, 3, 'team']);";
    assert_eq!(env.php().get(keys).await.trim(), "bool(true)");

    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    assert_eq!(next_unread(&mut browser).await, (json!({"1": 2, "3": 1, "team": 1}), 4));
    env.php().get("ChatPush\\clearUnreadCount(2, '1');").await;
    assert_eq!(next_unread(&mut browser).await, (json!({"3": 1, "team": 1}), 2));
    browser.send_text(r#"{"read":{"conversation":"team"}}"#).await;
    assert_eq!(next_unread(&mut browser).await, (json!({"3": 1}), 1));
    env.php().get("ChatPush\\clearUnreadCount(2, 'nothing');").await;
    assert_eq!(next_unread(&mut browser).await, (json!({"3": 1}), 1));
    env.php().get("ChatPush\\sendMessage(3, 2, 'live');").await;
    assert_eq!(next_unread(&mut browser).await, (json!({"3": 2}), 2));
    browser.send_text(r#"{"read":true}"#).await;
    assert_eq!(next_unread(&mut browser).await, (json!({}), 0));
    assert_eq!(counts(&env, 2).await, (json!({}), 0));
}

/// The application sets its own column. Its 0 empties the parts; a smaller total stays what it is.
#[tokio::test]
async fn a_total_that_the_application_clears_empties_the_parts() {
    let env = installation().await;
    let _daemon = env.daemon().await;
    env.php().get(SEND).await;
    env.execute("UPDATE `user` SET unread_count = 0 WHERE id = 2").await;
    assert_eq!(counts(&env, 2).await, (json!({}), 0));
    env.php().get("ChatPush\\sendMessage(3, 2, 'new');").await;
    assert_eq!(counts(&env, 2).await, (json!({"3": 1}), 1));
    env.php().get(SEND).await;
    env.execute("UPDATE `user` SET unread_count = 1 WHERE id = 2").await;
    env.php().get("ChatPush\\clearUnreadCount(2, '1');").await;
    assert_eq!(counts(&env, 2).await, (json!({}), 0), "the total is never below 0, and 0 empties the rest");
}

/// Without a table of users, the totals stand beside the parts.
#[tokio::test]
async fn totals_and_parts_may_both_be_ours() {
    let env = TestEnv::new().await.with("CHATPUSH_UNREAD_BY_CONVERSATION", "true");
    let env = env.with("CHATPUSH_MYSQL_TABLES_USER", "");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    let check = Daemon::command(&env, &["check"]).await;
    assert!(check.status.success(), "{check:?}");
    let _daemon = env.daemon().await;
    env.php().get(SEND).await;
    assert_eq!(counts(&env, 2).await, (json!({"1": 2, "3": 1, "team": 1}), 4));
    env.php().get("ChatPush\\clearUnreadCount(2, '1'); ChatPush\\sendMessage(3, 2, 'x');").await;
    assert_eq!(counts(&env, 2).await, (json!({"3": 2, "team": 1}), 3));
    env.php().get("ChatPush\\clearUnreadCount(2);").await;
    assert_eq!(counts(&env, 2).await, (json!({}), 0));
}

#[tokio::test]
async fn without_the_setting_it_is_named() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let code = "foreach ([fn () => ChatPush\\getUnreadCounts(2), fn () => ChatPush\\clearUnreadCount(2, 'team')] as $call) {
            try { $call(); echo \"done\\n\"; }
            catch (ChatPush\\Exception $e) { echo get_class($e), ' ', $e->getOutcome()->name, ' ', $e->getMessage(), \"\\n\"; }
        }";
    let text = env.php().get(code).await;
    let named = |line: &str| {
        line.starts_with("ChatPush\\Exception NotQueued ") && line.contains("unread_by_conversation")
    };
    assert!(text.lines().count() == 2 && text.lines().all(named), "{text}");
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    assert_eq!(next_unread(&mut browser).await, (Value::Null, 0), "no `by` where nothing is counted");
    let env = env.with("CHATPUSH_UNREAD_BY_CONVERSATION", "true").with("CHATPUSH_COUNT_UNREAD", "false");
    assert_eq!(Daemon::command(&env, &["check"]).await.status.code(), Some(64));
}
