//! A message table that is a history: confirmed rows are marked, and none is ever deleted.

mod confirmed_first;
mod values;

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use mysql_async::prelude::Queryable as _;

/// The table of an application: the time of delivery is NULL while a message waits.
const TABLE: &str = "CREATE TABLE message (
    id int NOT NULL AUTO_INCREMENT PRIMARY KEY, sender_id int NOT NULL, receiver_id int NOT NULL,
    content text NOT NULL, send_time datetime NOT NULL, delivered_at datetime NULL,
    KEY waiting (receiver_id, delivered_at, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";

/// An installation on that table.
async fn installation() -> TestEnv {
    on(TestEnv::bare().await).await
}

async fn on(env: TestEnv) -> TestEnv {
    env.execute(TABLE).await;
    env.execute("CREATE TABLE `user` (id int PRIMARY KEY, unread_count int NOT NULL DEFAULT 0)").await;
    env.execute("INSERT INTO `user` (id) VALUES (1), (2)").await;
    let env = env
        .with("CHATPUSH_MYSQL_TABLES_OFFLINE_MESSAGE", "message")
        .with("CHATPUSH_MYSQL_HISTORY_COLUMN", "delivered_at")
        .with("CHATPUSH_MYSQL_HISTORY_VALUE", "now");
    let migrated = Daemon::command(&env, &["migrate"]).await;
    assert!(migrated.status.success(), "{migrated:?}");
    env
}

/// Content and whether it is marked, of each row.
async fn rows(env: &TestEnv) -> Vec<(String, bool)> {
    env.query("SELECT content, delivered_at IS NOT NULL FROM message ORDER BY id").await
}

fn owned(rows: &[(&str, bool)]) -> Vec<(String, bool)> {
    rows.iter().map(|(content, marked)| ((*content).to_owned(), *marked)).collect()
}

/// A history has every message, also one that was confirmed or taken back before the database had it.
#[tokio::test]
async fn messages_that_did_not_wait_are_rows_too() {
    let env = installation().await;
    let daemon = env.daemon().await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    assert_eq!(browser.until_unread_count().await, (Vec::new(), 0));
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("SELECT * FROM `user` WHERE id = 2 FOR UPDATE").await.expect("the row is free");
    let queued = env.php().with("chatpush.durability=queued");
    queued.get("foreach (['a', 'b', 'c'] as $id) ChatPush\\sendMessage(1, 2, $id, 'chat', $id);").await;
    assert_eq!(browser.json().await["data"], "a");
    browser.send_text(r#"{"ack":["1:a"]}"#).await;
    let php = env.php();
    let recall = "echo json_encode(ChatPush\\recallMessage(1, 2, 'b'));";
    let waiting = tokio::spawn(async move { php.get(recall).await });
    eventually("all are in the log", || env.log_length(2), |length| *length == 5).await;
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    assert_eq!(waiting.await.expect("it is answered"), "true");
    eventually("all are applied", || env.log_length(2), |length| *length == 0).await;
    assert_eq!(rows(&env).await, owned(&[("a", true), ("b", true), ("c", false)]));
    assert_eq!(env.unread(2).await, 2);
}

/// Rows of both kinds, ours and the application's, are marked when a client confirms them.
#[tokio::test]
async fn confirmed_rows_are_marked_and_stay() {
    let env = installation().await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'ours');").await;
    env.execute(
        "INSERT INTO message (sender_id, receiver_id, content, send_time, delivered_at) VALUES \
         (1, 2, 'old', NOW(), NOW()), (1, 2, 'theirs', NOW(), NULL)",
    )
    .await;
    assert_eq!(rows(&env).await, owned(&[("ours", false), ("old", true), ("theirs", false)]));
    let shown = "echo implode(' ', array_column(getOfflineMessage(2), 'content'));";
    assert_eq!(env.php().get(shown).await, "ours theirs");

    let mut browser = daemon.connect(2).await;
    assert_eq!(browser.until_unread_count().await, (vec!["ours".to_owned(), "theirs".to_owned()], 1));
    let reading = browser.keep_reading();
    let all = owned(&[("ours", true), ("old", true), ("theirs", true)]);
    eventually("both are marked", || rows(&env), |rows| *rows == all).await;
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_message").await, [0], "no record is left");
    assert_eq!(env.php().get(shown).await, "");
    assert_eq!(daemon.connect(2).await.until_unread_count().await, (Vec::new(), 1), "nothing comes again");
    reading.abort();
}

/// What the application shows itself is marked too, and counted once.
#[tokio::test]
async fn rows_that_the_application_acknowledges_are_marked() {
    let env = installation().await;
    let _daemon = env.daemon().await;
    let code = "foreach (['a', 'b', 'c'] as $text) ChatPush\\sendMessage(1, 2, $text, 'chat', $text);
        $ids = array_column(getOfflineMessage(2), 'id');
        echo ChatPush\\ackOfflineMessage(2, [$ids[0], $ids[2]]), ChatPush\\ackOfflineMessage(2, $ids);
        echo ChatPush\\ackOfflineMessage(1, $ids);
        foreach (['a', 'b', 'c'] as $text) ChatPush\\sendMessage(1, 2, $text, 'chat', $text);";
    assert_eq!(env.php().get(code).await, "210");
    assert_eq!(rows(&env).await, owned(&[("a", true), ("b", true), ("c", true)]), "a retry stores nothing");
}

/// A client that confirms before its message is stored never sees it again, and nothing is stored twice.
#[tokio::test]
async fn a_message_that_the_application_marks_is_neither_sent_nor_stored_again() {
    let env = installation().await;
    let daemon = env.daemon().await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'seen elsewhere', 'chat', 'm1');").await;
    env.execute("UPDATE message SET delivered_at = NOW()").await;
    assert_eq!(daemon.connect(2).await.until_unread_count().await, (Vec::new(), 1));
    env.php().get("ChatPush\\sendMessage(1, 2, 'seen elsewhere', 'chat', 'm1');").await;
    assert_eq!(rows(&env).await, owned(&[("seen elsewhere", true)]));
    let records = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_message");
    eventually("its record is swept", records, |count| *count == [0]).await;
}

/// A history of ten thousand rows costs a login no more than those that wait.
#[tokio::test]
async fn a_flush_examines_few_more_rows_than_it_sends() {
    let env = on(TestEnv::bare_with_own_servers().await).await;
    env.execute(
        "INSERT INTO message (sender_id, receiver_id, content, send_time, delivered_at) \
         SELECT 1, 2, seq, NOW(), IF(seq % 100 = 0, NULL, NOW()) FROM seq_1_to_10000",
    )
    .await;
    env.execute("ANALYZE TABLE message").await;
    assert!(Daemon::command(&env, &["adopt", "--deliver"]).await.status.success());
    let daemon = env.daemon().await;
    env.servers().sql("SET GLOBAL userstat = 1; FLUSH TABLE_STATISTICS").await;
    let (contents, _) = daemon.connect_with(2, "chatpush.v1").await.until_unread_count().await;
    assert_eq!(contents.len(), 100);
    let query = format!(
        "SELECT rows_read FROM information_schema.table_statistics \
         WHERE table_schema = '{}' AND table_name = 'message'",
        env.name()
    );
    let read: u64 = env.servers().sql(&query).await.trim().parse().expect("a number");
    assert!(read <= 200, "{read} rows were read to send 100");
}

/// The value of rows that wait may be any; new rows get it, and a third value does not wait.
#[tokio::test]
async fn a_column_of_words_marks_rows() {
    let env = TestEnv::bare().await;
    env.execute(TABLE).await;
    env.execute(
        "ALTER TABLE message DROP COLUMN delivered_at, ADD status enum('new','sent','failed') NOT NULL",
    )
    .await;
    env.execute("ALTER TABLE message DROP INDEX waiting, ADD INDEX (receiver_id, status, id)").await;
    let env = env
        .with("CHATPUSH_MYSQL_TABLES_OFFLINE_MESSAGE", "message")
        .with("CHATPUSH_MYSQL_TABLES_USER", "")
        .with("CHATPUSH_MYSQL_HISTORY_COLUMN", "status")
        .with("CHATPUSH_MYSQL_HISTORY_VALUE", "sent")
        .with("CHATPUSH_MYSQL_HISTORY_WAITING", "new");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    env.execute(
        "INSERT INTO message (sender_id, receiver_id, content, send_time, status) VALUES \
         (1, 2, 'broken', NOW(), 'failed')",
    )
    .await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'x');").await;
    let states = || env.query::<String>("SELECT status FROM message ORDER BY id");
    assert_eq!(states().await, ["failed", "new"]);
    let mut browser = daemon.connect(2).await;
    assert_eq!(browser.until_unread_count().await, (vec!["x".to_owned()], 1));
    let reading = browser.keep_reading();
    eventually("it is marked", states, |states| *states == ["failed", "sent"]).await;
    reading.abort();
}

/// A message that is taken back stays in the history, marked, and is not sent.
#[tokio::test]
async fn row_of_a_recalled_message_is_marked() {
    let env = installation().await;
    let daemon = env.daemon().await;
    let code = "foreach (['a', 'b'] as $text) ChatPush\\sendMessage(1, 2, $text, 'chat', $text);
        echo json_encode(ChatPush\\recallMessage(1, 2, 'a')), json_encode(ChatPush\\recallMessage(1, 2, 'a'));";
    assert_eq!(env.php().get(code).await, "truefalse");
    assert_eq!(rows(&env).await, owned(&[("a", true), ("b", false)]));
    assert_eq!(env.unread(2).await, 1);
    env.execute("UPDATE message SET delivered_at = NOW()").await;
    assert_eq!(env.php().get("echo json_encode(ChatPush\\recallMessage(1, 2, 'b'));").await, "false");
    assert_eq!(env.unread(2).await, 1, "the application has marked it");
    assert_eq!(daemon.connect(2).await.until_unread_count().await, (Vec::new(), 1));
}

/// The rows are the application's.
#[tokio::test]
async fn rows_of_a_forgotten_user_are_marked() {
    let env = installation().await;
    let _daemon = env.daemon().await;
    let code =
        "foreach ([1, 2] as $user) storeOfflineMessage(3, $user, \"for $user\"); ChatPush\\forgetUser(2);";
    env.php().get(code).await;
    assert_eq!(rows(&env).await, owned(&[("for 1", false), ("for 2", true)]));
    assert_eq!(env.query::<u32>("SELECT receiver_id FROM chatpush_message").await, [1]);
}
