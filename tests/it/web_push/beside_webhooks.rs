//! Web Push and a webhook side by side: neither waits for the other.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

use super::push_service::PushService;
use super::{nobody_is_due, subscribed, with_web_push};
use crate::webhooks::SECRET;
use crate::webhooks::application::{Application, Request};

/// Requests to the application at the same time, as docs/notifications.md says.
const WEBHOOKS: usize = 64;

/// Requests to push services at the same time, and to one of them.
const PUSHES: usize = 32;
const PUSHES_TO_ONE: usize = 8;

/// Users who become due together: more than are told at the same time by webhook, or by Web Push.
const MANY: u32 = 100;

/// A user who becomes due after them.
const ANOTHER: u32 = MANY + 1;

/// Whoever has a browser is told by Web Push, and all others by a webhook, which may take a minute.
async fn installation(services: &[PushService], application: &Application) -> TestEnv {
    let hosts = services.iter().map(PushService::host).collect::<Vec<_>>().join(" ");
    let env = with_web_push(TestEnv::new().await, &services[0], &hosts).await;
    let env = env
        .with("CHATPUSH_WEBHOOK_URL", format!("http://127.0.0.1:{}/", application.port))
        .with("CHATPUSH_WEBHOOK_SECRET", SECRET)
        .with("CHATPUSH_WEBHOOK_TIMEOUT_MS", "60000");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    env.execute(&format!("INSERT IGNORE INTO `user` (id) SELECT seq FROM seq_1_to_{ANOTHER}")).await;
    env
}

async fn send(env: &TestEnv, receivers: &str) {
    env.php().get(&format!("ChatPush\\sendToUsers(999, {receivers}, 'x');")).await;
}

/// The other user, and nobody before.
async fn only_the_other_is_told(env: &TestEnv) {
    let told = || env.query::<u32>("SELECT user_id FROM chatpush_notified WHERE told_at IS NOT NULL");
    eventually("the other one is told", told, |users| *users == [ANOTHER]).await;
}

/// How many requests to the application, or to push services, have ended without an answer. It is counted before others
/// may begin instead of them.
async fn failed(daemon: &Daemon, metric: &str) -> u64 {
    daemon.metric(&format!("{metric}{{outcome=\"failed\"}}")).await
}

#[tokio::test]
async fn dead_application_delays_no_web_push() {
    let service = PushService::start().await;
    let application = Application::start("204 No Content").await;
    application.hold(Some("message.waiting"));
    let env = installation(std::slice::from_ref(&service), &application).await;
    let daemon = env.daemon().await;
    subscribed(&daemon, ANOTHER, &service.subscription("a")).await;
    send(&env, &format!("range(1, {MANY})")).await;
    application.received(WEBHOOKS).await;
    send(&env, &format!("[{ANOTHER}]")).await;
    service.received(1).await;
    assert_eq!(failed(&daemon, "chatpush_webhooks_total").await, 0, "the push has waited for a webhook");
    only_the_other_is_told(&env).await;
    assert_eq!(application.requests().len(), WEBHOOKS, "no webhook has ended yet");
    application.hold(None);
    nobody_is_due(&env).await;
    assert_eq!(service.pushes().len(), 1);
}

/// As many push services are dead as there are requests for.
#[tokio::test]
async fn dead_push_services_delay_no_webhook() {
    let mut services = vec![PushService::start().await];
    while services.len() < PUSHES / PUSHES_TO_ONE {
        services.push(services[0].beside().await);
    }
    let application = Application::start("204 No Content").await;
    services.iter().for_each(PushService::hold);
    let env = installation(&services, &application).await;
    let daemon = env.daemon().await;
    let save = |(user, service): (u32, &PushService)| {
        let subscription = service.subscription(&format!("browser-{user}"));
        format!("ChatPush\\savePushSubscription({user}, '{subscription}');")
    };
    env.php().get(&(1..=MANY).zip(services.iter().cycle()).map(save).collect::<String>()).await;
    send(&env, &format!("range(1, {MANY})")).await;
    for service in &services {
        service.received(PUSHES_TO_ONE).await;
    }
    // Due already, so that the webhook is sent while none of the ten seconds for an answer are over.
    env.execute(&format!(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) VALUES (999, {ANOTHER}, 'x', NOW())"
    ))
    .await;
    env.execute(&format!(
        "INSERT INTO chatpush_notified (user_id, since_ms, offer_at, due_at) VALUES ({ANOTHER}, 1, 1, 1) \
         ON DUPLICATE KEY UPDATE check_at = NULL, offer_at = 1, due_at = 1"
    ))
    .await;
    application.received(1).await;
    assert_eq!(failed(&daemon, "chatpush_web_pushes_total").await, 0, "the webhook has waited for a push");
    only_the_other_is_told(&env).await;
    services.iter().for_each(PushService::release);
    nobody_is_due(&env).await;
    let users: Vec<_> = application.requests().iter().map(Request::user).collect();
    assert_eq!(users, [u64::from(ANOTHER)]);
}
