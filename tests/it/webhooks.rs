//! Webhooks: of users for whom messages wait, and of what has happened.

pub(crate) mod application;
mod content;
mod events;
mod example;
mod given_up;
mod https;
mod slow;
mod status;
mod trial;
mod unread;

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use serde_json::{Value, json};

use self::application::{Application, Request};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const OTHER_SECRET: &str = "whsec_dGhlIG90aGVyIGtleSBvZiB0aGUgdGVzdHM=";

/// An installation whose application is told of users who are due a second after a message.
async fn installation(port: u16) -> TestEnv {
    installation_at(format!("http://127.0.0.1:{port}/hook?a=b")).await
}

/// The same, with an application at this address.
async fn installation_at(url: String) -> TestEnv {
    let env = TestEnv::new().await.with("CHATPUSH_NOTIFY_AFTER", "1");
    let env = env
        .with("CHATPUSH_WEBHOOK_URL", url)
        .with("CHATPUSH_WEBHOOK_SECRET", format!("{SECRET} {OTHER_SECRET}"))
        .with("CHATPUSH_WEBHOOK_TIMEOUT_MS", "500");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    // What is off has no table.
    let queued = "SHOW TABLES WHERE Tables_in_".to_owned()
        + env.name()
        + " IN ('chatpush_webhook', 'chatpush_online')";
    assert_eq!(env.query::<String>(&queued).await, [""; 0]);
    env.users(&[1, 2, 3]).await;
    env
}

async fn nobody_is_due(env: &TestEnv) {
    let due = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE offer_at IS NOT NULL");
    eventually("nobody is due", due, |count| *count == [0]).await;
}

/// A webhook has what the contract says, and each key signs it.
#[tokio::test]
async fn application_is_told_once() {
    let application = Application::start("204 No Content").await;
    let env = installation(application.port).await;
    let daemon = env.daemon().await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'secret text', 'chat', 'a');").await;
    let request = application.received(1).await.remove(0);
    let headers = &request.headers;
    let id = &headers["webhook-id"];
    assert!(id.starts_with("waiting-2-"), "{id}");
    for secret in [SECRET, OTHER_SECRET] {
        assert!(request.is_signed(&env, secret).await, "{headers:?}");
    }
    assert_eq!(headers["content-type"], "application/json");
    let mut sent = request.json();
    let time = sent["data"]["first_time"].as_u64().expect("milliseconds");
    assert_eq!(sent["data"]["last"]["time"], time);
    assert!(sent["timestamp"].as_str().is_some_and(|text| text.ends_with('Z')), "{sent}");
    sent["timestamp"] = Value::Null;
    let last = json!({"message_id": "1:a", "sender_id": 1, "type": "chat", "time": time});
    let data = json!({"user_id": 2, "waiting": 1, "unread": 1, "first_time": time, "last": last});
    assert_eq!(sent, json!({"type": "message.waiting", "timestamp": null, "data": data}));
    nobody_is_due(&env).await;
    env.php().get("storeOfflineMessage(1, 2, 'b'); storeOfflineMessage(1, 3, 'c');").await;
    let requests = application.received(2).await;
    assert_eq!((requests.len(), requests[1].user()), (2, 3), "2 was told");
    let delivered = || daemon.metric("chatpush_webhooks_total{outcome=\"delivered\"}");
    eventually("both are counted", delivered, |count| *count == 2).await;
}

/// One of two daemons sends.
#[tokio::test]
async fn two_daemons_tell_of_each_user_once() {
    let application = Application::start("204 No Content").await;
    let env = installation(application.port).await;
    env.execute("INSERT IGNORE INTO `user` (id) SELECT seq FROM seq_1_to_40").await;
    let daemons = [env.daemon().await, env.daemon().await];
    env.php().get("ChatPush\\sendToUsers(1, range(1, 40), 'x');").await;
    application.received(40).await;
    nobody_is_due(&env).await;
    let mut users: Vec<_> = application.requests().iter().map(Request::user).collect();
    users.sort_unstable();
    assert_eq!(users, (1..=40).collect::<Vec<_>>());
    let mut delivered = 0;
    for daemon in &daemons {
        delivered += daemon.metric("chatpush_webhooks_total{outcome=\"delivered\"}").await;
    }
    assert_eq!(delivered, 40);
}

/// What the last daemon leased is offered again, and what this one leases is not.
#[tokio::test]
async fn users_who_are_due_at_a_restart_are_told_of_once() {
    let application = Application::start("").await;
    let env = installation(application.port).await.with("CHATPUSH_WEBHOOK_TIMEOUT_MS", "10000");
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         VALUES (1, 2, 'a', NOW()), (1, 3, 'b', NOW())",
    )
    .await;
    // Due, and leased by a daemon that was killed.
    env.execute(
        "INSERT INTO chatpush_notified (user_id, since_ms, offer_at, due_at, lease) VALUES \
         (2, 1, 1, 1, NULL), (3, 1, (UNIX_TIMESTAMP() + 15) * 1000, 1, 7)",
    )
    .await;
    let daemon = env.daemon().await;
    application.received(2).await;
    // The requests are under way while the daemon looks for others who are due.
    env.php().get("storeOfflineMessage(2, 1, 'c');").await;
    application.received(3).await;
    application.answer("204 No Content");
    daemon.kill();
    let daemon = env.daemon().await;
    nobody_is_due(&env).await;
    let delivered = daemon.metric("chatpush_webhooks_total{outcome=\"delivered\"}").await;
    let mut users: Vec<_> = application.requests().iter().map(Request::user).collect();
    users.sort_unstable();
    assert_eq!((users, delivered), (vec![1, 1, 2, 2, 3, 3], 3));
}

/// After an error, a redirect or no answer it comes again under the same id, also from another daemon. What is read
/// meanwhile does not come any more.
#[tokio::test]
async fn what_is_not_accepted_comes_again() {
    let application = Application::start("500 Internal Server Error").await;
    let env = installation(application.port).await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    application.received(1).await;
    application.answer(&format!(
        "307 Temporary Redirect\r\nLocation: http://127.0.0.1:{}/elsewhere",
        application.port
    ));
    application.received(2).await;
    application.answer("");
    application.received(3).await;
    daemon.kill();
    let daemon = env.daemon().await;
    env.php().get("ChatPush\\sendMessage(1, 3, 'x', 'chat', 'x');").await;
    let requests = eventually(
        "3 is told of",
        || async { application.requests() },
        |all| all.iter().any(|one| one.user() == 3),
    );
    drop(requests.await);
    let mut browser = daemon.connect_with(3, "chatpush.v1").await;
    while browser.json().await["type"] != "unread_count" {}
    browser.send_text(&json!({"ack": ["1:x"]}).to_string()).await;
    eventually("it is confirmed", || env.stored_count(3), |count| *count == 0).await;
    let noted = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE user_id = 3");
    eventually("3 is not noted any more", noted, |count| *count == [0]).await;
    let told = |requests: &[Request], user| requests.iter().filter(|request| request.user() == user).count();
    let before = told(&application.requests(), 3);
    application.answer("200 OK");
    nobody_is_due(&env).await;
    let requests = application.requests();
    assert_eq!(told(&requests, 3), before, "3 has read");
    let ids: Vec<_> = requests
        .iter()
        .filter(|request| request.user() == 2)
        .map(|request| request.headers["webhook-id"].clone())
        .collect();
    assert!(ids.len() >= 4 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert!(requests.iter().all(|request| request.path == "/hook?a=b"), "a redirect was followed");
}

/// 410 ends it.
#[tokio::test]
async fn gone_ends_it() {
    let application = Application::start("410 Gone").await;
    let env = installation(application.port).await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    application.received(1).await;
    nobody_is_due(&env).await;
    let gone = || daemon.metric("chatpush_webhooks_total{outcome=\"gone\"}");
    eventually("it is counted", gone, |count| *count == 1).await;
    assert_eq!(application.requests().len(), 1);
}

/// The operator sees what was not accepted, tries it at once, and gives it up.
#[tokio::test]
async fn operator_lists_retries_and_drops() {
    let application = Application::start("503 Service Unavailable\r\nRetry-After: 3000").await;
    let env = installation(application.port).await;
    let daemon = env.daemon().await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    let tried = || async {
        let output = Daemon::command(&env, &["webhook", "list", "--json"]).await;
        let list: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
        list.first().filter(|webhook| webhook["tries"] == 1).cloned()
    };
    let listed = eventually("it was tried", tried, Option::is_some).await.expect("it is listed");
    let id = listed["id"].as_str().expect("a text").to_owned();
    assert_eq!(id, application.requests()[0].headers["webhook-id"]);
    let pause = |webhook: &Value| webhook["next_at"].as_u64().zip(webhook["due_at"].as_u64());
    assert_eq!(listed["leased"], false, "{listed}");
    let failed = daemon.metric("chatpush_webhooks_total{outcome=\"failed\"}").await;
    assert_eq!(failed, 1, "it is counted");
    assert!(pause(&listed).is_some_and(|(next, due)| next > due + 2_900_000), "{listed}");
    let list = Daemon::command(&env, &["webhook", "list"]).await;
    let (lines, errors) = (text(&list.stdout), text(&list.stderr));
    assert!(lines.starts_with(&format!("{id}  message.waiting of user 2, due for ")), "{lines}");
    assert!(lines.contains("tried 1 times, next in ") && errors.contains("1 waiting"), "{lines}{errors}");
    let refused = "it has answered 503 Service Unavailable";
    assert!(lines.trim_end().ends_with(refused) && listed["error"] == refused, "{lines}{listed}");
    let retried = Daemon::command(&env, &["webhook", "retry", &id]).await;
    assert!(retried.status.success() && text(&retried.stdout).starts_with("retried "), "{retried:?}");
    assert!(text(&retried.stdout).contains("tried 1 times, next now: "), "what it is now: {retried:?}");
    application.received(2).await;
    let unknown = Daemon::command(&env, &["webhook", "drop", "nothing"]).await;
    assert!(
        !unknown.status.success() && text(&unknown.stderr).contains("1 of 1 are not waiting"),
        "{unknown:?}"
    );
    let waits = || env.query::<u32>("SELECT tries FROM chatpush_notified WHERE tries = 2");
    eventually("it was refused again", waits, |found| found.len() == 1).await;
    let dropped = Daemon::command(&env, &["webhook", "drop", "--all"]).await;
    assert!(dropped.status.success() && text(&dropped.stdout).contains("of user 2"), "{dropped:?}");
    nobody_is_due(&env).await;
    assert_eq!(application.requests().len(), 2);
}

/// Whoever a job of PHP has taken is not tried, and the operator is told so.
#[tokio::test]
async fn leased_users_are_not_retried() {
    let application = Application::start("503 Service Unavailable\r\nRetry-After: 3000").await;
    let env = installation(application.port).await;
    let _daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    let refused = || env.query::<u32>("SELECT tries FROM chatpush_notified WHERE tries = 1");
    eventually("it is refused", refused, |found| found.len() == 1).await;
    let id = application.requests()[0].headers["webhook-id"].clone();
    let leased = "offer_at = (UNIX_TIMESTAMP() + 3600) * 1000, lease = 2";
    env.execute(&format!("UPDATE chatpush_notified SET {leased}")).await;
    for selection in [id.as_str(), "--all"] {
        let output = Daemon::command(&env, &["webhook", "retry", selection]).await;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
        assert!(errors.contains(&format!("{id} is leased until ")), "{errors}");
        assert!(errors.contains("not retried"), "{errors}");
    }
    let list = Daemon::command(&env, &["webhook", "list"]).await;
    assert!(String::from_utf8_lossy(&list.stdout).contains(", leased for "), "{list:?}");
    let list = Daemon::command(&env, &["webhook", "list", "--json"]).await;
    let listed: Value = serde_json::from_slice(&list.stdout).expect("JSON");
    assert_eq!(listed[0]["leased"], true, "{listed}");
    // Its time is over, as after a job that has died.
    env.execute("UPDATE chatpush_notified SET offer_at = 1").await;
    application.received(2).await;
}
