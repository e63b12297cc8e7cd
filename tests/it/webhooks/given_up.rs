//! A webhook that nobody accepts is given up a day after the first try, and not before.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

use super::application::Application;
use super::events::of_events;
use super::{installation, nobody_is_due};

/// A day and a minute, in milliseconds.
const DAY: u64 = (24 * 60 + 1) * 60 * 1_000;

/// What has failed for a day is given up after ten tries, and not before: no daemon may have run on that day. Ten tries in
/// less than a day are not enough either.
async fn one_is_given_up(env: &TestEnv, daemon: &Daemon, application: &Application, table: &str) {
    let given_up = async || daemon.metric("chatpush_webhooks_total{outcome=\"given_up\"}").await;
    let often = async || {
        let sql = "SET tries = 20, offer_at = 1 WHERE tries BETWEEN 1 AND 19 AND lease IS NULL";
        env.execute(&format!("UPDATE {table} {sql}")).await;
        let tries = env.query::<u32>(&format!("SELECT tries FROM {table} WHERE tries > 20")).await;
        (tries.len(), given_up().await)
    };
    let tried = eventually("it was tried often", often, |tried| *tried != (0, 0)).await;
    assert_eq!(tried, (1, 0), "on one day");
    env.execute(&format!("UPDATE {table} SET tries = 2, offer_at = 1, tried_at = tried_at - {DAY}")).await;
    application.received(application.requests().len() + 2).await;
    assert_eq!(given_up().await, 0);
    let after_ten_tries = async || {
        let sql =
            "SET tries = 9, offer_at = 1 WHERE tries BETWEEN 2 AND 8 AND offer_at > 0 AND lease IS NULL";
        env.execute(&format!("UPDATE {table} {sql}")).await;
        given_up().await
    };
    eventually("it is given up", after_ten_tries, |count| *count == 1).await;
}

/// Somebody was due for a day before anybody could be told.
#[tokio::test]
async fn user_is_told_of_for_a_day_from_the_first_try() {
    let application = Application::start("500 Internal Server Error").await;
    let env = installation(application.port).await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         VALUES (1, 2, 'a', NOW() - INTERVAL 2 DAY)",
    )
    .await;
    env.execute(&format!(
        "INSERT INTO chatpush_notified (user_id, since_ms, offer_at, due_at) \
         VALUES (2, 1, 1, UNIX_TIMESTAMP() * 1000 - {DAY})"
    ))
    .await;
    let daemon = env.daemon().await;
    let requests = application.received(3).await;
    let ids: Vec<_> = requests.iter().map(|request| &request.headers["webhook-id"]).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    one_is_given_up(&env, &daemon, &application, "chatpush_notified").await;
    nobody_is_due(&env).await;
}

/// An event is a day old before anybody could be told.
#[tokio::test]
async fn event_is_told_for_a_day_from_the_first_try() {
    let (application, env) = of_events("message.delivered", "500 Internal Server Error").await;
    env.execute(&format!(
        "INSERT INTO chatpush_webhook (event, user_id, sender_id, message_id, time_ms) \
         VALUES ('message.delivered', 2, '1', '1:a', UNIX_TIMESTAMP() * 1000 - {DAY})"
    ))
    .await;
    let daemon = env.daemon().await;
    application.received(3).await;
    one_is_given_up(&env, &daemon, &application, "chatpush_webhook").await;
    let waiting = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_webhook");
    eventually("nothing waits", waiting, |count| *count == [0]).await;
}
