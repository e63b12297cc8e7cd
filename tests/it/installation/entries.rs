//! New kinds of entries in the log.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

/// A new kind of entry is written only when every daemon reads it.
#[tokio::test]
async fn generation_of_entries_rises_when_every_daemon_reads_it() {
    let env = TestEnv::new().await;
    let key = env.prefix().installation();
    let heartbeats = env.prefix().heartbeats();
    let daemon = env.daemon().await;
    let found = async || env.redis::<String>(&["GET", &key]).await;
    // A daemon whose database is slow to answer adds the content column later.
    let record = eventually("the record is complete", found, |record| record.contains("utf8mb4")).await;
    daemon.stop();
    let older = record.replace("\"entries\":2", "\"entries\":1");
    let _: String = env.redis(&["SET", &key, &older]).await;
    // A daemon of an older version lives: its heartbeat says what it reads.
    let _: u64 = env.redis(&["DEL", &heartbeats]).await;
    let _: u64 = env.redis(&["HSET", &heartbeats, "older", "99999999999999 1 1"]).await;
    let _daemon = env.daemon().await;
    let judged = async || env.redis::<Option<String>>(&["HGET", &heartbeats, "silent"]).await;
    let _: u64 = env.redis(&["HSET", &heartbeats, "silent", "1 1 1"]).await;
    eventually("the daemon judges the others", judged, Option::is_none).await;
    assert_eq!(env.redis::<String>(&["GET", &key]).await, older);
    let _: u64 = env.redis(&["HDEL", &heartbeats, "older"]).await;
    eventually("it rises", found, |found| *found == record).await;
}

/// What a daemon writes by itself keeps to that, too.
#[tokio::test]
async fn new_entries_of_daemons_wait_until_every_daemon_reads_them() {
    let env = TestEnv::bare().await.with("CHATPUSH_UNREAD_BY_CONVERSATION", "true").set_up().await;
    // Both are of one partition.
    env.users(&[2, 66]).await;
    let (key, heartbeats) = (env.prefix().installation(), env.prefix().heartbeats());
    let daemon = env.daemon().await;
    env.execute(REFUSE_DELETES).await;
    let code = "ChatPush\\sendMessage(1, 2, 'to a team', message_id: 'a', conversation: 'team');
                storeOfflineMessage(1, 66, 'to one');
                try { ChatPush\\recallMessage(1, 2, 'a'); } catch (ChatPush\\Exception $e) { echo 'refused'; }";
    assert_eq!(env.php().get(code).await, "refused");
    let record: String = env.redis(&["GET", &key]).await;
    daemon.stop();
    env.execute("DROP TRIGGER keep").await;
    let older = record.replace("\"entries\":2", "\"entries\":1");
    let _: String = env.redis(&["SET", &key, &older]).await;
    let _: u64 = env.redis(&["DEL", &heartbeats]).await;
    let _: u64 = env.redis(&["HSET", &heartbeats, "older", "99999999999999 1 1"]).await;

    let daemon = env.daemon().await;
    let (mut team, mut other) =
        (daemon.connect_with(2, "chatpush.v1").await, daemon.connect_with(66, "chatpush.v1").await);
    team.until_unread_count().await;
    other.until_unread_count().await;
    let read_team = r#"{"read":{"conversation":"team"}}"#;
    team.send_text(read_team).await;
    other.send_text(r#"{"read":true}"#).await;
    eventually("the clear of every generation is applied", || env.unread(66), |unread| *unread == 0).await;
    assert_eq!((env.log_length(2).await, env.unread(2).await), (0, 1));
    let retry = async || Daemon::command(&env, &["dead", "retry", "--all"]).await;
    let refused = retry().await;
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && text.contains("an older version is running"), "{text}");
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await, [1]);

    let _: u64 = env.redis(&["HDEL", &heartbeats, "older"]).await;
    let found = async || env.redis::<String>(&["GET", &key]).await;
    eventually("every daemon reads them", found, |found| *found == record).await;
    let again = tokio::sync::Mutex::new(daemon.connect_with(2, "chatpush.v1").await);
    again.lock().await.until_unread_count().await;
    let cleared = async || {
        again.lock().await.send_text(read_team).await;
        env.unread(2).await
    };
    eventually("the conversation is cleared", cleared, |unread| *unread == 0).await;
    let retried = retry().await;
    assert!(retried.status.success(), "{retried:?}");
    eventually("the message is recalled", || env.stored_count(2), |count| *count == 0).await;
}

/// A trigger that lets no row of user 2 go.
const REFUSE_DELETES: &str = "CREATE TRIGGER keep BEFORE DELETE ON offline_message FOR EACH ROW \
    IF OLD.receiver_id = 2 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'kept'; END IF";
