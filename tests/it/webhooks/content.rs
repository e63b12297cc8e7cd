//! What a message says, and ids that are texts or have 64 bits.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use chatpush_wire::id::UserIdType;
use serde_json::json;

use super::application::Application;
use super::{SECRET, installation};

/// With `notify.show_content` the message is in it.
#[tokio::test]
async fn content_is_sent_if_it_may_be() {
    let application = Application::start("200 OK").await;
    let env = installation(application.port).await.with("CHATPUSH_NOTIFY_SHOW_CONTENT", "true");
    let _daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'Guten Morgen, \u{4f60}\u{597d}');").await;
    let sent = application.received(1).await.remove(0).json();
    assert_eq!(sent["data"]["last"]["content"], "Guten Morgen, \u{4f60}\u{597d}");
}

/// Users whose ids are texts, or have more than 31 bits, are given to a job and to a webhook.
#[tokio::test]
async fn other_ids_are_told() {
    for (ids, sender, user, quote) in
        [(UserIdType::Text, "ann", "Bob-7", "'"), (UserIdType::BigInt, "5", "4294967296123", "")]
    {
        let application = Application::start("500 Internal Server Error").await;
        let env = TestEnv::with_user_ids(ids).await;
        let env = env
            .with("CHATPUSH_NOTIFY_AFTER", "1")
            .with("CHATPUSH_WEBHOOK_URL", format!("http://127.0.0.1:{}/", application.port))
            .with("CHATPUSH_WEBHOOK_SECRET", SECRET);
        assert!(Daemon::command(&env, &["migrate"]).await.status.success());
        let _daemon = env.daemon().await;
        env.php()
            .get(&format!("storeOfflineMessage({quote}{sender}{quote}, {quote}{user}{quote}, 'a');"))
            .await;
        let request = application.received(1).await.remove(0);
        assert!(request.headers["webhook-id"].starts_with(&format!("waiting-{user}-")));
        let data = &request.json()["data"];
        assert_eq!((&data["user_id"], &data["last"]["sender_id"]), (&json!(user), &json!(sender)));
        let due = || async {
            env.php().get("foreach (ChatPush\\getDueNotifications() as $due) echo $due['user_id'];").await
        };
        eventually("PHP gets the user between two requests", due, |found| found == user).await;
        assert_eq!(
            env.php().get(&format!("echo ChatPush\\markNotified([{quote}{user}{quote}]);")).await,
            "1"
        );
    }
}
