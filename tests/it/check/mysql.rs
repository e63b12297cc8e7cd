use chatpush_tests::daemon::Daemon;
use chatpush_tests::test_env::TestEnv;

use super::Report;

#[tokio::test]
async fn each_problem_is_reported_with_its_fix() {
    let env = TestEnv::bare().await;
    let missing = Report::of(&env).await;
    assert_eq!(missing.code, Some(1));
    assert!(missing.finding("table offline_message").1.starts_with("is missing"), "{missing:?}");

    let env = TestEnv::new().await;
    env.execute("ALTER TABLE offline_message ENGINE=MyISAM, MODIFY send_time date, ADD extra int NOT NULL")
        .await;
    env.execute("DELETE FROM chatpush_position WHERE partition_id = 15").await;
    let broken = Report::of(&env).await;
    assert_eq!(broken.code, Some(1));
    for (name, problem) in [
        ("table offline_message", "ALTER TABLE `offline_message` ENGINE=InnoDB"),
        ("column offline_message.send_time", "date must be one of datetime, timestamp, int, bigint"),
        ("column offline_message.extra", "has no default"),
        ("partitions", "chatpush_position must hold 64 partitions and holds 63"),
    ] {
        let (status, text) = broken.finding(name);
        assert!(status == "wrong" && text.contains(problem), "{name}: {text}");
    }
}

/// A column that is mapped to a name that is not there is the only finding: its own name lacks no default, and no index
/// on the other can be made.
#[tokio::test]
async fn a_wrong_name_of_a_column_is_reported_alone() {
    for (variable, name, column) in [
        ("CHATPUSH_MYSQL_COLUMNS_CONTENT", "body", "column offline_message.body"),
        ("CHATPUSH_MYSQL_COLUMNS_USER_ID", "uid", "column user.uid"),
        ("CHATPUSH_MYSQL_COLUMNS_RECEIVER_ID", "recipient", "column offline_message.recipient"),
    ] {
        let env = TestEnv::new().await.with(variable, name);
        let report = Report::of(&env).await;
        assert_eq!(report.problems(), [column], "{report:?}");
        assert!(report.finding(column).1.starts_with("is missing; set "), "{report:?}");
    }
}

/// The statements that the findings name are executed.
#[tokio::test]
async fn the_named_statements_fix_the_tables() {
    let env = TestEnv::new().await;
    for statement in [
        "ALTER TABLE offline_message DROP INDEX receiver_id, MODIFY id int NOT NULL, \
         MODIFY send_time timestamp NOT NULL DEFAULT NOW() ON UPDATE NOW()",
        "ALTER TABLE `user` MODIFY id int NOT NULL, DROP PRIMARY KEY, MODIFY unread_count smallint NOT NULL",
    ] {
        env.execute(statement).await;
    }
    let broken = Report::of(&env).await;
    let problems = [
        ("column offline_message.id", "wrong"),
        ("column offline_message.send_time", "warning"),
        ("column user.unread_count", "warning"),
        ("index on offline_message.receiver_id", "warning"),
        ("index on user.id", "warning"),
    ];
    assert_eq!(broken.problems().len(), problems.len(), "{broken:?}");
    for (name, status) in problems {
        let (found, text) = broken.finding(name);
        assert_eq!(found, status, "{name}");
        let (_, fix) = text.split_once("; ALTER TABLE ").unwrap_or_else(|| panic!("{name}: {text}"));
        env.execute(&format!("ALTER TABLE {fix}")).await;
    }
    let fixed = Report::of(&env).await;
    assert_eq!((fixed.problems(), fixed.code), (Vec::new(), Some(0)), "{fixed:?}");
}

/// An index that sorts by something else behind the receiver is none for a mailbox. One of the receiver alone
/// ends with the primary key.
#[tokio::test]
async fn an_index_serves_if_it_has_the_order_of_ids() {
    let env = TestEnv::new().await;
    for (index, status) in [
        ("receiver_id, sender_id", "warning"),
        ("sender_id, receiver_id", "warning"),
        ("receiver_id", "ok"),
        ("receiver_id, id", "ok"),
    ] {
        env.execute("ALTER TABLE offline_message DROP INDEX receiver_id").await;
        env.execute(&format!("ALTER TABLE offline_message ADD INDEX receiver_id ({index})")).await;
        let report = Report::of(&env).await;
        assert_eq!(report.finding("index on offline_message.receiver_id").0, status, "{index}");
    }
}

/// In a history what waits is found by the column that marks it.
#[tokio::test]
async fn an_index_of_a_history_has_its_column_and_the_order_of_ids() {
    let env = TestEnv::new().await;
    env.execute("ALTER TABLE offline_message ADD done int NULL").await;
    let env = env.with("CHATPUSH_MYSQL_HISTORY_COLUMN", "done").with("CHATPUSH_MYSQL_HISTORY_VALUE", "1");
    let name = "index on offline_message.receiver_id";
    for (index, status) in [
        ("receiver_id, done", "ok"),
        ("receiver_id, done, id", "ok"),
        ("receiver_id, done, sender_id", "warning"),
        ("done, receiver_id, id", "warning"),
        ("receiver_id, id, done", "warning"),
        ("receiver_id", "warning"),
    ] {
        env.execute("ALTER TABLE offline_message DROP INDEX receiver_id").await;
        env.execute(&format!("ALTER TABLE offline_message ADD INDEX receiver_id ({index})")).await;
        assert_eq!(Report::of(&env).await.finding(name).0, status, "{index}");
    }
    let report = Report::of(&env).await;
    let (_, fix) = report.finding(name).1.split_once("; ALTER TABLE ").expect("it has a statement");
    env.execute(&format!("ALTER TABLE {fix}")).await;
    assert_eq!(Report::of(&env).await.finding(name).0, "ok");
}

/// Rows that chatpush has stored are none.
#[tokio::test]
async fn rows_and_columns_of_a_history_are_warned_of() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'ours');").await;
    assert!(!Report::of(&env).await.has("rows of offline_message"));
    daemon.stop();

    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) VALUES (1, 2, 'old', NOW())",
    )
    .await;
    env.execute("ALTER TABLE offline_message ADD is_read tinyint, ADD roomId int, ADD folder int").await;
    let report = Report::of(&env).await;
    let (status, text) = report.finding("rows of offline_message");
    assert!(status == "warning" && text.starts_with("1 row was not stored by chatpush"), "{text}");
    let (status, text) = report.finding("columns of offline_message");
    assert!(status == "warning" && text.contains("(is_read, roomId)"), "{text}");
}

#[tokio::test]
async fn triggers_are_warned_of() {
    let env = TestEnv::new().await;
    let trigger = "CREATE TRIGGER audit BEFORE INSERT ON offline_message FOR EACH ROW SET NEW.content = 'x'";
    env.execute(trigger).await;
    let report = Report::of(&env).await;
    let (status, text) = report.finding("trigger audit");
    assert!(status == "warning" && text.starts_with("runs BEFORE INSERT on offline_message"), "{text}");
}

#[tokio::test]
async fn a_view_is_no_table_of_messages() {
    let env = TestEnv::new().await;
    env.execute("CREATE VIEW mailbox AS SELECT * FROM offline_message").await;
    let env = env.with("CHATPUSH_MYSQL_TABLES_OFFLINE_MESSAGE", "mailbox");
    let report = Report::of(&env).await;
    let (status, text) = report.finding("table mailbox");
    assert!(status == "wrong" && text.starts_with("is a view"), "{text}");
}

#[tokio::test]
async fn a_server_that_is_not_durable_is_warned_of() {
    let env = TestEnv::with_own_servers().await;
    assert_eq!(Report::of(&env).await.finding("MySQL durability").0, "ok");
    let settings = "SET GLOBAL innodb_flush_log_at_trx_commit = 2; SET GLOBAL max_allowed_packet = 65536; \
                    SET GLOBAL read_only = ON";
    env.servers().sql(settings).await;
    let report = Report::of(&env).await;
    assert_eq!(report.finding("MySQL durability").0, "warning");
    assert_eq!(report.finding("MySQL packets").0, "wrong");
    assert_eq!(report.finding("MySQL role").0, "wrong");
}

#[tokio::test]
async fn the_server_is_named_with_what_it_keeps() {
    let env = TestEnv::new().await;
    let report = Report::of(&env).await;
    let (status, text) = report.finding("MySQL server");
    assert!(
        status == "ok" && text.contains(": what callers were told is stored is on this server;"),
        "{text}"
    );
    let version: Vec<String> = env.query("SELECT VERSION()").await;
    let number = text.split([' ', ':']).nth(1).expect("a number");
    assert!(version[0].starts_with(number), "{text}, {version:?}");
}

#[tokio::test]
async fn replication_by_statements_is_warned_of() {
    let env = TestEnv::with_own_servers().await;
    env.servers().kill_mariadb().await;
    let arguments = ["--log-bin=binlog", "--server-id=1", "--binlog-format=STATEMENT"];
    env.servers().start_mariadb_with(&arguments).await;
    let name = "MySQL binary log format";
    let report = Report::of(&env).await;
    let (status, text) = report.finding(name);
    assert_eq!(status, "warning");
    let (_, fix) = text.split_once("; ").expect("it names the fix");
    let (statement, _) = fix.split_once(", ").expect("and what follows it");
    env.servers().sql(statement).await;
    assert!(!Report::of(&env).await.has(name));
}

#[tokio::test]
async fn missing_privileges_are_reported() {
    let env = TestEnv::new().await;
    let database = env.name();
    let user = format!("r_{}", &database[3..]);
    let grants = format!(
        "CREATE USER {user}@localhost IDENTIFIED BY 'pw'; GRANT SELECT ON {database}.* TO {user}@localhost"
    );
    env.servers().sql(&grants).await;
    let url = env.servers().mysql_url(database).replace("chatpush:pw", &format!("{user}:pw"));
    let report = Report::of(&env.clone().with("CHATPUSH_MYSQL_URL", url)).await;
    assert!(report.finding("privileges on user").1.contains("GRANT UPDATE ON `user`"), "{report:?}");
    let messages = report.finding("privileges on offline_message").1;
    assert!(messages.contains("GRANT UPDATE, INSERT, DELETE ON `offline_message`"), "{messages}");
}

#[tokio::test]
async fn a_refused_login_is_called_so() {
    let env = TestEnv::new().await;
    let url = env.servers().mysql_url(env.name()).replace("chatpush:pw", "chatpush:wrong");
    let env = env.with("CHATPUSH_MYSQL_URL", url);
    let report = Report::of(&env).await;
    let (status, text) = report.finding("MySQL answers");
    assert!(status == "wrong" && text.starts_with("login refused"), "{text}");
    assert!(!Daemon::command(&env, &["check"]).await.status.success());
}
