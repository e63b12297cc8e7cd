//! Failures that every entry of a kind meets. None is the reason: they wait, and none is set aside.

use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

/// A call that waits longer than an entry is tried.
const LATE: &str = "try { storeOfflineMessage(1, 2, str_repeat('x', 40000)); }
                    catch (ChatPush\\TimeoutException) { echo 'late'; }
                    catch (ChatPush\\Exception $e) { echo $e->getMessage(); }";

async fn nothing_is_set_aside(env: &TestEnv, messages: u64) {
    eventually("it is stored", || env.stored_count(2), |count| *count == messages).await;
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await, [0]);
}

/// On a full disk a short row may still find room where a long one does not.
#[tokio::test]
async fn full_disk_with_room_for_short_rows_sets_no_long_one_aside() {
    let env = TestEnv::new().await;
    env.users(&[2, 3]).await;
    env.execute(
        "CREATE TRIGGER full BEFORE INSERT ON offline_message FOR EACH ROW \
         IF LENGTH(NEW.content) > 1000 THEN \
         SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'The table is full'; END IF",
    )
    .await;
    let _daemon = env.daemon().await;
    let late = env.php().with("chatpush.timeout_ms=10000");
    let late = tokio::spawn(async move { late.get(LATE).await });
    eventually("it waits", || env.log_length(2), |length| *length == 1).await;
    let short = "foreach (range(1, 40) as $i) { storeOfflineMessage(1, 3, 'short'); usleep(200000); }";
    env.php().with("chatpush.timeout_ms=180000").get(short).await;
    assert_eq!(late.await.expect("PHP ran"), "late");
    assert_eq!(env.stored_count(3).await, 40);
    env.execute("DROP TRIGGER full").await;
    nothing_is_set_aside(&env, 1).await;
}

/// Only a row shows it: the tables of chatpush and the application can be used.
#[tokio::test]
async fn trigger_that_fails_for_every_row_sets_nothing_aside() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    env.execute("CREATE TABLE audit (id int)").await;
    env.execute(
        "CREATE TRIGGER note BEFORE INSERT ON offline_message FOR EACH ROW INSERT INTO audit VALUES (1)",
    )
    .await;
    env.execute("RENAME TABLE audit TO away").await;
    let _daemon = env.daemon().await;
    assert_eq!(env.php().with("chatpush.timeout_ms=8000").get(LATE).await, "late");
    env.execute("RENAME TABLE away TO audit").await;
    nothing_is_set_aside(&env, 1).await;
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM audit").await, [1], "what is tried leaves no row");
}

#[tokio::test]
async fn slow_server_sets_nothing_aside() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    env.execute("CREATE TRIGGER slow BEFORE INSERT ON offline_message FOR EACH ROW DO SLEEP(8)").await;
    let _daemon = env.daemon().await;
    // Longer than three tries.
    let two = "foreach ([1, 2] as $i) try { storeOfflineMessage(1, 2, 'x'); }
               catch (ChatPush\\TimeoutException) { echo 'late '; }
               catch (ChatPush\\Exception $e) { echo $e->getMessage(); }";
    let php = env.php().with("chatpush.timeout_ms=20000").with("chatpush.durability=committed");
    php.get(two).await;
    env.execute("DROP TRIGGER slow").await;
    nothing_is_set_aside(&env, 2).await;
}

/// It takes longer than one row may take.
#[tokio::test]
async fn delete_of_many_rows_may_take_long() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         SELECT 1, 2, seq, NOW() FROM seq_1_to_5000",
    )
    .await;
    env.execute("CREATE TRIGGER slow BEFORE DELETE ON offline_message FOR EACH ROW DO SLEEP(0.002)").await;
    let _daemon = env.daemon().await;
    let code = "echo ChatPush\\ackOfflineMessage(2, range(1, 5000));";
    assert_eq!(env.php().with("chatpush.timeout_ms=180000").get(code).await, "5000");
    nothing_is_set_aside(&env, 0).await;
}
