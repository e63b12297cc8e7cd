//! Connections of users who are due or told, several daemons, and several jobs.

use std::collections::BTreeSet;

use chatpush_tests::eventually::eventually;
use chatpush_wire::id::UserId;
use chatpush_wire::partition::Partition;
use serde_json::Value;

use super::{due, first_due, ids, installation, mark, noted};

fn user(id: i64) -> UserId {
    UserId::try_from(id).expect("a user id")
}

/// Whoever comes cancels what is due, also without a confirmation. When they have left, the time begins again.
#[tokio::test]
async fn connecting_cancels_what_is_due() {
    let env = installation("undelivered").await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'x');").await;
    let is_due = Some((false, true, false));
    eventually("2 is due", || noted(&env, 2), |noted| *noted == is_due).await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    while browser.json().await["type"] != "unread_count" {}
    assert_eq!(ids(&due(&env, 60).await), [0; 0], "2 is here");
    drop(browser);
    assert_eq!(ids(&first_due(&env).await), [2]);
}

/// Somebody was told of them; they have come, have confirmed nothing, and have left.
#[tokio::test]
async fn whoever_was_told_of_and_has_come_is_due_again() {
    let env = installation("undelivered").await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'x');").await;
    assert_eq!(ids(&first_due(&env).await), [2]);
    assert_eq!(mark(&env, "2").await, "1");
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    while browser.json().await["type"] != "unread_count" {}
    drop(browser);
    assert_eq!(ids(&first_due(&env).await), [2]);
}

/// The same while MySQL cannot record the return, and the daemon they came to is killed before it can.
#[tokio::test]
async fn return_is_recorded_by_the_next_daemon() {
    let env = installation("undelivered").await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'x');").await;
    assert_eq!(ids(&first_due(&env).await), [2]);
    assert_eq!(mark(&env, "2").await, "1");
    env.execute("RENAME TABLE chatpush_notified TO away").await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    while browser.json().await["type"] != "unread_count" {}
    drop(browser);
    daemon.kill();
    env.execute("RENAME TABLE away TO chatpush_notified").await;
    let _next = env.daemon().await;
    assert_eq!(ids(&first_due(&env).await), [2]);
    let returned = env.prefix().returned(Partition::of(&user(2)));
    let exists = || async { env.redis::<u32>(&["EXISTS", &returned]).await };
    eventually("Redis keeps nothing of it", exists, |found| *found == 0).await;
}

/// Nobody waits for a note that Redis refuses, and it is made once Redis takes it.
#[tokio::test]
async fn return_that_redis_refuses_is_noted_later() {
    let env = installation("undelivered").await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'x');").await;
    assert_eq!(ids(&first_due(&env).await), [2]);
    assert_eq!(mark(&env, "2").await, "1");
    let returned = env.prefix().returned(Partition::of(&user(2)));
    let _: String = env.redis(&["SET", &returned, "not a hash"]).await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    while browser.json().await["type"] != "unread_count" {}
    drop(browser);
    let _: u32 = env.redis(&["DEL", &returned]).await;
    assert_eq!(ids(&first_due(&env).await), [2]);
}

/// Each user goes to one of the jobs, and none is left out.
#[tokio::test]
async fn jobs_at_the_same_time_share_the_users() {
    let env = installation("undelivered").await;
    let users: Vec<_> = (1..=100).collect();
    env.execute("INSERT IGNORE INTO `user` (id) SELECT seq FROM seq_1_to_100").await;
    let (_one, _other) = (env.daemon().await, env.daemon().await);
    env.php().get("ChatPush\\sendToUsers(1, range(1, 100), 'x');").await;
    let all = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE offer_at IS NOT NULL");
    eventually("all are due", all, |count| *count == [100]).await;
    let job = "$mine = []; while ($due = ChatPush\\getDueNotifications(7, 600)) \
               $mine = array_merge($mine, array_column($due, 'user_id')); echo json_encode($mine);";
    let jobs: Vec<_> = (0..4)
        .map(|_| {
            let php = env.php();
            tokio::spawn(async move { php.get(job).await })
        })
        .collect();
    let mut taken: Vec<u64> = Vec::new();
    for job in jobs {
        let printed = job.await.expect("the job ends");
        taken.extend(serde_json::from_str::<Vec<u64>>(&printed).unwrap_or_else(|_| panic!("{printed}")));
    }
    assert_eq!(taken.len(), taken.iter().collect::<BTreeSet<_>>().len(), "twice: {taken:?}");
    // A job ends early if others hold all that it has looked at.
    let left: Vec<Value> = due(&env, 600).await;
    taken.extend(ids(&left));
    taken.sort_unstable();
    assert_eq!(taken, users);
}
