//! Push services that have as many requests as they may, and users who wait for their turn.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use serde_json::json;

use super::push_service::PushService;
use super::{counted, installation, nobody_is_due, subscribed};

/// Requests to one push service at the same time.
const REQUESTS: usize = 8;

/// Users who are told at the same time.
const USERS: u32 = 32;

/// PHP that saves a user's browsers.
fn saving(user: u32, service: &PushService, browsers: impl IntoIterator<Item = String>) -> String {
    let save = |browser: String| {
        format!("ChatPush\\savePushSubscription({user}, '{}');", service.subscription(&browser))
    };
    browsers.into_iter().map(save).collect()
}

/// How many pushes to browsers with such names there were.
fn sent_to(service: &PushService, start: &str) -> usize {
    service.pushes().iter().filter(|push| push.path.starts_with(start)).count()
}

/// A push service that holds its answers back, and has as many requests to browsers of user 2 as it may. Four further
/// ones of them wait.
async fn with_requests_under_way() -> (PushService, TestEnv, Daemon) {
    let service = PushService::start().await;
    let env = installation(&service, &service.host()).await;
    let daemon = env.daemon().await;
    service.hold();
    let browsers = (0..REQUESTS + 4).map(|number| format!("two-{number}"));
    let send = "ChatPush\\sendMessage(1, 2, 'x', 'chat', 'x');";
    env.php().get(&(saving(2, &service, browsers) + send)).await;
    service.received(REQUESTS).await;
    (service, env, daemon)
}

/// A user is told who became due after all that is to be tested.
async fn user_1_is_told(service: &PushService, env: &TestEnv, daemon: &Daemon) {
    subscribed(daemon, 1, &service.subscription("one")).await;
    env.php().get("storeOfflineMessage(2, 1, 'a');").await;
    eventually("1 is told", || async { sent_to(service, "/one") }, |count| *count == 1).await;
}

/// Some browsers of a user wait for their turn, and the user reads meanwhile: they are not told of it.
#[tokio::test]
async fn who_reads_before_the_turn_is_not_told() {
    let (service, env, daemon) = with_requests_under_way().await;
    let mut page = daemon.connect_with(2, "chatpush.v1").await;
    while page.json().await["type"] != "unread_count" {}
    page.send_text(&json!({"ack": ["1:x"]}).to_string()).await;
    let noted = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE user_id = 2");
    eventually("nothing is noted of 2", noted, |count| *count == [0]).await;
    service.release();
    user_1_is_told(&service, &env, &daemon).await;
    nobody_is_due(&env).await;
    assert_eq!(sent_to(&service, "/two"), REQUESTS);
}

/// A user is due and waits for the turn, and connects meanwhile: no browser is told.
#[tokio::test]
async fn who_connects_before_the_turn_is_not_told() {
    let (service, env, daemon) = with_requests_under_way().await;
    env.php().get(&(saving(3, &service, ["three".to_owned()]) + "storeOfflineMessage(1, 3, 'a');")).await;
    // It was tried, and is put off or leased still.
    let tried =
        || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE user_id = 3 AND offer_at > due_at");
    eventually("3 finds no room", tried, |count| *count == [1]).await;
    // It does not confirm what it gets, so a message waits still.
    let mut page = daemon.connect_with(3, "chatpush.v1").await;
    while page.json().await["type"] != "unread_count" {}
    let offered = || {
        env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE user_id = 3 AND offer_at IS NOT NULL")
    };
    eventually("3 is not due any more", offered, |count| *count == [0]).await;
    service.release();
    user_1_is_told(&service, &env, &daemon).await;
    nobody_is_due(&env).await;
    assert_eq!((sent_to(&service, "/two"), sent_to(&service, "/three")), (REQUESTS + 4, 0));
}

/// Users who have more browsers than requests may be under way: each browser is told once.
#[tokio::test]
async fn no_browser_is_told_twice_because_another_waits() {
    let (service, env, daemon) = with_requests_under_way().await;
    let browsers = (0..REQUESTS + 4).map(|number| format!("three-{number}"));
    env.php().get(&(saving(3, &service, browsers) + "storeOfflineMessage(1, 3, 'a');")).await;
    service.release();
    nobody_is_due(&env).await;
    let all = 2 * (REQUESTS + 4);
    let mut paths: Vec<_> = service.received(all).await.into_iter().map(|push| push.path).collect();
    assert_eq!(paths.len(), all);
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), all, "{paths:?}");
    counted(&daemon, "accepted", all as u64).await;
    let told = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE told_at > 0");
    eventually("both are told", told, |count| *count == [2]).await;
}

/// One push service takes connections and never answers. Whoever has browsers of another one does not wait until the
/// first request has ended, and is told once.
#[tokio::test]
async fn service_that_never_answers_delays_nobody_of_another() {
    let fine = PushService::start().await;
    let dead = fine.beside().await;
    dead.hold();
    let env = installation(&fine, &format!("{} {}", fine.host(), dead.host())).await;
    let daemon = env.daemon().await;
    // Those who have both are more than are told at a time. One user is due behind them.
    let both: Vec<_> = (4..=USERS + 4).collect();
    env.users(&both).await;
    let browser = |user: &u32| [format!("browser-{user}")];
    let save = |user: &u32| saving(*user, &dead, browser(user)) + &saving(*user, &fine, browser(user));
    let saved: String = both.iter().map(save).collect();
    env.php().get(&(saved + &format!("ChatPush\\sendToUsers(1, {}, 'x');", json!(both)))).await;
    let due = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE due_at IS NOT NULL");
    eventually("all are due", due, |count| *count == [both.len() as u64]).await;
    env.php().get(&(saving(1, &fine, ["one".to_owned()]) + "storeOfflineMessage(2, 1, 'a');")).await;
    fine.received(both.len() + 1).await;
    dead.received(REQUESTS).await;
    // A request that has ended without an answer would be recorded.
    let ended: Vec<u64> = env.query("SELECT COUNT(*) FROM chatpush_push WHERE error IS NOT NULL").await;
    assert_eq!((ended, dead.pushes().len()), (vec![0], REQUESTS));
    dead.release();
    nobody_is_due(&env).await;
    counted(&daemon, "accepted", 2 * both.len() as u64 + 1).await;
    assert_eq!(fine.pushes().len(), both.len() + 1);
}
