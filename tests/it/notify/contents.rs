//! Contents of messages, which may be large.

use chatpush_tests::eventually::eventually;

use super::{due, ids, installation};

/// A job gets as many users at a time as their contents have room: a large one alone, and no one is left out.
#[tokio::test]
async fn contents_are_returned_as_far_as_they_fit() {
    let env = installation("undelivered").await;
    env.execute("ALTER TABLE offline_message MODIFY content mediumtext NOT NULL").await;
    env.execute("INSERT IGNORE INTO `user` (id) SELECT seq FROM seq_1_to_6").await;
    let _daemon = env.daemon().await;
    // Bytes count: half of the users have 600 KiB, and the others little.
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         SELECT 1, seq, IF(seq <= 3, REPEAT('é', 300 * 1024), 'small'), NOW() FROM seq_1_to_6",
    )
    .await;
    let all = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE offer_at IS NOT NULL");
    eventually("all are due", all, |count| *count == [6]).await;
    env.execute("UPDATE chatpush_notified SET offer_at = user_id, due_at = user_id").await;
    assert_eq!(ids(&due(&env, 60).await), [1]);
    assert_eq!(ids(&due(&env, 60).await), [2]);
    let last = due(&env, 60).await;
    assert_eq!(ids(&last), [3, 4, 5, 6]);
    let bytes: Vec<_> = last.iter().map(|due| due["last"]["content"].as_str().map(str::len)).collect();
    assert_eq!(bytes, [Some(600 * 1024), Some(5), Some(5), Some(5)]);
}
