//! Users who have messages that they have not read: `notify.when` is `unread`.

use chatpush_tests::eventually::eventually;
use serde_json::{Value, json};

use super::application::{Application, Request};
use super::{installation, nobody_is_due};

/// What was said of a user, and how often.
fn told(requests: &[Request], user: u64) -> Vec<Value> {
    let own = requests.iter().filter(|request| request.user() == user);
    own.map(|request| request.json()["data"].clone()).collect()
}

/// A row of the application is described like ours. Once an open page has confirmed it there is none, and the message is
/// unread all the same.
#[tokio::test]
async fn the_last_message_is_told_while_it_has_a_row() {
    let application = Application::start("204 No Content").await;
    let env = installation(application.port).await.with("CHATPUSH_NOTIFY_WHEN", "unread");
    let daemon = env.daemon().await;
    let mut page = daemon.connect_with(3, "chatpush.v1").await;
    env.php().get("ChatPush\\sendMessage(1, 3, 'x', 'chat', 'x');").await;
    while page.json().await["id"] != "1:x" {}
    page.send_text(&json!({"ack": ["1:x"]}).to_string()).await;
    env.execute(
        "INSERT INTO offline_message (id, sender_id, receiver_id, content, send_time) VALUES (7, 3, 2, 'mine', NOW())",
    )
    .await;
    env.execute("UPDATE user SET unread_count = 1 WHERE id = 2").await;
    let requests = application.received(2).await;
    let without = json!({"user_id": 3, "waiting": 0, "unread": 1, "first_time": null, "last": null});
    assert_eq!(told(&requests, 3), [without]);
    let mut said = told(&requests, 2);
    let id = said[0]["last"]["message_id"].take();
    assert!(id.as_str().is_some_and(|id| id.starts_with("row/7/")), "{id}");
    let seconds: Vec<u64> =
        env.query("SELECT UNIX_TIMESTAMP(send_time) FROM offline_message WHERE id = 7").await;
    let time = seconds[0] * 1_000;
    let last = json!({"message_id": null, "sender_id": 3, "type": "text", "time": time});
    let with = json!({"user_id": 2, "waiting": 1, "unread": 1, "first_time": time, "last": last});
    assert_eq!(said, [with]);
}

/// Whoever reads between two tries is not told any more: by a call, or by a counter that the application sets to 0.
#[tokio::test]
async fn what_was_read_before_a_try_is_not_told() {
    let application = Application::start("503 Service Unavailable\r\nRetry-After: 3000").await;
    let env = installation(application.port).await.with("CHATPUSH_NOTIFY_WHEN", "unread");
    let _daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'a'); storeOfflineMessage(1, 3, 'b');").await;
    let put_off = "SELECT COUNT(*) FROM chatpush_notified WHERE tries = 1 AND lease IS NULL";
    eventually("both are put off", || env.query::<u64>(put_off), |count| *count == [2]).await;
    env.php().get("ChatPush\\clearUnreadCount(2);").await;
    env.execute("UPDATE user SET unread_count = 0 WHERE id = 3").await;
    application.answer("200 OK");
    // The pause is over.
    env.execute("UPDATE chatpush_notified SET offer_at = 1 WHERE offer_at IS NOT NULL").await;
    let noted = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified");
    eventually("nothing is noted of them", noted, |count| *count == [0]).await;
    env.php().get("storeOfflineMessage(2, 1, 'c');").await;
    let requests = application.received(3).await;
    nobody_is_due(&env).await;
    assert_eq!([1, 2, 3].map(|user| told(&requests, user).len()), [1, 1, 1]);
}
