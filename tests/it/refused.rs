//! Entries that MySQL refuses for reasons that no list has, and sizes and values at their limits.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

/// Stores one message that MySQL refuses, whatever the error is, and then others.
async fn refused_alone(env: &TestEnv, named: &str) {
    let code = "try { storeOfflineMessage(1, 2, 'poison'); echo 'stored'; }
                catch (ChatPush\\Exception $e) { echo $e->getMessage(); }";
    let message = env.php().get(code).await;
    assert!(message.contains("chatpush_dead") && message.contains(named), "{message}");
    let rest = "var_dump(storeOfflineMessage(1, 2, 'same user'), storeOfflineMessage(1, 3, 'other user'));";
    assert_eq!(env.php().get(rest).await, "bool(true)\nbool(true)\n");
    assert_eq!(
        (env.stored(2).await, env.stored(3).await),
        (vec!["same user".to_owned()], vec!["other user".to_owned()])
    );
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await, [1]);
}

#[tokio::test]
async fn entry_refused_by_a_trigger_with_its_own_state_is_set_aside() {
    let env = TestEnv::new().await;
    env.users(&[2, 3]).await;
    env.refuse_rows("NEW.content = 'poison'", "77777").await;
    let _daemon = env.daemon().await;
    refused_alone(&env, "not here").await;
}

/// An error that is tried again for seconds, for one of many receivers: the others get their messages.
#[tokio::test]
async fn receiver_refused_with_an_unknown_error_is_set_aside_alone() {
    let env = TestEnv::new().await;
    env.users(&[2, 66, 130, 194]).await;
    env.refuse_rows("NEW.receiver_id = 130", "77777").await;
    let _daemon = env.daemon().await;
    let code = "try { ChatPush\\sendToUsers(1, [2, 66, 130, 194], 'to four'); }
                catch (ChatPush\\PartialException $e) {
                    echo implode(' ', array_keys($e->getDeliveries())), ' but ', key($e->getOutcomes());
                    echo ' ', current($e->getOutcomes())->value, ' ', $e->getMessage();
                }";
    let text = env.php().get(code).await;
    assert!(text.starts_with("2 66 194 but 130 not_queued ") && text.contains("not here"), "{text}");
    for user in [2, 66, 194] {
        assert_eq!((env.stored(user).await, env.unread(user).await), (vec!["to four".to_owned()], 1));
    }
    assert_eq!((env.stored(130).await.len(), env.unread(130).await), (0, 0));
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await, [1]);
    env.execute("DROP TRIGGER guard").await;
    let retried = Daemon::command(&env, &["dead", "retry", "--all"]).await;
    assert!(String::from_utf8_lossy(&retried.stdout).contains("from 1 to 130, 7 bytes"), "{retried:?}");
    eventually("it is stored after all", || env.stored(130), |stored| *stored == ["to four"]).await;
}

#[tokio::test]
async fn entry_refused_by_a_failing_trigger_is_set_aside() {
    let env = TestEnv::new().await;
    env.users(&[2, 3]).await;
    env.execute(
        "CREATE TRIGGER count_users BEFORE INSERT ON offline_message FOR EACH ROW \
         SET NEW.sender_id = IF(NEW.content = 'poison', (SELECT id FROM `user`), NEW.sender_id)",
    )
    .await;
    let _daemon = env.daemon().await;
    refused_alone(&env, "more than 1 row").await;
}

/// The trigger counts in a table in memory, which is full.
#[tokio::test]
async fn entry_refused_for_a_full_table_of_a_trigger_is_set_aside() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2, 3]).await;
    env.servers().sql("SET GLOBAL max_heap_table_size = 16384").await;
    env.execute("CREATE TABLE audit (filler char(200)) ENGINE=MEMORY").await;
    env.execute(
        "CREATE TRIGGER note BEFORE INSERT ON offline_message FOR EACH ROW \
         IF NEW.content = 'poison' THEN INSERT INTO audit SELECT 'x' FROM seq_1_to_10000; END IF",
    )
    .await;
    let _daemon = env.daemon().await;
    refused_alone(&env, "is full").await;
}

/// The table is at fault, not the entries: they wait, and none is set aside. What does not need it goes on.
#[tokio::test]
async fn missing_table_sets_nothing_aside() {
    let env = TestEnv::new().await;
    env.users(&[2, 3]).await;
    env.execute("UPDATE `user` SET unread_count = 5 WHERE id = 3").await;
    let _daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'first');").await;
    env.execute("RENAME TABLE offline_message TO away").await;
    let hurried = env.php().with("chatpush.timeout_ms=6000");
    let code =
        "try { storeOfflineMessage(1, 2, 'second'); } catch (ChatPush\\TimeoutException) { echo 'late'; }";
    let late = tokio::spawn(async move { hurried.get(code).await });
    eventually("it waits", || env.log_length(2), |length| *length == 1).await;
    env.php().get("ChatPush\\clearUnreadCount(3);").await;
    assert_eq!(env.unread(3).await, 0, "of another partition");
    assert_eq!(late.await.expect("PHP ran"), "late", "longer than an entry is tried");
    env.execute("RENAME TABLE away TO offline_message").await;
    eventually("it is stored", || env.stored(2), |rows| *rows == ["first", "second"]).await;
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await, [0]);
}

/// Every message meets the same error. Each is set aside, and the caller hears it.
#[tokio::test]
async fn table_without_auto_increment_refuses_each_message() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    // A daemon does not begin to write with such a table.
    let _daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'before');").await;
    env.execute("ALTER TABLE offline_message MODIFY id int NOT NULL").await;
    let code = "foreach (range(1, 3) as $i) {
        try { storeOfflineMessage(1, 2, \"$i\"); } catch (ChatPush\\TimeoutException) { echo 'late'; }
        catch (ChatPush\\Exception $e) { echo 'refused '; }
    }";
    assert_eq!(env.php().get(code).await.trim(), "refused refused refused");
}

#[tokio::test]
async fn small_max_allowed_packet_stops_nothing() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    env.servers().sql("SET GLOBAL max_allowed_packet = 1048576").await;
    let queued = env.php().with("chatpush.durability=queued");
    // Each quote takes two bytes in a statement.
    queued.get("foreach (range(1, 40) as $i) storeOfflineMessage(1, 2, str_repeat(\"'\", 65535));").await;
    let daemon = env.daemon().await;
    eventually("all are stored", || env.stored_count(2), |count| *count == 40).await;

    // A daemon that finds less waits until the server accepts enough.
    daemon.stop();
    env.servers().sql("SET GLOBAL max_allowed_packet = 65536").await;
    let daemon = Daemon::launch(&env);
    let ready = || daemon.get("/ready");
    eventually("it says so", ready, |answer| {
        answer.contains("mysql: ") && answer.contains("max_allowed_packet")
    })
    .await;
    queued.get("storeOfflineMessage(1, 2, str_repeat(\"'\", 65535));").await;
    env.servers().sql("SET GLOBAL max_allowed_packet = 1048576").await;
    eventually("it is stored", || env.stored_count(2), |count| *count == 41).await;
}

#[tokio::test]
async fn counter_stops_at_the_largest_value_of_its_column() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    env.execute("ALTER TABLE `user` MODIFY unread_count smallint NOT NULL DEFAULT 0").await;
    env.execute("UPDATE `user` SET unread_count = 32766").await;
    let _daemon = env.daemon().await;
    let code = "foreach (range(1, 3) as $i) var_dump(storeOfflineMessage(1, 2, 'x'));";
    assert_eq!(env.php().get(code).await, "bool(true)\nbool(true)\nbool(true)\n");
    assert_eq!((env.stored_count(2).await, env.unread(2).await), (3, 32_767));
}
