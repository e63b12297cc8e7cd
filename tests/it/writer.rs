use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use chatpush_wire::id::{MessageId, UserId};

#[tokio::test]
async fn concurrent_stores_are_complete_ordered_and_counted() {
    let env = TestEnv::new().await;
    env.users(&[2, 3, 18]).await;
    let _daemon = env.daemon().await;
    let callers = (0..4).map(|caller| {
        let php = env.php();
        tokio::spawn(async move {
            let code = format!(
                "for ($i = 0; $i < 150; $i++)
                     storeOfflineMessage(1, [2, 3, 18][$i % 3], sprintf('c{caller}-%03d', $i));"
            );
            php.get(&code).await
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("PHP ran");
    }
    for receiver in [2, 3, 18] {
        let rows = env.stored(receiver).await;
        assert_eq!(rows.len(), 200);
        for caller in 0..4 {
            let own: Vec<_> = rows.iter().filter(|row| row.starts_with(&format!("c{caller}-"))).collect();
            assert!(own.is_sorted(), "rows of one caller are in the order of its calls");
            assert_eq!(own.len(), 50);
        }
        assert_eq!(env.unread(receiver).await, 200);
    }
    for receiver in [2, 3] {
        eventually(
            "the log is trimmed behind the commit",
            || env.log_length(receiver),
            |waiting| *waiting == 0,
        )
        .await;
    }
}

#[tokio::test]
async fn standby_takes_over_from_a_killed_writer() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let writer = env.daemon().await;
    let standby = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'one');").await;
    writer.kill();
    env.php().get("storeOfflineMessage(1, 2, 'two');").await;
    assert_eq!(env.stored(2).await, ["one", "two"]);
    assert_eq!(env.unread(2).await, 2);
    drop(standby);
}

/// A writer whose position another has moved writes nothing twice, and reads the position again.
#[tokio::test]
async fn stale_position_stops_a_writer() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'one');").await;
    eventually("the log is trimmed", || env.log_length(2), |waiting| *waiting == 0).await;
    // As if another writer had moved the position.
    env.execute("UPDATE chatpush_position SET log_id = '1-1' WHERE partition_id = 2").await;
    env.php().get("storeOfflineMessage(1, 2, 'two');").await;
    assert_eq!(env.stored(2).await, ["one", "two"], "it reads the position again and goes on");
    assert_eq!(daemon.metric("chatpush_terms_total").await, 2, "another daemon has taken over");
}

/// Also when it is more than the writer sends to MySQL at a time.
#[tokio::test]
async fn large_backlog_is_applied_completely() {
    let env = TestEnv::new().await;
    env.users(&[2, 3, 18]).await;
    env.execute("UPDATE user SET unread_count = 5 WHERE id = 18").await;
    // More than the writer sends to MySQL at a time: each quote takes two bytes in a statement.
    let queue = env.php().with("chatpush.durability=queued");
    let code = "for ($i = 0; $i < 40; $i++) storeOfflineMessage(1, 2, str_pad(\"$i \", 60000, \"'\"));
                storeOfflineMessage(1, 18, 'a'); storeOfflineMessage(1, 18, 'b');
                storeOfflineMessage(1, 3, 'c');";
    queue.get(code).await;
    let daemon = env.daemon().await;
    let php = env.php();
    let seen = php.get("foreach (getOfflineMessage(2) as $m) echo strtok($m['content'], ' '), ' ';").await;
    let numbers: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    assert_eq!(seen.trim(), numbers.join(" "));
    assert_eq!(
        php.get("echo getUnreadCount(2), ' ', getUnreadCount(18), ' ', getUnreadCount(3);").await,
        "40 7 1"
    );
    let recorded: Vec<u64> = env
        .query(
            "SELECT COUNT(*) FROM chatpush_message m \
             JOIN offline_message o ON o.id = m.offline_id AND o.receiver_id = m.receiver_id",
        )
        .await;
    assert_eq!(recorded, [43], "each row has its own record");
    php.get("ChatPush\\clearUnreadCount(18);").await;
    assert_eq!(php.get("echo getUnreadCount(18);").await, "0");
    daemon.stop();
}

/// The caller gets an exception, the rest of the batch is committed, and `dead retry` stores the entry later.
#[tokio::test]
async fn rejected_entry_becomes_a_dead_letter() {
    let env = TestEnv::new().await;
    env.users(&[2, 18]).await;
    env.execute("ALTER TABLE offline_message ADD CONSTRAINT short CHECK (CHAR_LENGTH(content) <= 10)").await;
    let _daemon = env.daemon().await;
    let output = env
        .php()
        .get(
            "var_dump(storeOfflineMessage(1, 2, 'fits'));
             try { storeOfflineMessage(1, 2, 'does not fit'); }
             catch (ChatPush\\Exception $e) { echo get_class($e), ': ', $e->getMessage(), \"\\n\"; }
             var_dump(storeOfflineMessage(1, 18, 'also'));",
        )
        .await;
    let lines: Vec<_> = output.lines().collect();
    assert_eq!((lines[0], lines[2]), ("bool(true)", "bool(true)"), "{output}");
    assert!(
        lines[1].starts_with(r"ChatPush\Exception: MySQL refused the message, it is kept in chatpush_dead"),
        "{output}"
    );
    assert_eq!(env.stored(2).await, ["fits"]);
    assert_eq!((env.unread(2).await, env.unread(18).await), (1, 1));
    let dead: Vec<(u8, String)> = env.query("SELECT partition_id, entry FROM chatpush_dead").await;
    assert_eq!(dead.len(), 1);
    assert!(dead[0].1.contains("does not fit"));

    let command = async |arguments: &[&str]| {
        let output = Daemon::command(&env, arguments).await;
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, list) = command(&["dead", "list"]).await;
    assert!(code == Some(0) && list.starts_with("1  ") && list.contains("from 1 to 2, 12 bytes: "), "{list}");
    assert!(!list.contains("does not fit"), "the list shows a content");
    assert_eq!(command(&["dead", "retry", "7"]).await.0, Some(1), "an unknown number");
    assert_eq!(command(&["dead", "retry"]).await.0, Some(64));

    env.execute("ALTER TABLE offline_message DROP CONSTRAINT short").await;
    assert_eq!(command(&["dead", "retry", "1"]).await.0, Some(0));
    eventually("it is stored", || env.stored(2), |rows| rows.len() == 2).await;
    assert_eq!(
        (env.stored(2).await, env.unread(2).await),
        (vec!["fits".to_owned(), "does not fit".to_owned()], 2)
    );
    assert_eq!(command(&["dead", "list"]).await.1, "");

    env.execute("INSERT INTO chatpush_dead VALUES (9, 2, '1-1', '[]', 'why', NOW())").await;
    assert_eq!(command(&["dead", "drop", "--all"]).await.0, Some(0));
    assert_eq!(command(&["dead", "list"]).await.1, "");
}

#[tokio::test]
async fn locked_user_row_delays_its_partition_alone() {
    use mysql_async::prelude::Queryable as _;
    let env = TestEnv::new().await;
    env.users(&[2, 3]).await;
    let _daemon = env.daemon().await;
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("UPDATE `user` SET password = 'x' WHERE id = 2").await.expect("the row is free");
    let php = env.php();
    let held = tokio::spawn(async move { php.get("var_dump(storeOfflineMessage(1, 2, 'held'));").await });
    eventually("the store waits", || env.log_length(2), |length| *length == 1).await;
    // Each call has less time than one wait for the lock takes.
    let hurried = env.php().with("chatpush.timeout_ms=900");
    let twice = "foreach (range(1, 2) as $i) {
        try { storeOfflineMessage(1, 3, 'first'); } catch (ChatPush\\TimeoutException) {}
    }";
    hurried.get(twice).await;
    eventually("they are stored", || env.stored(3), |rows| rows.len() == 2).await;
    hurried.get("foreach (range(1, 200) as $i) storeOfflineMessage(1, 3, \"free $i\");").await;
    assert_eq!((env.stored(3).await.len(), env.unread(3).await), (202, 202));
    assert!(env.stored(2).await.is_empty());
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    assert_eq!(held.await.expect("PHP ran").trim(), "bool(true)");
    assert_eq!((env.stored(2).await, env.unread(2).await), (vec!["held".to_owned()], 1));
}

/// After a restart on an older file, Redis would reuse ids that MySQL's position already covers.
#[tokio::test]
async fn truncated_log_is_moved_behind_the_position() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'one');").await;
    assert_eq!(daemon.stop(), Some(0));
    // As after a restart of Redis on an older file: the log is empty and the clock is behind.
    let log = env.log(2);
    let _: u64 = env.redis(&["DEL", &log]).await;
    let ahead: Vec<String> = env.query("SELECT CONCAT(UNIX_TIMESTAMP() + 86400, '000-5')").await;
    env.execute(&format!("UPDATE chatpush_position SET log_id = '{}' WHERE partition_id = 2", ahead[0]))
        .await;
    let _daemon = env.daemon().await;
    let last: Vec<redis::Value> = env.redis(&["XINFO", "STREAM", &log]).await;
    assert!(format!("{last:?}").contains(&ahead[0]), "{last:?}");
    env.php().get("storeOfflineMessage(1, 2, 'two');").await;
    assert_eq!(env.stored(2).await, ["one", "two"]);
}

#[tokio::test]
async fn writer_keeps_its_lease_while_all_partitions_are_locked() {
    use mysql_async::prelude::Queryable as _;
    let env = TestEnv::new().await;
    let users: Vec<u32> = (1..=64).collect();
    env.users(&users).await;
    let daemon = env.daemon().await;
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("UPDATE `user` SET password = 'x'").await.expect("the rows are free");
    let queued = env.php().with("chatpush.durability=queued");
    queued.get("foreach (range(1, 64) as $user) storeOfflineMessage(70, $user, 'held');").await;
    // The writer first tries all partitions in one transaction, then each alone and without waiting for
    // locks. Each failed try is rolled back, so the number of rollbacks shows that it keeps trying.
    let rollbacks = async || env.query::<(String, u64)>("SHOW GLOBAL STATUS LIKE 'Com_rollback'").await[0].1;
    let before = rollbacks().await;
    eventually("all are tried repeatedly", rollbacks, |now| *now >= before + 100).await;
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM offline_message").await, [0]);
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    eventually(
        "all are stored",
        || env.query::<u64>("SELECT COUNT(*) FROM offline_message"),
        |rows| *rows == [64],
    )
    .await;
    assert_eq!(daemon.metric("chatpush_terms_total").await, 1, "one term");
    assert_eq!(daemon.metric("chatpush_outages_total").await, 0);
}

#[tokio::test]
async fn locked_message_row_delays_its_partition_alone() {
    use mysql_async::prelude::Queryable as _;
    let env = TestEnv::new().await;
    env.users(&[2, 3]).await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'locked');").await;
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("SELECT * FROM offline_message FOR UPDATE").await.expect("the row is free");
    let reading = daemon.connect(2).await.keep_reading();
    eventually("the confirmation waits", || env.log_length(2), |length| *length == 1).await;
    let cleared = env.php().with("chatpush.timeout_ms=900");
    let thrice = "foreach (range(1, 3) as $i) {
        try { ChatPush\\clearUnreadCount(3); } catch (ChatPush\\TimeoutException) {}
    }";
    cleared.get(thrice).await;
    cleared.get("foreach (range(1, 100) as $i) ChatPush\\clearUnreadCount(3);").await;
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    eventually("the row is deleted", || env.stored(2), Vec::is_empty).await;
    reading.abort();
}

/// Whenever it is repeated: in the same batch, before the refusal is recorded in Redis, after Redis has lost
/// the record, and in the term of another daemon.
#[tokio::test]
async fn repeated_call_gets_the_refusal_of_the_first_one() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    env.execute("ALTER TABLE offline_message ADD CONSTRAINT short CHECK (CHAR_LENGTH(content) <= 10)").await;
    let send = "try { echo ChatPush\\sendMessage(1, 2, 'does not fit', message_id: 'm')->name; }
                catch (ChatPush\\Exception $e) {
                    echo $e->getOutcome()->value, ' ', json_encode($e->isRetryable()), ' ', $e->getMessage();
                }";
    let refused = |output: &str| {
        let refused = output.starts_with("not_queued false MySQL refused the message");
        assert!(refused, "{output}");
    };
    let id = MessageId::try_from("1:m".to_owned()).expect("an id");
    let seen = env.prefix().seen(&UserId::try_from(2).expect("a user id"), &id);

    // No daemon runs yet, so the repeated call is in one batch with the first one.
    let queued = env.php().with("chatpush.durability=queued").get(send).await;
    assert_eq!(queued, "Stored");
    let php = env.php();
    let repeated = tokio::spawn(async move { php.get(send).await });
    eventually("the call is repeated", || env.log_length(2), |length| *length == 2).await;
    let daemon = env.daemon().await;
    refused(&repeated.await.expect("PHP ran"));
    refused(&env.php().get(send).await);

    // As before the refusal was recorded.
    let _: String = env.redis(&["SET", &seen, "0", "PX", "60000"]).await;
    refused(&env.php().get(send).await);
    let record: String = env.redis(&["GET", &seen]).await;
    assert!(record.contains("refused"), "it is recorded again: {record}");

    // Another daemon knows it from the table.
    assert_eq!(daemon.stop(), Some(0));
    let _: String = env.redis(&["SET", &seen, "0", "PX", "60000"]).await;
    let _daemon = env.daemon().await;
    refused(&env.php().get(send).await);
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await, [1]);

    env.execute("ALTER TABLE offline_message DROP CONSTRAINT short").await;
    assert_eq!(Daemon::command(&env, &["dead", "retry", "--all"]).await.status.code(), Some(0));
    eventually("it is stored", || env.stored(2), |rows| rows.len() == 1).await;
    assert_eq!(env.php().get(send).await, "Stored");
    assert_eq!(env.stored(2).await, ["does not fit"]);
}
