//! Settings of `[mysql.history]` that are lost or changed: what waits is another question then, so the
//! decision that was recorded does not answer it.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

use super::{adopt, adopted, insert, with_rows};

/// The settings of a history whose column is `done`.
fn history(env: &TestEnv, value: &str, waiting: &str) -> TestEnv {
    let env = env.clone().with("CHATPUSH_MYSQL_HISTORY_COLUMN", "done");
    env.with("CHATPUSH_MYSQL_HISTORY_VALUE", value).with("CHATPUSH_MYSQL_HISTORY_WAITING", waiting)
}

async fn add_column(env: &TestEnv, definition: &str) {
    env.execute(&format!(
        "ALTER TABLE offline_message ADD done {definition}, ADD INDEX (receiver_id, done, id)"
    ))
    .await;
}

/// Neither the start nor `check` accepts these settings, and each says what was recorded and what is set.
async fn refused(env: &TestEnv, recorded: &str, configured: &str) {
    let rows: Vec<(u64, String)> = env.query("SELECT id, content FROM offline_message ORDER BY id").await;
    let run = env.clone().with("CHATPUSH_LISTEN", "127.0.0.1:0").with("CHATPUSH_ADMIN_LISTEN", "127.0.0.1:0");
    for command in ["check", "run"] {
        let ran = Daemon::command(&run, &[command]).await;
        let text = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        let code = if command == "run" { 78 } else { 1 };
        assert_eq!(ran.status.code(), Some(code), "{command}: {text}");
        for part in [recorded, configured, "adopt", "--again"] {
            assert!(text.contains(part), "{command}, {part}: {text}");
        }
    }
    let after: Vec<(u64, String)> = env.query("SELECT id, content FROM offline_message ORDER BY id").await;
    assert_eq!(after, rows);
}

/// Rows of a history that were delivered would count as waiting, be sent again, and be deleted.
#[tokio::test]
async fn a_history_is_not_used_as_a_queue() {
    let queue = with_rows(3).await;
    add_column(&queue, "varchar(9) NOT NULL DEFAULT 'no'").await;
    let history = history(&queue, "yes", "no");
    assert_eq!(adopted(&history, "--mark").await["rows"], 3);
    let daemon = history.daemon().await;
    insert(&history, 1, "new").await;
    let reading = daemon.connect(2).await.keep_reading();
    let marked = || history.query::<u64>("SELECT COUNT(*) FROM offline_message WHERE done = 'yes'");
    eventually("it is marked", marked, |count| *count == [4]).await;
    reading.abort();
    daemon.stop();
    let recorded = "`done` is 'yes' in rows that were delivered and 'no' in rows that wait";
    refused(&queue, recorded, "a queue").await;
    refused(&queue, recorded, "`--mark --delete --again` (they are DELETED)").await;

    // Only what is meant happens.
    let text = String::from_utf8_lossy(&adopt(&queue, &["--keep"]).await.stderr).into_owned();
    assert!(text.contains("--again") && text.contains(recorded), "{text}");
    assert!(adopt(&queue, &["--keep", "--again"]).await.status.success());
    let daemon = queue.daemon().await;
    assert!(daemon.connect(2).await.until_unread_count().await.0.is_empty());
    daemon.stop();
    assert_eq!(queue.stored_count(2).await, 4);
    refused(&history, "a queue", recorded).await;
}

/// The same rows would wait that were delivered.
#[tokio::test]
async fn other_values_of_a_history_are_refused() {
    let env = with_rows(2).await;
    add_column(&env, "int NULL").await;
    let first = history(&env, "1", "0");
    env.execute("UPDATE offline_message SET done = 1").await;
    let daemon = first.daemon().await;
    daemon.stop();
    let recorded = "`done` is '1' in rows that were delivered and '0' in rows that wait";
    let turned = "`done` is '0' in rows that were delivered and '1' in rows that wait";
    refused(&history(&env, "0", "1"), recorded, turned).await;
    let null =
        env.clone().with("CHATPUSH_MYSQL_HISTORY_COLUMN", "done").with("CHATPUSH_MYSQL_HISTORY_VALUE", "now");
    refused(&null, recorded, "`done` is the time in rows that were delivered and NULL in rows that wait")
        .await;
    // The name of a column is the same in upper case.
    let _daemon = first.with("CHATPUSH_MYSQL_HISTORY_COLUMN", "DONE").daemon().await;
}

/// What chatpush has stored in a queue waits in the history too, whatever the new column has in old rows.
#[tokio::test]
async fn a_queue_that_becomes_a_history_loses_nothing() {
    let queue = with_rows(0).await;
    let daemon = queue.daemon().await;
    queue.php().get("ChatPush\\sendMessage(1, 2, 'ours', 'chat', 'a');").await;
    daemon.stop();
    insert(&queue, 1, "theirs").await;
    add_column(&queue, "int NULL").await;
    let history = history(&queue, "1", "0");
    refused(&history, "a queue", "`done` is '1' in rows that were delivered and '0' in rows that wait").await;
    assert!(adopt(&history, &["--deliver", "--again"]).await.status.success());
    let daemon = history.daemon().await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    assert_eq!(browser.json().await["id"], "1:a");
    browser.send_text(r#"{"ack":["1:a"]}"#).await;
    let marks =
        || history.query::<(String, Option<u32>)>("SELECT content, done FROM offline_message ORDER BY id");
    let wanted = [("ours".to_owned(), Some(1)), ("theirs".to_owned(), None)];
    eventually("it is marked", marks, |marks| *marks == wanted).await;
}

/// A table without rows is nobody's loss, and a record of an older version takes what is set now.
#[tokio::test]
async fn a_table_without_rows_needs_no_new_decision() {
    let queue = with_rows(0).await;
    queue.daemon().await.stop();
    add_column(&queue, "int NULL").await;
    let history = history(&queue, "1", "0");
    history.daemon().await.stop();
    insert(&queue, 1, "row").await;
    let recorded = "`done` is '1' in rows that were delivered and '0' in rows that wait";
    refused(&queue, recorded, "a queue").await;
    queue.execute("UPDATE chatpush_adoption SET history_column = NULL").await;
    queue.daemon().await.stop();
    refused(&history, "a queue", recorded).await;
}
