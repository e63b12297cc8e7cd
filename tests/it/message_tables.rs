//! The shapes of message tables as applications have them: `check`, one start, one message, one login each. No row
//! is lost, and what cannot be used is refused by name.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use serde_json::json;

/// A message table with rows: `old 1` and `old 2` for user 2, and what is set for it.
struct Shape {
    /// Columns behind `id`, keys and options.
    columns: &'static str,
    /// Inserts the two rows.
    rows: &'static str,
    /// The configuration file.
    settings: &'static str,
}

const HISTORY: &str = "[mysql.tables]\noffline_message = 'message'\nuser = ''\n\
                       [mysql.history]\ncolumn = 'delivered'\nvalue = '1'\nwaiting = '0'\n";

/// Those that work: a history with further columns, one with integer times, one without times, one in the old
/// character set, one without the index, and one with names that have to be quoted.
const USABLE: [Shape; 6] = [
    Shape {
        columns: "sender_id int NOT NULL, receiver_id int NOT NULL, content text NOT NULL, \
                  send_time datetime NOT NULL, delivered tinyint NOT NULL, kind enum('text','image') NOT NULL, \
                  thread int unsigned NOT NULL, KEY (receiver_id, delivered, id)) ENGINE=InnoDB CHARSET=utf8mb4",
        rows: "INSERT INTO message (sender_id, receiver_id, content, send_time, delivered, kind, thread) VALUES \
               (1, 2, 'old 1', NOW(), 0, 'text', 1), (1, 2, 'old 2', NOW(), 0, 'image', 1)",
        settings: "[mysql.values]\nkind = 'text'\nthread = 0\n",
    },
    Shape {
        columns: "sender_id int NOT NULL, receiver_id int NOT NULL, content mediumtext NOT NULL, \
                  created int unsigned NOT NULL, delivered tinyint NOT NULL, \
                  KEY (receiver_id, delivered, id)) ENGINE=InnoDB CHARSET=utf8mb4",
        rows: "INSERT INTO message (sender_id, receiver_id, content, created, delivered) VALUES \
               (1, 2, 'old 1', 1700000000, 0), (1, 2, 'old 2', 1700000001, 0)",
        settings: "[mysql.columns]\nsend_time = 'created'\n",
    },
    Shape {
        columns: "sender_id bigint NOT NULL, receiver_id bigint NOT NULL, content longtext NOT NULL, \
                  delivered tinyint NOT NULL, KEY (receiver_id, delivered, id)) ENGINE=InnoDB CHARSET=utf8mb4",
        rows: "INSERT INTO message (sender_id, receiver_id, content, delivered) VALUES \
               (1, 2, 'old 1', 0), (1, 2, 'old 2', 0)",
        settings: "[mysql.columns]\nsend_time = ''\n",
    },
    Shape {
        columns: "sender_id int NOT NULL, receiver_id int NOT NULL, content text NOT NULL, \
                  send_time timestamp NULL, delivered tinyint NOT NULL, \
                  KEY (receiver_id, delivered, id)) ENGINE=InnoDB CHARSET=utf8mb3",
        rows: "INSERT INTO message (sender_id, receiver_id, content, delivered) VALUES \
               (1, 2, 'old 1', 0), (1, 2, 'old 2', 0)",
        settings: "",
    },
    Shape {
        columns: "sender_id int NOT NULL, receiver_id int NOT NULL, content text NOT NULL, \
                  send_time datetime NOT NULL DEFAULT NOW(), delivered bit(1) NOT NULL) \
                  ENGINE=InnoDB CHARSET=latin1",
        rows: "INSERT INTO message (sender_id, receiver_id, content, delivered) VALUES \
               (1, 2, 'old 1', 0), (1, 2, 'old 2', 0)",
        settings: "",
    },
    Shape {
        columns: "`from` int NOT NULL, `to` int NOT NULL, `text` varchar(500) NOT NULL, `order` datetime NOT NULL, \
                  delivered int NOT NULL DEFAULT 0, KEY (`to`, delivered, id)) ENGINE=InnoDB CHARSET=utf8mb4",
        rows: "INSERT INTO message (`from`, `to`, `text`, `order`) VALUES \
               (1, 2, 'old 1', NOW()), (1, 2, 'old 2', NOW())",
        settings: "[mysql.columns]\nsender_id = 'from'\nreceiver_id = 'to'\ncontent = 'text'\nsend_time = 'order'\n",
    },
];

/// What stands behind the columns of ids, of a history with text ids.
const TEXT_IDS: &str = "content text NOT NULL, send_time datetime NOT NULL DEFAULT NOW(), \
                        delivered tinyint NOT NULL DEFAULT 0, KEY (receiver_id, delivered, id)) \
                        ENGINE=InnoDB CHARSET=utf8mb4";

/// The installation of a shape, and where its settings stand.
async fn installation(columns: &str, rows: &str, settings: &str) -> TestEnv {
    on(TestEnv::bare().await, columns, rows, settings).await
}

async fn on(env: TestEnv, columns: &str, rows: &str, settings: &str) -> TestEnv {
    with_settings(env, columns, rows, &format!("{HISTORY}{settings}")).await
}

async fn with_settings(env: TestEnv, columns: &str, rows: &str, settings: &str) -> TestEnv {
    env.execute(&format!("CREATE TABLE message (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, {columns}"))
        .await;
    env.execute(rows).await;
    let file = env.servers().folder().join(format!("{}.toml", env.name()));
    std::fs::write(&file, settings).expect("the file can be written");
    let env = env.with("CHATPUSH_CONFIG", file.display().to_string());
    let migrated = Daemon::command(&env, &["migrate"]).await;
    assert!(migrated.status.success(), "{migrated:?}");
    env
}

/// Checks a table with rows, decides that they wait, and checks it again.
async fn adopt(env: &TestEnv, shape: &str) {
    let (fine, text) = check(env).await;
    let wrong: Vec<_> = text.lines().filter(|line| line.starts_with("WRONG")).collect();
    assert!(!fine && wrong.len() == 1 && wrong[0].contains("chatpushd adopt"), "{shape}: {text}");
    assert!(Daemon::command(env, &["adopt", "--deliver"]).await.status.success());
    let (fine, text) = check(env).await;
    assert!(fine, "{shape}: {text}");
}

async fn check(env: &TestEnv) -> (bool, String) {
    let checked = Daemon::command(env, &["check"]).await;
    (checked.status.success(), String::from_utf8_lossy(&checked.stdout).into_owned())
}

#[tokio::test]
async fn usable_tables_lose_no_row() {
    for Shape { columns, rows, settings } in USABLE {
        let env = installation(columns, rows, settings).await;
        adopt(&env, columns).await;
        let daemon = env.daemon().await;
        env.php().get("ChatPush\\sendMessage(1, 2, 'new é');").await;
        let mut browser = daemon.connect(2).await;
        let (contents, unread) = browser.until_unread_count().await;
        assert_eq!(
            (contents, unread),
            (["old 1", "old 2", "new é"].map(str::to_owned).to_vec(), 1),
            "{columns}"
        );
        let reading = browser.keep_reading();
        let marked = || env.query::<u64>("SELECT SUM(delivered = 1) FROM message");
        eventually("all are marked", marked, |count| *count == [3]).await;
        assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM message").await, [3], "{columns}");
        assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await, [0], "{columns}");
        reading.abort();
    }
}

/// A queue, and a counter in the application's table of users.
#[tokio::test]
async fn usable_queue_loses_no_row() {
    const COLUMNS: &str = "sender_id int NOT NULL, receiver_id int NOT NULL, content text NOT NULL, \
                           send_time datetime NOT NULL, KEY (receiver_id, id)) ENGINE=InnoDB CHARSET=utf8mb3";
    const ROWS: &str = "INSERT INTO message (sender_id, receiver_id, content, send_time) VALUES \
                        (1, 2, 'old 1', NOW()), (1, 3, 'of another', NOW()), (1, 2, 'old 2', NOW())";
    const SETTINGS: &str = "[mysql.tables]\noffline_message = 'message'\nuser = 'member'\n\
                            [mysql.columns]\nuser_id = 'member_id'\nunread_count = 'unread'\n";
    let env = TestEnv::bare().await;
    env.execute(
        "CREATE TABLE member (member_id int PRIMARY KEY, nick varchar(20) NOT NULL, \
         unread smallint unsigned NOT NULL DEFAULT 0) ENGINE=InnoDB",
    )
    .await;
    env.execute("INSERT INTO member VALUES (1, 'ann', 0), (2, 'ben', 2), (3, 'cas', 1)").await;
    let env = with_settings(env, COLUMNS, ROWS, SETTINGS).await;
    adopt(&env, COLUMNS).await;
    let daemon = env.daemon().await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'new é');").await;
    let mut browser = daemon.connect(2).await;
    let wanted = (["old 1", "old 2", "new é"].map(str::to_owned).to_vec(), 3);
    assert_eq!(browser.until_unread_count().await, wanted);
    let reading = browser.keep_reading();
    let rest = || env.query::<String>("SELECT content FROM message ORDER BY id");
    eventually("what was delivered is gone", rest, |rest| *rest == ["of another"]).await;
    let counters = env.query::<u64>("SELECT unread FROM member ORDER BY member_id").await;
    assert_eq!(counters, [0, 3, 1], "delivered is not read");
    reading.abort();
}

/// Two users whose ids JavaScript takes for one number, and one below 0.
#[tokio::test]
async fn usable_table_with_bigint_ids_loses_no_row() {
    const COLUMNS: &str = "sender_id bigint NOT NULL, receiver_id bigint NOT NULL, content text NOT NULL, \
                           send_time datetime NOT NULL DEFAULT NOW(), delivered tinyint NOT NULL DEFAULT 0, \
                           KEY (receiver_id, delivered, id)) ENGINE=InnoDB CHARSET=utf8mb4";
    const ROWS: &str = "INSERT INTO message (sender_id, receiver_id, content) VALUES \
                        (-7, 9007199254740993, 'old 1'), (-7, 9007199254740992, 'of another'), \
                        (-7, 9007199254740993, 'old 2')";
    let env = TestEnv::bare().await.with("CHATPUSH_USER_ID_TYPE", "bigint");
    let env = on(env, COLUMNS, ROWS, "").await;
    adopt(&env, COLUMNS).await;
    let daemon = env.daemon().await;
    env.php().get("ChatPush\\sendMessage(-7, 9007199254740993, 'new');").await;
    let mut browser = daemon.connect_as("9007199254740993").await;
    for content in ["old 1", "old 2", "new"] {
        let frame = browser.json().await;
        assert_eq!((&frame["data"], &frame["from"]), (&json!(content), &json!("-7")));
        browser.send_text(&json!({ "ack": [frame["id"]] }).to_string()).await;
    }
    assert_eq!(browser.json().await, json!({ "type": "unread_count", "data": 1 }));
    let marked = || env.query::<(String, bool)>("SELECT content, delivered = 1 FROM message ORDER BY id");
    let wanted = [("old 1", true), ("of another", false), ("old 2", true), ("new", true)]
        .map(|(content, marked)| (content.to_owned(), marked));
    eventually("theirs are marked", marked, |rows| *rows == wanted).await;
}

/// As many applications have them: a UUID, a name, a column of another character set.
#[tokio::test]
async fn usable_tables_with_text_ids_lose_no_row() {
    const ROWS: &str = "INSERT INTO message (sender_id, receiver_id, content) VALUES \
                        ('Ann', 'bob', 'old 1'), ('Ann', 'Bob', 'of another'), ('Ann', 'bob', 'old 2')";
    for id in [
        "varchar(64) CHARACTER SET ascii COLLATE ascii_bin",
        "varchar(255) COLLATE utf8mb4_bin",
        "char(36) CHARACTER SET latin1 COLLATE latin1_bin",
    ] {
        let env = TestEnv::bare().await.with("CHATPUSH_USER_ID_TYPE", "text");
        let columns = format!("sender_id {id} NOT NULL, receiver_id {id} NOT NULL, {TEXT_IDS}");
        let env = on(env, &columns, ROWS, "").await;
        adopt(&env, id).await;
        let daemon = env.daemon().await;
        env.php().get("ChatPush\\sendMessage('Ann', 'bob', 'new');").await;
        let mut browser = daemon.connect_as("bob").await;
        for content in ["old 1", "old 2", "new"] {
            let frame = browser.json().await;
            assert_eq!((&frame["data"], &frame["from"]), (&json!(content), &json!("Ann")), "{id}");
            browser.send_text(&json!({ "ack": [frame["id"]] }).to_string()).await;
        }
        assert_eq!(browser.json().await, json!({ "type": "unread_count", "data": 1 }));
        let marked = || env.query::<(String, bool)>("SELECT content, delivered = 1 FROM message ORDER BY id");
        let wanted = [("old 1", true), ("of another", false), ("old 2", true), ("new", true)]
            .map(|(content, marked)| (content.to_owned(), marked));
        eventually("his are marked", marked, |rows| *rows == wanted).await;
    }
}

/// A history whose ids are of another type than the setting, or compare without case, is refused.
#[tokio::test]
async fn tables_that_cannot_hold_text_ids_are_named_and_keep_their_rows() {
    const ROWS: &str = "INSERT INTO message (sender_id, receiver_id, content) VALUES (1, 2, 'old 1')";
    for (id, named) in [
        ("varchar(64) COLLATE utf8mb4_unicode_ci", "utf8mb4_unicode_ci takes Bob and bob for one user"),
        ("int", "int must be one of varchar, char for user ids of type text"),
    ] {
        let env = TestEnv::bare().await.with("CHATPUSH_USER_ID_TYPE", "text");
        let columns = format!("sender_id {id} NOT NULL, receiver_id {id} NOT NULL, {TEXT_IDS}");
        let env = on(env, &columns, ROWS, "").await;
        assert!(Daemon::command(&env, &["adopt", "--deliver"]).await.status.success());
        let (fine, text) = check(&env).await;
        for column in ["message.sender_id", "message.receiver_id"] {
            let is_named =
                |line: &str| line.starts_with("WRONG") && line.contains(column) && line.contains(named);
            assert!(!fine && text.lines().any(is_named), "{column}: {text}");
        }
        let run =
            env.clone().with("CHATPUSH_LISTEN", "127.0.0.1:0").with("CHATPUSH_ADMIN_LISTEN", "127.0.0.1:0");
        let ran = Daemon::command(&run, &["run"]).await;
        let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        assert!(ran.status.code() == Some(78) && said.contains(named), "{said}");
        assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM message").await, [1]);
    }
}

/// What cannot be used is named by `check`, and by the daemon, which does not start.
#[tokio::test]
async fn unusable_tables_are_named_and_keep_their_rows() {
    const USUAL: &str = "sender_id int NOT NULL, receiver_id int NOT NULL, content text NOT NULL, \
                         send_time datetime NOT NULL DEFAULT NOW(), delivered tinyint NOT NULL DEFAULT 0";
    const ROWS: &str =
        "INSERT INTO message (sender_id, receiver_id, content) VALUES (1, 2, 'old 1'), (1, 2, 'old 2')";
    for (alter, named) in [
        ("ENGINE=MyISAM", "ALTER TABLE `message` ENGINE=InnoDB"),
        ("DROP COLUMN receiver_id", "message.receiver_id"),
        ("DROP COLUMN send_time", "message.send_time"),
        ("DROP COLUMN delivered", "message.delivered"),
        ("MODIFY id int NOT NULL", "has no AUTO_INCREMENT"),
    ] {
        let env = installation(&format!("{USUAL}, KEY (receiver_id, delivered, id))"), ROWS, "").await;
        assert!(Daemon::command(&env, &["adopt", "--deliver"]).await.status.success());
        env.execute(&format!("ALTER TABLE message {alter}")).await;
        let (fine, text) = check(&env).await;
        let is_named = |line: &str| line.starts_with("WRONG") && line.contains(named);
        assert!(!fine && text.lines().any(is_named), "{alter}: {text}");
        let run =
            env.clone().with("CHATPUSH_LISTEN", "127.0.0.1:0").with("CHATPUSH_ADMIN_LISTEN", "127.0.0.1:0");
        let ran = Daemon::command(&run, &["run"]).await;
        let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        assert!(ran.status.code() == Some(78) && said.contains(named), "{alter}: {said}");
        assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM message").await, [2], "{alter}");
    }
}

/// With a further column that has no default the daemon starts, since only new messages are refused: old rows are
/// delivered, and a message that was refused is stored once the setting is there.
#[tokio::test]
async fn column_without_a_default_loses_no_row() {
    const COLUMNS: &str = "sender_id int NOT NULL, receiver_id int NOT NULL, content text NOT NULL, \
                           send_time datetime NOT NULL DEFAULT NOW(), delivered tinyint NOT NULL DEFAULT 0, \
                           KEY (receiver_id, delivered, id)) ENGINE=InnoDB CHARSET=utf8mb4";
    const ROWS: &str =
        "INSERT INTO message (sender_id, receiver_id, content) VALUES (1, 2, 'old 1'), (1, 2, 'old 2')";
    let env = installation(COLUMNS, ROWS, "").await;
    adopt(&env, COLUMNS).await;
    env.execute("ALTER TABLE message ADD priority int NOT NULL").await;
    let (fine, text) = check(&env).await;
    let is_named = |line: &str| line.starts_with("WRONG") && line.contains("[mysql.values] priority = ");
    assert!(!fine && text.lines().any(is_named), "{text}");
    let daemon = env.daemon().await;
    let send = "try { ChatPush\\sendMessage(1, 2, 'new'); } catch (ChatPush\\Exception $e) { \
                echo $e->getOutcome()->value, ' ', $e->getMessage(); }";
    let said = env.php().get(send).await;
    assert!(said.starts_with("not_queued ") && said.contains("'priority'"), "{said}");
    let mut browser = daemon.connect(2).await;
    let old = ["old 1", "old 2"].map(str::to_owned).to_vec();
    assert_eq!(browser.until_unread_count().await, (old, 0));
    let reading = browser.keep_reading();
    let marked = || env.query::<u64>("SELECT SUM(delivered = 1) FROM message");
    eventually("both are marked", marked, |count| *count == [2]).await;
    reading.abort();
    drop(daemon);

    let mended = env.with("CHATPUSH_MYSQL_VALUES_PRIORITY", "3");
    let daemon = mended.daemon().await;
    let numbers: Vec<u64> = mended.query("SELECT id FROM chatpush_dead").await;
    assert_eq!(numbers.len(), 1, "the message is kept");
    let retried = Daemon::command(&mended, &["dead", "retry", &numbers[0].to_string()]).await;
    assert!(retried.status.success(), "{retried:?}");
    let mut browser = daemon.connect(2).await;
    let wanted = (vec!["new".to_owned()], 1);
    assert_eq!(browser.until_unread_count().await, wanted);
    assert_eq!(mended.query::<u64>("SELECT COUNT(*) FROM message").await, [3]);
}
