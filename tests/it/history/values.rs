//! The values of a history's column, and constants of further columns: MySQL says whether they serve.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

/// An installation whose column `st` has this definition.
async fn table(column: &str) -> TestEnv {
    let env = TestEnv::bare().await;
    env.execute(&format!(
        "CREATE TABLE message (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, sender_id int NOT NULL, \
         receiver_id int NOT NULL, content text NOT NULL, send_time datetime NOT NULL, st {column}, \
         KEY waiting (receiver_id, st, id)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
    ))
    .await;
    let env =
        env.with("CHATPUSH_MYSQL_TABLES_OFFLINE_MESSAGE", "message").with("CHATPUSH_MYSQL_TABLES_USER", "");
    let migrated = Daemon::command(&env, &["migrate"]).await;
    assert!(migrated.status.success(), "{migrated:?}");
    env
}

/// Sets the values, as the configuration file has them.
fn with(env: &TestEnv, settings: &str) -> TestEnv {
    let file = env.servers().folder().join(format!("{}.toml", env.name()));
    std::fs::write(&file, settings).expect("the file can be written");
    env.clone().with("CHATPUSH_CONFIG", file.display().to_string())
}

fn history(env: &TestEnv, value: &str, waiting: Option<&str>) -> TestEnv {
    let waiting = waiting.map_or_else(String::new, |waiting| format!("waiting = {waiting}\n"));
    with(env, &format!("[mysql.history]\ncolumn = 'st'\nvalue = {value}\n{waiting}"))
}

/// What the daemon, `adopt` and `check` say, each of which must refuse.
async fn refused(env: &TestEnv) -> [String; 3] {
    let env = env.clone().with("CHATPUSH_LISTEN", "127.0.0.1:0").with("CHATPUSH_ADMIN_LISTEN", "127.0.0.1:0");
    let mut said = Vec::new();
    for (command, code) in [(&["run"][..], 78), (&["adopt", "--mark"], 78), (&["check"], 1)] {
        let ran = Daemon::command(&env, command).await;
        let text = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        assert_eq!(ran.status.code(), Some(code), "{command:?}: {text}");
        said.push(text);
    }
    said.try_into().expect("three commands")
}

/// A value that equals the one of rows that wait, that does not fit, or that the column changes: rows would wait for
/// ever, or every confirmation would be refused.
#[tokio::test]
async fn values_that_do_not_serve_are_refused_by_name() {
    const VALUE: &str = "(mysql.history.value)";
    const WAITING: &str = "(mysql.history.waiting)";
    let env = table("int NULL").await;
    for (column, value, waiting, setting) in [
        ("varchar(20) COLLATE utf8mb4_general_ci", "'Yes'", Some("'yes'"), VALUE),
        ("varchar(20)", "'x '", Some("'x'"), VALUE),
        ("int NOT NULL", "'01'", Some("1"), VALUE),
        ("int NOT NULL DEFAULT 0", "0.4", Some("0"), VALUE),
        ("decimal(3,1) NULL", "0.04", None, VALUE),
        ("enum('No','Yes')", "'Done'", Some("'No'"), VALUE),
        ("enum('No','Yes')", "'Yes'", Some("'New'"), WAITING),
        ("enum('No','Yes')", "'Yes'", Some("1"), WAITING),
        ("varchar(3) NOT NULL", "'delivered'", Some("'new'"), VALUE),
        ("varchar(10) NULL", "'now'", None, VALUE),
        ("tinyint NOT NULL DEFAULT 0", "300", Some("0"), VALUE),
        ("tinyint NOT NULL DEFAULT 0", "'Yes'", Some("0"), VALUE),
        ("tinyint NOT NULL DEFAULT 0", "1", Some("'No'"), WAITING),
        ("float NOT NULL DEFAULT 0", "1", Some("0.1"), WAITING),
        ("year NULL", "'now'", None, VALUE),
        ("bit(1) NOT NULL", "'now'", Some("0"), VALUE),
        ("bit(1) NOT NULL", "2", Some("0"), VALUE),
        ("int NOT NULL", "1", None, WAITING),
        ("tinyint NOT NULL CHECK (st < 2)", "2", Some("0"), VALUE),
    ] {
        env.execute(&format!("ALTER TABLE message MODIFY st {column}")).await;
        for text in refused(&history(&env, value, waiting)).await {
            let named =
                text.contains("message.st") && (text.contains(setting) || text.contains("mysql.history."));
            assert!(named, "{column}, {value}, {waiting:?}: {text}");
        }
        let [started, ..] = refused(&history(&env, value, waiting)).await;
        assert!(started.contains(setting), "{column}, {value}, {waiting:?}: {started}");
    }
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM message").await, [0], "what was tried is rolled back");
}

/// Nothing can be written there, and MySQL refuses every statement that tries.
#[tokio::test]
async fn generated_columns_are_refused_by_name() {
    let env = table("int AS (sender_id) VIRTUAL").await;
    for text in refused(&history(&env, "1", Some("0"))).await {
        assert!(text.contains("column message.st") && text.contains("is generated"), "{text}");
    }
    env.execute("ALTER TABLE message DROP send_time, ADD send_time datetime AS ('2020-01-01') VIRTUAL").await;
    env.execute("ALTER TABLE message ADD seen datetime NULL").await;
    for text in refused(&with(&env, "[mysql.history]\ncolumn = 'seen'\nvalue = 'now'\n")).await {
        assert!(text.contains("column message.send_time") && text.contains("is generated"), "{text}");
    }
}

/// So are constants.
#[tokio::test]
async fn constants_that_do_not_fit_are_refused_by_name() {
    let env = table("datetime NULL").await;
    env.execute("ALTER TABLE message ADD kind enum('text','image') NOT NULL").await;
    let settings = "[mysql.history]\ncolumn = 'st'\nvalue = 'now'\n[mysql.values]\nkind = 'Done'\n";
    for text in refused(&with(&env, settings)).await {
        assert!(text.contains("message.kind") && text.contains("\"Done\" (mysql.values.kind)"), "{text}");
    }
}

/// Each of these is marked once, and never comes again.
#[tokio::test]
async fn values_that_serve_mark_rows() {
    for (column, value, waiting) in [
        ("tinyint(1) NOT NULL DEFAULT 0", "true", Some("false")),
        ("bit(1) NOT NULL", "true", Some("false")),
        ("float NOT NULL", "0.1", Some("0")),
        ("enum('No','Yes')", "'YES'", Some("'no'")),
        ("set('a','b')", "'a,b'", Some("'a'")),
        ("timestamp NULL", "'now'", None),
        ("bigint NOT NULL", "'now'", Some("0")),
        ("date NULL", "'now'", None),
        ("varchar(30) NULL", "''", None),
    ] {
        let env = history(&table(column).await, value, waiting);
        // Users that a row names need not exist while it is tried.
        env.execute("CREATE TABLE person (id int PRIMARY KEY)").await;
        env.execute("INSERT INTO person VALUES (7), (9)").await;
        env.execute("ALTER TABLE message ADD FOREIGN KEY (sender_id) REFERENCES person (id)").await;
        let checked = Daemon::command(&env, &["check"]).await;
        assert!(checked.status.success(), "{column}: {checked:?}");
        let daemon = env.daemon().await;
        env.php().get("ChatPush\\sendMessage(7, 9, 'm');").await;
        let mut browser = daemon.connect(9).await;
        assert_eq!(browser.until_unread_count().await, (vec!["m".to_owned()], 1), "{column}");
        let reading = browser.keep_reading();
        let records = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_message");
        eventually("it is marked", records, |count| *count == [0]).await;
        assert_eq!(daemon.connect(9).await.until_unread_count().await, (Vec::new(), 1), "{column}");
        assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await, [0], "{column}");
        reading.abort();
    }
}
