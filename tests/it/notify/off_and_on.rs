//! Notifications that are switched off for a while.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;

use super::{due, first_due, ids, installation, mark};

/// What was stored meanwhile counts, from us and from the application. What somebody was told of before does not again.
#[tokio::test]
async fn what_comes_while_they_are_off_counts() {
    for when in ["undelivered", "unread"] {
        let on = installation(when).await;
        let daemon = on.daemon().await;
        on.php().get("storeOfflineMessage(9, 1, 'before');").await;
        assert_eq!(ids(&first_due(&on).await), [1]);
        assert_eq!(mark(&on, "1").await, "1");
        daemon.stop();
        let off = on.clone().without("CHATPUSH_NOTIFY_AFTER").without("CHATPUSH_NOTIFY_WHEN");
        let daemon = off.daemon().await;
        off.php().get("storeOfflineMessage(9, 2, 'meanwhile');").await;
        off.execute(
            "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) VALUES (9, 3, 'mine', NOW())",
        )
        .await;
        off.execute("UPDATE user SET unread_count = 1 WHERE id = 3").await;
        daemon.stop();
        // As an operator does who switches them on.
        assert!(Daemon::command(&on, &["migrate"]).await.status.success());
        let _daemon = on.daemon().await;
        let offered = || on.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE offer_at IS NOT NULL");
        eventually("both are due", offered, |count| *count == [2]).await;
        let mut found = ids(&due(&on, 60).await);
        found.sort_unstable();
        assert_eq!(found, [2, 3], "{when}");
    }
}
