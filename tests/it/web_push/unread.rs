//! Users who have messages that they have not read: `notify.when` is `unread`.

use chatpush_tests::eventually::eventually;
use serde_json::json;

use super::push_service::PushService;
use super::{installation, nobody_is_due, subscribed};

/// An open page confirms, so that no row is left that says who has sent; the message is unread all the same.
#[tokio::test]
async fn messages_without_a_row_have_no_sender() {
    let service = PushService::start().await;
    let env = installation(&service, &service.host()).await.with("CHATPUSH_NOTIFY_WHEN", "unread");
    let daemon = env.daemon().await;
    subscribed(&daemon, 2, &service.subscription("a")).await;
    let mut page = daemon.connect_with(2, "chatpush.v1").await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'x', 'chat', 'x');").await;
    while page.json().await["id"] != "1:x" {}
    page.send_text(&json!({"ack": ["1:x"]}).to_string()).await;
    let payload = service.received(1).await.remove(0).payload;
    assert_eq!(payload["chatpush"], json!({"user_id": "2", "waiting": 0, "unread": 1}));
    let notification = &payload["notification"];
    assert_eq!(notification["body"], "1 unread, 0 waiting, the last from ");
    assert_eq!(notification["app_badge"], "1");
}

/// Whoever reads between two tries is not told any more: by a call, or by a counter that the application sets to 0.
#[tokio::test]
async fn what_was_read_before_a_try_is_not_told() {
    let service = PushService::start().await;
    let env = installation(&service, &service.host()).await.with("CHATPUSH_NOTIFY_WHEN", "unread");
    let daemon = env.daemon().await;
    for (user, browser) in [(1, "one"), (2, "two"), (3, "three")] {
        subscribed(&daemon, user, &service.subscription(browser)).await;
        service.answer(browser, "503 Service Unavailable\r\nRetry-After: 3000");
    }
    env.php().get("storeOfflineMessage(1, 2, 'a'); storeOfflineMessage(1, 3, 'b');").await;
    let put_off = "SELECT COUNT(*) FROM chatpush_notified WHERE tries = 1 AND lease IS NULL";
    eventually("both are put off", || env.query::<u64>(put_off), |count| *count == [2]).await;
    env.php().get("ChatPush\\clearUnreadCount(2);").await;
    env.execute("UPDATE user SET unread_count = 0 WHERE id = 3").await;
    for browser in ["one", "two", "three"] {
        service.answer(browser, "201 Created");
    }
    // The pause is over.
    env.execute("UPDATE chatpush_push SET next_try_at = 0").await;
    env.execute("UPDATE chatpush_notified SET offer_at = 1 WHERE offer_at IS NOT NULL").await;
    let noted = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified");
    eventually("nothing is noted of them", noted, |count| *count == [0]).await;
    env.php().get("storeOfflineMessage(2, 1, 'c');").await;
    let mut paths: Vec<_> = service.received(3).await.into_iter().map(|push| push.path).collect();
    nobody_is_due(&env).await;
    paths.sort_unstable();
    assert_eq!(paths, ["/one", "/three", "/two"]);
}
