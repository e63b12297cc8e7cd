//! Message tables and user tables as applications have them.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

async fn migrate(env: &TestEnv) {
    let migrated = Daemon::command(env, &["migrate"]).await;
    assert!(migrated.status.success(), "{migrated:?}");
}

/// Runs a daemon that must not start. Returns what it says.
async fn refused(env: &TestEnv) -> String {
    let env = env.clone().with("CHATPUSH_LISTEN", "127.0.0.1:0").with("CHATPUSH_ADMIN_LISTEN", "127.0.0.1:0");
    let ran = Daemon::command(&env, &["run"]).await;
    let text = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    assert_eq!(ran.status.code(), Some(78), "{text}");
    text
}

#[tokio::test]
async fn further_columns_get_their_constants() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    env.execute(
        "ALTER TABLE offline_message ADD status enum('No','Yes') NOT NULL, ADD flags bit(2) NOT NULL, \
         ADD note varchar(20) NOT NULL",
    )
    .await;
    let check = Daemon::command(&env, &["check"]).await;
    let text = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(text.contains("[mysql.values] status = "), "{text}");
    let file = env.servers().folder().join(format!("{}.toml", env.name()));
    std::fs::write(&file, "[mysql.values]\nstatus = 'No'\nflags = 2\n").expect("the file can be written");
    let env = env.with("CHATPUSH_CONFIG", file.display().to_string());
    let env = env.with("CHATPUSH_MYSQL_VALUES_NOTE", "it's \\ here");
    let check = Daemon::command(&env, &["check"]).await;
    assert!(check.status.success(), "{check:?}");
    let _daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'x');").await;
    let found: Vec<(String, u8, String)> =
        env.query("SELECT status, CAST(flags AS UNSIGNED), note FROM offline_message").await;
    assert_eq!(found, [("No".to_owned(), 2, "it's \\ here".to_owned())]);
}

#[tokio::test]
async fn values_of_unusable_columns_are_refused() {
    let env = TestEnv::new().await;
    assert!(
        refused(&env.clone().with("CHATPUSH_MYSQL_VALUES_NOWHERE", "1"))
            .await
            .contains("mysql.values.nowhere")
    );
    let ours = env.with("CHATPUSH_MYSQL_VALUES_CONTENT", "1");
    let ran = Daemon::command(&ours, &["run"]).await;
    let text = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(
        ran.status.code() == Some(64) && text.contains("is a column that chatpush writes itself"),
        "{text}"
    );
}

/// Seconds since 1970, for PHP and for clients.
#[tokio::test]
async fn integer_times_are_seconds() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    env.execute("ALTER TABLE offline_message MODIFY send_time int unsigned NULL").await;
    let daemon = env.daemon().await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) VALUES \
         (1, 2, 'theirs', 1700000000), (1, 2, 'none', NULL)",
    )
    .await;
    env.php().get("storeOfflineMessage(1, 2, 'ours');").await;
    let times = "foreach (getOfflineMessage(2) as $row) echo json_encode($row['send_time']), ' ';";
    let times = env.php().get(times).await;
    let times: Vec<i64> = times.split_whitespace().map(|time| time.parse().expect("a number")).collect();
    let stored: Vec<i64> = env.query("SELECT send_time FROM offline_message WHERE content = 'ours'").await;
    assert_eq!(times, [1_700_000_000, 0, stored[0]]);
    assert!(env.query::<i64>("SELECT UNIX_TIMESTAMP()").await[0] - stored[0] < 600, "now, in seconds");
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    assert_eq!(browser.json().await["time"], 1_700_000_000_000_i64);
    assert_eq!(browser.json().await["time"], 0);
}

#[tokio::test]
async fn a_table_without_times_will_do() {
    let env = TestEnv::new().await.with("CHATPUSH_MYSQL_COLUMNS_SEND_TIME", "");
    env.users(&[2]).await;
    env.execute("ALTER TABLE offline_message DROP COLUMN send_time").await;
    let check = Daemon::command(&env, &["check"]).await;
    assert!(check.status.success(), "{check:?}");
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'x');").await;
    assert_eq!(env.php().get("echo json_encode(getOfflineMessage(2)[0]['send_time']);").await, "\"\"");
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    let frame = browser.json().await;
    assert_eq!(frame["data"], "x");
    assert!(frame["time"].as_u64() > Some(1_700_000_000_000), "our record has the time: {frame}");
}

/// The application has no counter. Ours counts, is cleared, and is pushed.
#[tokio::test]
async fn counters_live_in_our_table() {
    for (variable, made) in
        [("CHATPUSH_MYSQL_TABLES_USER", false), ("CHATPUSH_MYSQL_COLUMNS_UNREAD_COUNT", true)]
    {
        let env = TestEnv::bare().await;
        if made {
            env.execute("CREATE TABLE `user` (id varchar(9))").await;
        }
        let env = env.with(variable, "");
        migrate(&env).await;
        let tables: Vec<String> = env.query("SHOW TABLES").await;
        assert!(tables.contains(&"chatpush_unread".to_owned()), "{tables:?}");
        assert_eq!(tables.contains(&"user".to_owned()), made, "no table that is not used: {tables:?}");
        let check = Daemon::command(&env, &["check"]).await;
        assert!(check.status.success(), "{check:?}");
        let daemon = env.daemon().await;
        let php = env.php();
        assert_eq!(php.get("echo getUnreadCount(2);").await, "0");
        php.get("for ($i = 0; $i < 3; $i++) storeOfflineMessage(1, 2, \"$i\");").await;
        php.get("storeOfflineMessage(1, 3, 'x');").await;
        assert_eq!(php.get("echo getUnreadCount(2), getUnreadCount(3);").await, "31");
        let mut browser = daemon.connect_with(2, "chatpush.v1").await;
        assert_eq!(browser.until_unread_count().await.1, 3);
        browser.send_text(r#"{"read":true}"#).await;
        assert_eq!(browser.until_unread_count().await.1, 0);
        php.get("ChatPush\\clearUnreadCount(3); storeOfflineMessage(1, 3, 'y');").await;
        assert_eq!(php.get("echo getUnreadCount(2), getUnreadCount(3);").await, "01");
    }
}

/// A table that the settings use now and did not use before is made by another `migrate`.
#[tokio::test]
async fn migrate_makes_a_table_that_new_settings_use() {
    let env = TestEnv::new().await.with("CHATPUSH_MYSQL_TABLES_USER", "");
    let daemon = Daemon::launch(&env);
    eventually("it waits", || daemon.get("/ready"), |text| text.contains("503")).await;
    migrate(&env).await;
    eventually("it is ready", || daemon.is_ready(), |ready| *ready).await;
    env.php().get("storeOfflineMessage(1, 2, 'x');").await;
    assert_eq!(env.php().get("echo getUnreadCount(2);").await, "1");
}

#[tokio::test]
async fn times_are_in_the_zone_of_the_setting() {
    let env = TestEnv::new().await.with("CHATPUSH_MYSQL_TIME_ZONE", "+05:30");
    times_are_ahead(&env).await;
}

/// Times are written and read in a zone that is five and a half hours ahead.
async fn times_are_ahead(env: &TestEnv) {
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'x');").await;
    let ahead: Vec<i64> = env
        .query("SELECT TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP() - INTERVAL 30 SECOND, send_time) FROM offline_message")
        .await;
    assert!((320..=331).contains(&ahead[0]), "{ahead:?}");
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         VALUES (1, 2, 'y', '2026-01-02 05:30:00')",
    )
    .await;
    let shown = env.php().get("echo getOfflineMessage(2)[1]['send_time'];").await;
    assert_eq!(shown, "2026-01-02 05:30:00");
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    browser.json().await;
    assert_eq!(browser.json().await["time"], 1_767_312_000_000_i64);
}

/// A zone by its name, once the server's tables have it. It is in no list of zones, so that no other test meets it.
#[tokio::test]
async fn a_zone_that_the_server_knows_is_used_by_name() {
    let env = TestEnv::new().await.with("CHATPUSH_MYSQL_TIME_ZONE", "Chat/Kolkata");
    let text = refused(&env).await;
    assert!(text.contains("Chat/Kolkata"), "{text}");
    // As mysql_tzinfo_to_sql does for a zone that is five and a half hours ahead all year.
    env.servers()
        .sql(
            "INSERT INTO mysql.time_zone (Use_leap_seconds) VALUES ('N'); SET @id = LAST_INSERT_ID(); \
             INSERT INTO mysql.time_zone_name VALUES ('Chat/Kolkata', @id); \
             INSERT INTO mysql.time_zone_transition_type VALUES (@id, 0, 19800, 0, 'IST')",
        )
        .await;
    let check = Daemon::command(&env, &["check"]).await;
    assert!(check.status.success(), "{check:?}");
    times_are_ahead(&env).await;
}

#[tokio::test]
async fn an_unknown_zone_is_refused_by_name() {
    let env = TestEnv::new().await.with("CHATPUSH_MYSQL_TIME_ZONE", "Moon/Tycho");
    let text = refused(&env).await;
    assert!(text.contains("Moon/Tycho") && text.contains("mysql_tzinfo_to_sql"), "{text}");
    let check = Daemon::command(&env, &["check"]).await;
    let text = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(!check.status.success() && text.contains("Moon/Tycho"), "{text}");
    let wrong = env.with("CHATPUSH_MYSQL_TIME_ZONE", "5 o'clock");
    assert_eq!(Daemon::command(&wrong, &["check"]).await.status.code(), Some(64));
}

#[tokio::test]
async fn unusable_tables_are_refused_by_name() {
    for (change, named) in [
        ("ALTER TABLE offline_message ENGINE=MyISAM", "ENGINE=InnoDB"),
        ("ALTER TABLE `user` MODIFY username varchar(50), ENGINE=MyISAM", "ALTER TABLE `user` ENGINE=InnoDB"),
        (
            "ALTER TABLE offline_message DROP COLUMN send_time",
            "offline_message.send_time is missing (mysql.columns.send_time)",
        ),
        (
            "RENAME TABLE offline_message TO kept; CREATE VIEW offline_message AS SELECT * FROM kept",
            "is a view",
        ),
    ] {
        let env = TestEnv::new().await;
        for statement in change.split("; ") {
            env.execute(statement).await;
        }
        let text = refused(&env).await;
        assert!(text.contains(named), "{change}: {text}");
    }
}
