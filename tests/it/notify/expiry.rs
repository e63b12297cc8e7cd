//! Messages that have waited for longer than `mailbox.max_age_days`.

use chatpush_tests::eventually::eventually;

use super::{due, first_due, ids, installation, mark, noted, nothing_is_noted};

/// What expires is not told any more. Whoever was told of it before is told of the next message.
#[tokio::test]
async fn expired_messages_tell_nobody() {
    for when in ["undelivered", "unread"] {
        let env = installation(when).await;
        let daemon = env.daemon().await;
        env.php().get("storeOfflineMessage(1, 3, 'told of');").await;
        assert_eq!(ids(&first_due(&env).await), [3]);
        assert_eq!(mark(&env, "3").await, "1");
        env.php().get("storeOfflineMessage(1, 2, 'due');").await;
        let is_due = Some((false, true, false));
        eventually("2 is due", || noted(&env, 2), |noted| *noted == is_due).await;
        daemon.stop();
        env.execute("UPDATE chatpush_message SET time_ms = time_ms - 3 * 86400000").await;
        env.execute("UPDATE offline_message SET send_time = send_time - INTERVAL 3 DAY").await;
        assert_eq!(noted(&env, 2).await, is_due);

        let _daemon = env.clone().with("CHATPUSH_MAILBOX_MAX_AGE_DAYS", "2").daemon().await;
        for user in [2, 3] {
            eventually("it has expired", || env.stored_count(user), |count| *count == 0).await;
        }
        assert_eq!(ids(&due(&env, 60).await), [0; 0], "{when}");
        for user in [2, 3] {
            nothing_is_noted(&env, user).await;
        }
        env.php().get("storeOfflineMessage(1, 3, 'next');").await;
        assert_eq!(ids(&first_due(&env).await), [3], "{when}");
    }
}
