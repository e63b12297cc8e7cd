//! An application's transaction that holds a user's row.

use chatpush_tests::eventually::eventually;
use mysql_async::prelude::Queryable as _;

use super::{first_due, ids, installation, noted, nothing_is_noted};

/// Nobody else waits for it: others become due, and those who have read are forgotten. The user who is held is looked
/// at again afterwards.
#[tokio::test]
async fn user_who_is_locked_holds_up_no_other() {
    let env = installation("unread").await;
    let _daemon = env.daemon().await;
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("SELECT * FROM user WHERE id = 3 FOR UPDATE").await.expect("the row is free");
    // Nothing waits for 1 and 3, nor for 9, who has no row.
    env.execute(
        "INSERT INTO chatpush_notified (user_id, since_ms, check_at) VALUES (1, 1, 1), (3, 1, 1), (9, 1, 1)",
    )
    .await;
    let looked_at =
        || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE user_id = 3 AND check_at > 1");
    eventually("3 was looked at", looked_at, |count| *count == [1]).await;
    nothing_is_noted(&env, 1).await;
    nothing_is_noted(&env, 9).await;
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    assert_eq!(ids(&first_due(&env).await), [2]);
    assert_eq!(noted(&env, 3).await, Some((true, false, false)));
    application.query_drop("UPDATE user SET unread_count = 1 WHERE id = 3").await.expect("it is ours");
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    assert_eq!(ids(&first_due(&env).await), [3]);
}
