//! A writer that is killed.

use serde_json::json;

use super::{installation, next_unread};

/// The next writer publishes the counters that the last one has changed a short time before: it may have been killed
/// behind its commit.
#[tokio::test]
async fn next_writer_publishes_the_last_counters() {
    let env = installation().await;
    let writer = env.daemon().await;
    let other = env.daemon().await;
    let mut browser = other.connect_with(2, "chatpush.v1").await;
    assert_eq!(next_unread(&mut browser).await, (json!({}), 0));
    env.php().get("ChatPush\\sendMessage(1, 2, 'text', conversation: 'team');").await;
    assert_eq!(next_unread(&mut browser).await, (json!({"team": 1}), 1));
    // As a commit of which nobody was told.
    env.execute("UPDATE `user` JOIN chatpush_unread ON user_id = id SET unread_count = 7, unread = 7").await;
    writer.kill();
    assert_eq!(next_unread(&mut browser).await, (json!({"team": 7}), 7));
}
