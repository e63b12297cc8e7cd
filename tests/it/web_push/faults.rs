//! What happens between the answer of a push service and its record.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

use super::push_service::PushService;
use super::{counted, installation, nobody_is_due, subscribed};

/// That somebody was told cannot be recorded any more. Who it was about is kept outside of the transaction.
async fn refuse_records(env: &TestEnv) {
    env.execute("CREATE TABLE refused (user_id INT) ENGINE = MyISAM").await;
    env.execute(
        "CREATE TRIGGER no_record BEFORE UPDATE ON chatpush_notified FOR EACH ROW \
         IF NEW.told_at IS NOT NULL THEN \
         INSERT INTO refused VALUES (NEW.user_id); SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not now'; END IF",
    )
    .await;
}

async fn refused(env: &TestEnv, users: &[u32], times: u64) {
    for user in users {
        let sql = format!("SELECT COUNT(*) FROM refused WHERE user_id = {user}");
        let count = || env.query::<u64>(&sql);
        eventually("the record is refused", count, |count| count[0] >= times).await;
    }
}

async fn allow_records(env: &TestEnv) {
    env.execute("DROP TRIGGER no_record").await;
}

/// Ends the lease of a user who is not told.
async fn end_lease(env: &TestEnv) {
    env.execute("UPDATE chatpush_notified SET offer_at = 1, lease = NULL WHERE told_at IS NULL").await;
}

async fn subscribe(daemon: &Daemon, service: &PushService) {
    for (user, browser) in [(2, "a"), (3, "b")] {
        subscribed(daemon, user, &service.subscription(browser)).await;
    }
}

/// The daemon that sends is killed between the answer and the record: the other one sends the same once more. It
/// replaces the first, and each browser gets what concerns its own user.
#[tokio::test]
async fn kill_before_the_record_sends_what_replaces_the_first() {
    let service = PushService::start().await;
    let env = installation(&service, &service.host()).await;
    let first = env.daemon().await;
    subscribe(&first, &service).await;
    let second = env.daemon().await;
    refuse_records(&env).await;
    env.php().get("storeOfflineMessage(1, 2, 'a'); storeOfflineMessage(1, 3, 'b');").await;
    refused(&env, &[2, 3], 1).await;
    first.kill();
    allow_records(&env).await;
    nobody_is_due(&env).await;
    counted(&second, "accepted", 2).await;
    let pushes = service.pushes();
    for (user, path) in [("2", "/a"), ("3", "/b")] {
        let sent: Vec<_> = pushes.iter().filter(|push| push.path == path).collect();
        assert_eq!(sent.len(), 2, "{pushes:?}");
        assert!(sent.iter().all(|push| push.headers["topic"] == "chatpush"), "{sent:?}");
        assert_eq!(sent[0].payload, sent[1].payload);
        assert_eq!(sent[0].payload["chatpush"]["user_id"], user);
        assert_eq!(sent[0].payload["notification"]["tag"], "chatpush");
    }
    assert_eq!(pushes.len(), 4);
}

/// The record fails, and the lease ends: the same daemon knows what was accepted, and sends nothing.
#[tokio::test]
async fn what_was_accepted_is_not_repeated_if_the_record_fails() {
    let service = PushService::start().await;
    let env = installation(&service, &service.host()).await;
    let daemon = env.daemon().await;
    subscribe(&daemon, &service).await;
    refuse_records(&env).await;
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    refused(&env, &[2], 1).await;
    end_lease(&env).await;
    refused(&env, &[2], 2).await;
    allow_records(&env).await;
    end_lease(&env).await;
    nobody_is_due(&env).await;
    let told: Vec<u32> = env.query("SELECT user_id FROM chatpush_notified WHERE told_at > 0").await;
    assert_eq!((told, service.pushes().len()), (vec![2], 1));
}
