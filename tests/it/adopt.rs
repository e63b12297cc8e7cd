//! Rows that are in the message table before chatpush uses it for the first time.

mod changed;

use std::process::Output;

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use mysql_async::prelude::Queryable as _;
use serde_json::{Value, json};

/// A new installation whose table has rows already, which wait for user 2.
async fn with_rows(count: u32) -> TestEnv {
    let env = TestEnv::bare().await;
    let migrated = Daemon::command(&env, &["migrate"]).await;
    assert!(migrated.status.success(), "{migrated:?}");
    env.users(&[1, 2]).await;
    if count > 0 {
        insert(&env, count, "old").await;
    }
    env
}

async fn insert(env: &TestEnv, count: u32, content: &str) {
    env.execute(&format!(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         SELECT 1, 2, '{content}', NOW() FROM seq_1_to_{count}"
    ))
    .await;
}

async fn adopt(env: &TestEnv, arguments: &[&str]) -> Output {
    let arguments: Vec<_> = ["adopt"].iter().chain(arguments).copied().collect();
    Daemon::command(env, &arguments).await
}

async fn adopted(env: &TestEnv, option: &str) -> Value {
    let done = adopt(env, &[option, "--json"]).await;
    assert!(done.status.success(), "{done:?}");
    serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"))
}

async fn check(env: &TestEnv) -> String {
    String::from_utf8_lossy(&Daemon::command(env, &["check"]).await.stdout).into_owned()
}

/// The first start on such a table is refused, and nothing is touched.
#[tokio::test]
async fn the_first_start_waits_for_a_decision() {
    let env = with_rows(38).await;
    let text = check(&env).await;
    let warns =
        |text: &str| text.contains("DELETES these rows") && text.contains("set [mysql.history] first");
    let named = |line: &str| line.starts_with("WRONG") && line.contains("38 rows were not") && warns(line);
    assert!(text.lines().any(named), "{text}");
    let run = env.clone().with("CHATPUSH_LISTEN", "127.0.0.1:0").with("CHATPUSH_ADMIN_LISTEN", "127.0.0.1:0");
    for _ in 0..2 {
        let ran = Daemon::command(&run, &["run"]).await;
        let text = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        assert!(ran.status.code() == Some(78) && text.contains("adopt --deliver") && warns(&text), "{text}");
    }
    for arguments in
        [&[] as &[&str], &["--deliver", "--keep"], &["--json"], &["--mark"], &["--keep", "--delete"]]
    {
        assert_eq!(adopt(&env, arguments).await.status.code(), Some(64), "{arguments:?}");
    }
    assert_eq!(env.stored_count(2).await, 38);
    // Without them there is nothing to decide.
    env.execute("DELETE FROM offline_message").await;
    let _daemon = env.daemon().await;
}

#[tokio::test]
async fn old_rows_are_delivered_if_that_was_said() {
    let env = with_rows(3).await;
    let said = adopted(&env, "--deliver").await;
    assert_eq!(said, json!({"table": "offline_message", "decision": "deliver", "rows": 3, "highest_id": 3}));
    let daemon = env.daemon().await;
    let mut browser = daemon.connect(2).await;
    assert_eq!(browser.until_unread_count().await.0, ["old"; 3]);
    let reading = browser.keep_reading();
    eventually("they are gone", || env.stored_count(2), |count| *count == 0).await;
    reading.abort();
}

/// More rows than one step has; those that the application inserts afterwards are delivered.
#[tokio::test]
async fn old_rows_go_if_they_count_as_delivered() {
    let env = with_rows(10_000).await;
    let done = adopt(&env, &["--mark", "--delete"]).await;
    assert!(done.status.success(), "{done:?}");
    let (out, steps) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(out.contains("10000 rows up to id 10000 are deleted"), "{out}");
    assert_eq!(steps.matches(" rows are done").count(), 3, "{steps}");
    assert_eq!(env.stored_count(2).await, 0);
    insert(&env, 1, "new").await;
    let daemon = env.daemon().await;
    assert_eq!(daemon.connect(2).await.until_unread_count().await.0, ["new"]);
}

#[tokio::test]
async fn old_rows_of_a_history_are_marked() {
    let env = with_rows(5).await;
    env.execute("ALTER TABLE offline_message ADD done int NULL, ADD INDEX (receiver_id, done, id)").await;
    env.execute("UPDATE offline_message SET done = 7 WHERE id = 1").await;
    let env = env.with("CHATPUSH_MYSQL_HISTORY_COLUMN", "done").with("CHATPUSH_MYSQL_HISTORY_VALUE", "1");
    assert_eq!(adopt(&env, &["--mark", "--delete"]).await.status.code(), Some(64));
    assert_eq!(adopted(&env, "--mark").await["rows"], 4);
    let marks: Vec<u32> = env.query("SELECT done FROM offline_message ORDER BY id").await;
    assert_eq!(marks, [7, 1, 1, 1, 1]);
    let daemon = env.daemon().await;
    assert!(daemon.connect(2).await.until_unread_count().await.0.is_empty());
}

/// Rows that are left alone are neither sent nor touched; newer ones are delivered as ever.
#[tokio::test]
async fn old_rows_are_left_alone_if_that_was_said() {
    let env = with_rows(3).await;
    assert_eq!(adopted(&env, "--keep").await["highest_id"], 3);
    let text = check(&env).await;
    assert!(!text.contains("rows of offline_message"), "{text}");
    let daemon = env.daemon().await;
    insert(&env, 2, "new").await;
    env.php().get("storeOfflineMessage(1, 2, 'ours');").await;
    let shown = "echo implode(' ', array_column(getOfflineMessage(2), 'content'));";
    assert_eq!(env.php().get(shown).await, "new new ours");
    let mut browser = daemon.connect(2).await;
    assert_eq!(browser.until_unread_count().await.0, ["new", "new", "ours"]);
    let reading = browser.keep_reading();
    eventually("the new ones are gone", || env.stored(2), |stored| *stored == ["old"; 3]).await;
    reading.abort();

    // A TRUNCATE gives their ids to new rows.
    env.execute("TRUNCATE offline_message").await;
    insert(&env, 1, "again").await;
    let daemon = daemon.restart(&env).await;
    assert_eq!(daemon.connect(2).await.until_unread_count().await.0, ["again"]);
}

/// A row that the application has inserted and not committed is there too: it is waited for, and none that is
/// committed afterwards counts as old.
#[tokio::test]
async fn row_of_an_open_transaction_is_waited_for() {
    let env = with_rows(1).await;
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    let insert_one = "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
                      VALUES (1, 2, 'in flight', NOW())";
    application.query_drop(insert_one).await.expect("the row is inserted");
    insert(&env, 1, "old").await;
    let deciding = tokio::spawn({
        let env = env.clone();
        async move { adopted(&env, "--keep").await }
    });
    let waiting = format!(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{}' AND info LIKE '%FOR UPDATE'",
        env.name()
    );
    let waits = || async { env.servers().sql(&waiting).await.trim().to_owned() };
    eventually("it waits", waits, |count| count == "1").await;
    // A newer one, which is no old row.
    application.query_drop(insert_one.replace("in flight", "newer")).await.expect("the row is inserted");
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    let said = deciding.await.expect("it was decided");
    assert_eq!((&said["rows"], &said["highest_id"]), (&json!(3), &json!(3)));
    let daemon = env.daemon().await;
    assert_eq!(daemon.connect(2).await.until_unread_count().await.0, ["newer"]);
}

/// Nothing is decided while it cannot be known which rows there are.
#[tokio::test]
async fn open_transaction_that_does_not_end_is_named() {
    let env = with_rows(1).await;
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("UPDATE offline_message SET content = 'x'").await.expect("the row is there");
    let said = adopt(&env, &["--keep"]).await;
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.status.code() == Some(78) && text.contains("stop what writes there"), "{text}");
    application.query_drop("ROLLBACK").await.expect("MariaDB answers");
    assert_eq!(adopted(&env, "--keep").await["rows"], 1);
}

/// A decision belongs to a table: another one asks again.
#[tokio::test]
async fn another_table_needs_a_decision_of_its_own() {
    let env = with_rows(1).await;
    adopted(&env, "--deliver").await;
    env.execute("CREATE TABLE archive LIKE offline_message").await;
    env.execute("INSERT INTO archive SELECT * FROM offline_message").await;
    let env = env.with("CHATPUSH_MYSQL_TABLES_OFFLINE_MESSAGE", "archive");
    let run = env.with("CHATPUSH_LISTEN", "127.0.0.1:0").with("CHATPUSH_ADMIN_LISTEN", "127.0.0.1:0");
    assert_eq!(Daemon::command(&run, &["run"]).await.status.code(), Some(78));
}

/// On a live installation the rows that wait are not old ones: a second decision must be meant.
#[tokio::test]
async fn another_decision_must_be_meant() {
    let env = with_rows(2).await;
    adopted(&env, "--keep").await;
    let daemon = env.daemon().await;
    env.php().get("foreach (['a', 'b'] as $text) storeOfflineMessage(1, 2, $text);").await;
    insert(&env, 1, "theirs").await;
    for options in [&["--mark", "--delete"][..], &["--keep"], &["--deliver"]] {
        let refused = adopt(&env, options).await;
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        let named = text.contains("--again") && text.contains("keep");
        assert!(refused.status.code() == Some(78) && named, "{options:?}: {text}");
    }
    assert_eq!(env.stored_count(2).await, 5);
    let shown = "echo implode(' ', array_column(getOfflineMessage(2), 'content'));";
    assert_eq!(env.php().get(shown).await, "a b theirs");

    // What chatpush has stored is delivered, whatever becomes of the others.
    let again = adopt(&env, &["--keep", "--again", "--json"]).await;
    assert!(again.status.success(), "{again:?}");
    let daemon = daemon.restart(&env).await;
    env.php().get("storeOfflineMessage(1, 2, 'c');").await;
    assert_eq!(env.php().get(shown).await, "a b c");
    let mut browser = daemon.connect(2).await;
    assert_eq!(browser.until_unread_count().await.0, ["a", "b", "c"]);
    let reading = browser.keep_reading();
    let left = ["old", "old", "theirs"];
    eventually("they are gone", || env.stored(2), |stored| *stored == left).await;
    reading.abort();
    env.php().get("storeOfflineMessage(1, 2, 'd');").await;
    assert!(adopt(&env, &["--keep", "--again"]).await.status.success());
    let daemon = daemon.restart(&env).await;
    env.php().get("ChatPush\\forgetUser(2);").await;
    assert_eq!(env.stored(2).await, left, "they are the application's");
    env.php().get("storeOfflineMessage(1, 2, 'e');").await;
    assert!(adopt(&env, &["--mark", "--delete", "--again"]).await.status.success());
    drop(daemon);
    assert_eq!(env.stored(2).await, ["e"], "what chatpush has stored waits on");
}
