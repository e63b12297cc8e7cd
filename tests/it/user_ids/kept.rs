//! What is kept of users whose ids are texts: a history, and what `forgetUser` leaves.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

use super::sending::{installation, plain};

/// The application's history, with ids in another character set than chatpush's own tables.
const HISTORY: &str = "CREATE TABLE message (
    id int NOT NULL AUTO_INCREMENT PRIMARY KEY, sender_id varchar(40) COLLATE utf8mb4_bin NOT NULL,
    receiver_id varchar(40) COLLATE utf8mb4_bin NOT NULL, content text NOT NULL, send_time datetime NOT NULL,
    delivered_at datetime NULL, KEY waiting (receiver_id, delivered_at, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";

async fn history() -> TestEnv {
    let env = TestEnv::bare().await.with("CHATPUSH_USER_ID_TYPE", "text");
    env.execute(HISTORY).await;
    let env = env
        .with("CHATPUSH_MYSQL_TABLES_OFFLINE_MESSAGE", "message")
        .with("CHATPUSH_MYSQL_TABLES_USER", "")
        .with("CHATPUSH_MYSQL_HISTORY_COLUMN", "delivered_at")
        .with("CHATPUSH_MYSQL_HISTORY_VALUE", "now");
    let migrated = Daemon::command(&env, &["migrate"]).await;
    assert!(migrated.status.success(), "{migrated:?}");
    env
}

/// The contents of rows that are marked.
async fn marked(env: &TestEnv) -> Vec<String> {
    env.query("SELECT content FROM message WHERE delivered_at IS NOT NULL ORDER BY content").await
}

/// Who is due is found by their ids, and only what waits for them is told: of the rows that are left alone, ours.
#[tokio::test]
async fn users_of_a_history_are_due() {
    let env = history().await.with("CHATPUSH_NOTIFY_AFTER", "1");
    env.execute(
        "INSERT INTO message (sender_id, receiver_id, content, send_time) VALUES \
         ('Ann', 'Bob', 'before', NOW()), ('Ann', 'kept', 'before', NOW())",
    )
    .await;
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    assert!(Daemon::command(&env, &["adopt", "--keep"]).await.status.success());
    let daemon = env.daemon().await;
    let send = "storeOfflineMessage('Ann', 'bob', 'first'); storeOfflineMessage('Ann', 'Bob', 'ours');";
    env.php().get(send).await;
    daemon.stop();
    assert!(Daemon::command(&env, &["adopt", "--keep", "--again"]).await.status.success());
    let _daemon = env.daemon().await;
    env.php().get("storeOfflineMessage('Ann', 'bob', 'last');").await;
    let due = "SELECT GROUP_CONCAT(user_id ORDER BY user_id) FROM chatpush_notified WHERE offer_at > 0";
    eventually(
        "both are due",
        || env.query::<Option<String>>(due),
        |due| due == &[Some("Bob,bob".to_owned())],
    )
    .await;
    let take = "foreach (ChatPush\\getDueNotifications() as $due) { $last = $due['last']; \
                $all[$due['user_id']] = [$due['waiting'], $last['content'], $due['first_time'] <= $last['time']]; } \
                ksort($all); echo json_encode($all);";
    assert_eq!(env.php().get(take).await, r#"{"Bob":[1,"ours",true],"bob":[2,"last",true]}"#);
}

/// A client of one marks its own rows alone, ours and the application's.
#[tokio::test]
async fn history_marks_the_rows_of_one_user() {
    let env = history().await;
    let daemon = env.daemon().await;
    let send = "foreach (['Bob', 'bob', 'bob@example.org'] as $to) storeOfflineMessage('Ann', $to, \"ours of $to\");";
    env.php().get(send).await;
    env.execute(
        "INSERT INTO message (sender_id, receiver_id, content, send_time) VALUES \
         ('Ann', 'Bob', 'theirs of Bob', NOW()), ('Ann', 'bob', 'theirs of bob', NOW())",
    )
    .await;
    let mut page = plain(&daemon, "bob").await;
    let (contents, unread) = page.until_unread_count().await;
    assert_eq!((contents, unread), (vec!["ours of bob".to_owned(), "theirs of bob".to_owned()], 1));
    let reading = page.keep_reading();
    let both = ["ours of bob", "theirs of bob"];
    eventually("both are marked", || marked(&env), |contents| *contents == both).await;
    reading.abort();

    let shown = "$rows = getOfflineMessage('Bob'); echo json_encode(array_column($rows, 'content'));
        echo ChatPush\\ackOfflineMessage('bob', array_column($rows, 'id'));
        echo ChatPush\\ackOfflineMessage('Bob', array_column($rows, 'id'));";
    assert_eq!(env.php().get(shown).await, r#"["ours of Bob","theirs of Bob"]02"#);
    // The rows are the application's: what waits is marked, and none is deleted.
    env.php().get("ChatPush\\forgetUser('bob@example.org');").await;
    assert_eq!(marked(&env).await.len(), 5);
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_message").await, [0]);
}

/// Everything that is kept of one, and nothing of who differs in the case of a letter alone.
#[tokio::test]
async fn forgotten_user_is_the_one_that_was_named() {
    let env = installation().await;
    let daemon = env.daemon().await;
    let fill = "foreach (['Bob', 'bob'] as $user) {
        ChatPush\\sendMessage('bob@example.org', $user, 'read', conversation: 'team');
        ChatPush\\clearUnreadCount($user, 'team');
        ChatPush\\sendMessage('bob@example.org', $user, 'waits', 'chat', 'w');
        ChatPush\\sendMessage($user, 'bob@example.org', \"of $user\");
    }";
    env.php().get(fill).await;
    let gone = daemon.connect_as("bob").await;
    let mut stays = daemon.connect_as("Bob").await;
    assert_eq!(stays.until_unread_count().await.0, ["read", "waits"]);
    env.php().get("ChatPush\\forgetUser('bob');").await;
    assert_eq!(gone.close_code().await, Some(4403));
    for (table, column, left) in [
        ("offline_message", "receiver_id", vec!["Bob", "Bob", "bob@example.org", "bob@example.org"]),
        ("chatpush_message", "receiver_id", vec!["Bob", "Bob", "bob@example.org", "bob@example.org"]),
        ("chatpush_conversation_cleared", "user_id", vec!["Bob"]),
    ] {
        let sql = format!("SELECT {column} FROM {table} ORDER BY {column}");
        assert_eq!(env.query::<String>(&sql).await, left, "{table}");
    }
    let counts =
        "echo json_encode([ChatPush\\getUnreadCounts('Bob'), (object) ChatPush\\getUnreadCounts('bob'),
        getUnreadCount('Bob'), getUnreadCount('bob'), ChatPush\\getUnreadCounts('bob@example.org')]);";
    let expected = r#"[{"bob@example.org":1},{},1,0,{"Bob":1,"bob":1}]"#;
    assert_eq!(env.php().get(counts).await, expected);
    // What they have sent to others stays; the id may be used again.
    env.php().get("ChatPush\\sendMessage('bob@example.org', 'bob', 'new');").await;
    let waiting = "SELECT content FROM offline_message WHERE receiver_id = 'bob'";
    assert_eq!(env.query::<String>(waiting).await, ["new"]);
    stays.send_text(r#"{"ping":true}"#).await;
    while stays.json().await["pong"] != true {}
}
