use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

#[tokio::test]
async fn table_and_column_names_are_configurable() {
    let env = TestEnv::bare().await;
    let file = env.servers().folder().join(format!("{}.toml", env.name()));
    let text = "[mysql.tables]\noffline_message = 'mail box'\nuser = 'members'\n\
                [mysql.columns]\nid = 'mid'\nsender_id = 'src'\nreceiver_id = 'dst'\ncontent = 'body'\n\
                send_time = 'at'\nuser_id = 'uid'\nunread_count = 'news'";
    std::fs::write(&file, text).expect("the file can be written");
    env.execute(
        "CREATE TABLE `mail box` (mid bigint PRIMARY KEY AUTO_INCREMENT, src int, dst int, body mediumtext, \
         at timestamp, folder varchar(9) NOT NULL DEFAULT 'in')",
    )
    .await;
    env.execute("CREATE TABLE members (uid int PRIMARY KEY, news int)").await;
    env.execute("INSERT INTO members VALUES (2, NULL)").await;
    let env = env.with("CHATPUSH_CONFIG", file.display().to_string());
    let migrated = chatpush_tests::daemon::Daemon::command(&env, &["migrate"]).await;
    assert!(migrated.status.success());
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'hello');").await;
    assert_eq!(
        env.query::<(String, i64)>("SELECT body, news FROM `mail box`, members").await,
        [("hello".to_owned(), 1)]
    );
    assert_eq!(env.php().get("echo getOfflineMessage(2)[0]['content'], getUnreadCount(2);").await, "hello1");
    let mut browser = daemon.connect(2).await;
    assert_eq!(browser.until_unread_count().await, (vec!["hello".to_owned()], 1));
    let reading = browser.keep_reading();
    let rows = || env.query::<u64>("SELECT COUNT(*) FROM `mail box`");
    eventually("the row is deleted", rows, |rows| *rows == [0]).await;
    reading.abort();
}

/// Rows of the application may have NULL in every column but the id and the receiver.
#[tokio::test]
async fn rows_with_nulls_and_fractional_seconds_are_delivered() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    env.execute(
        "ALTER TABLE offline_message MODIFY sender_id int NULL, MODIFY content text NULL, \
         MODIFY send_time datetime(6) NULL",
    )
    .await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         VALUES (NULL, 2, NULL, NULL), (7, 2, 'fraction', '2026-01-02 03:04:05.678901')",
    )
    .await;
    let sequence = "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
                    SELECT 7, 2, seq, NOW() FROM seq_1_to_5000";
    env.execute(sequence).await;
    let daemon = env.daemon().await;
    let seen = "$m = getOfflineMessage(2, 10000); unset($m[0]['message_id']);
                echo count($m), json_encode($m[0]);";
    let lacking = r#"5002{"id":1,"sender_id":0,"receiver_id":2,"content":"","send_time":""}"#;
    assert_eq!(env.php().get(seen).await, lacking);
    let reading = daemon.connect(2).await.keep_reading();
    eventually("all rows are deleted", || env.stored_count(2), |count| *count == 0).await;
    daemon.stop();
    let frames = reading.await.expect("the client reads to the end");
    assert_eq!(frames.iter().filter(|frame| frame.contains("\"offline\":true")).count(), 5_002);
}

#[tokio::test]
async fn count_unread_can_be_disabled() {
    let env = TestEnv::new().await.with("CHATPUSH_COUNT_UNREAD", "false");
    env.users(&[2]).await;
    let _daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'hello');").await;
    assert_eq!((env.stored(2).await.len(), env.unread(2).await), (1, 0));
}

#[tokio::test]
async fn default_type_applies_live_and_replayed() {
    let env = TestEnv::new().await.with("CHATPUSH_DEFAULT_TYPE", "chat");
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let mut first = daemon.connect(2).await;
    first.until_unread_count().await;
    env.php().get("storeOfflineMessage(1, 2, 'hello');").await;
    assert_eq!(first.json().await["type"], "chat");
    let mut second = daemon.connect(2).await;
    assert_eq!(second.json().await["type"], "chat");
}

#[tokio::test]
async fn installations_share_one_redis_by_prefix() {
    let (one, other) = (TestEnv::new().await, TestEnv::new().await);
    let (_first, second) = (one.daemon().await, other.daemon().await);
    let _browser = second.connect(2).await;
    let online = "var_dump(ChatPush\\isOnline(2));";
    let php = other.php();
    eventually("the user is online", || php.get(online), |output| output.trim() == "bool(true)").await;
    assert_eq!(one.php().get(online).await.trim(), "bool(false)");
}

/// Not even at level trace.
#[tokio::test]
async fn secrets_and_contents_are_not_logged() {
    let env = TestEnv::new().await.with("CHATPUSH_LOG", "trace").with("CHATPUSH_LOG_FORMAT", "json");
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'for your eyes only');").await;
    let mut browser = daemon.connect(2).await;
    browser.until_unread_count().await;
    let reading = browser.keep_reading();
    eventually("the row is deleted", || env.stored(2), Vec::is_empty).await;
    reading.abort();
    let log = daemon.log();
    assert!(
        log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()),
        "each line is a JSON object"
    );
    for secret in ["for your eyes only", chatpush_tests::test_env::SECRET, "eyJ", ":pw@"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
