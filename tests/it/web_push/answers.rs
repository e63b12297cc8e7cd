//! What follows from the answers of push services.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

use super::push_service::PushService;
use super::{counted, installation, nobody_is_due, subscribed, subscriptions};

/// A day and a minute, in milliseconds.
const DAY: u64 = (24 * 60 + 1) * 60 * 1_000;

/// User 2 has one browser, whose push service answers like this.
async fn one_browser(answer: &str) -> (PushService, TestEnv, Daemon) {
    let service = PushService::start().await;
    let env = installation(&service, &service.host()).await;
    let daemon = env.daemon().await;
    subscribed(&daemon, 2, &service.subscription("a")).await;
    service.answer("a", answer);
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    (service, env, daemon)
}

/// What is wrong with the subscription, and in how many seconds it is tried again.
async fn recorded(env: &TestEnv) -> Option<(String, i64)> {
    let sql = "SELECT error, CAST(next_try_at AS SIGNED) DIV 1000 - UNIX_TIMESTAMP() \
               FROM chatpush_push WHERE error IS NOT NULL";
    env.query(sql).await.pop()
}

/// The same, once it says this.
async fn error(env: &TestEnv, text: &str) -> (String, i64) {
    let says = |found: &Option<(String, i64)>| found.as_ref().is_some_and(|(error, _)| error.contains(text));
    eventually(text, || recorded(env), says).await.expect("it is recorded")
}

/// The user is left to the application.
async fn left_to_the_application(env: &TestEnv) {
    let due = || async {
        env.php().get("echo json_encode(array_column(ChatPush\\getDueNotifications(), 'user_id'));").await
    };
    eventually("2 is left to the application", due, |users| users == "[2]").await;
}

/// More browsers than requests to one push service at a time: all are told, and once.
#[tokio::test]
async fn every_browser_of_a_user_is_told() {
    let service = PushService::start().await;
    let env = installation(&service, &service.host()).await;
    let daemon = env.daemon().await;
    let subscriptions = (0..19).map(|number| service.subscription(&number.to_string()));
    let calls: Vec<_> =
        subscriptions.map(|one| format!("ChatPush\\savePushSubscription(2, '{one}');")).collect();
    let save = calls.join(" ");
    env.php().get(&(save + "storeOfflineMessage(1, 2, 'a');")).await;
    let mut paths: Vec<_> = service.received(19).await.into_iter().map(|push| push.path).collect();
    nobody_is_due(&env).await;
    assert_eq!(service.pushes().len(), 19);
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), 19, "{paths:?}");
    counted(&daemon, "accepted", 19).await;
}

/// A redirect is not followed: nobody knows who would be sent to.
#[tokio::test]
async fn redirect_is_not_followed() {
    let elsewhere = PushService::start().await;
    let answer = format!("307 Temporary Redirect\r\nLocation: {}", elsewhere.endpoint("b"));
    let (service, env, daemon) = one_browser(&answer).await;
    counted(&daemon, "rejected", 1).await;
    left_to_the_application(&env).await;
    assert_eq!((service.pushes().len(), elsewhere.pushes().len()), (1, 0));
    error(&env, "307").await;
}

/// `Retry-After` counts, in seconds and as a date.
#[tokio::test]
async fn retry_after_is_heeded() {
    let (service, env, _daemon) = one_browser("429 Too Many Requests\r\nRetry-After: 3000").await;
    let (text, seconds) = error(&env, "429").await;
    assert!((2_900..=3_000).contains(&seconds), "{text}, {seconds} s");
    // The answer is recorded before the user is offered again.
    let tried =
        || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE tries = 1 AND lease IS NULL");
    eventually("it is put off", tried, |count| *count == [1]).await;
    service.answer("a", "503 Service Unavailable\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT");
    env.execute("UPDATE chatpush_push SET next_try_at = 0, error = NULL").await;
    env.execute("UPDATE chatpush_notified SET offer_at = 1 WHERE lease IS NULL").await;
    let (text, seconds) = error(&env, "503").await;
    assert!((86_300..=86_400).contains(&seconds), "{text}, {seconds} s");
    assert_eq!(service.pushes().len(), 2);
}

/// After a day of failures, and not sooner, the application tells the user, and has a day of its own.
#[tokio::test]
async fn user_is_left_to_the_application_after_a_day() {
    let (_service, env, daemon) = one_browser("500 Internal Server Error").await;
    error(&env, "500").await;
    let tried = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE tried_at IS NOT NULL");
    eventually("it has failed", tried, |count| *count == [1]).await;
    let without_pauses = async || {
        env.execute("UPDATE chatpush_push SET next_try_at = 0").await;
        env.execute("UPDATE chatpush_notified SET offer_at = 1 WHERE `exit` = 1 AND lease IS NULL").await;
        let counts = env.query::<u32>("SELECT tries FROM chatpush_notified WHERE `exit` = 1").await;
        (counts, daemon.metric("chatpush_web_pushes_total{outcome=\"given_up\"}").await)
    };
    let often =
        |(counts, given_up): &(Vec<u32>, u64)| *given_up > 0 || counts.iter().any(|count| *count > 10);
    let (_, given_up) = eventually("it is tried often", without_pauses, often).await;
    assert_eq!(given_up, 0, "on one day");
    env.execute(&format!(
        "UPDATE chatpush_notified SET tried_at = tried_at - {DAY}, due_at = due_at - {DAY}"
    ))
    .await;
    eventually("it is given up", without_pauses, |(_, given_up)| *given_up == 1).await;
    let left = "SELECT tries, tried_at IS NULL, due_at > UNIX_TIMESTAMP() * 1000 - 600000 \
                FROM chatpush_notified WHERE `exit` = 0";
    let left = || env.query::<(u32, bool, bool)>(left);
    eventually("nobody has tried yet", left, |rows| *rows == [(0, true, true)]).await;
    left_to_the_application(&env).await;
}

/// 401 is tried again, since the keys may be mended; 400 and 413 are not.
#[tokio::test]
async fn refusals_are_told_apart() {
    let (service, env, daemon) = one_browser("401 Unauthorized").await;
    counted(&daemon, "unauthorized", 1).await;
    error(&env, "401").await;
    for (count, answer) in [(1, "400 Bad Request"), (2, "413 Payload Too Large")] {
        service.answer("a", answer);
        env.execute("UPDATE chatpush_push SET next_try_at = 0, error = NULL").await;
        env.execute("UPDATE chatpush_notified SET offer_at = 1, lease = NULL, `exit` = 1").await;
        counted(&daemon, "rejected", count).await;
        error(&env, answer).await;
        left_to_the_application(&env).await;
    }
    assert_eq!(subscriptions(&env, 2).await, 1);
}

/// Of a body without an end the start is read, and the answer counts.
#[tokio::test]
async fn body_without_an_end_is_cut() {
    let (service, env, _daemon) = one_browser("endless").await;
    service.received(1).await;
    let (text, _) = error(&env, "400").await;
    assert!(text.contains("xxxx") && text.len() <= 255, "{text}");
}
