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

/// Users who become due together: more than are told at the same time by webhook, or by Web Push.
const MANY: u32 = 100;

/// A user who becomes due after them.
const ANOTHER: u32 = MANY + 1;

/// Whoever has a browser is told by Web Push, and all others by a webhook, which may take a minute.
async fn installation(service: &PushService, application: &Application) -> TestEnv {
    let env = with_web_push(TestEnv::new().await, service, &service.host()).await;
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

#[tokio::test]
async fn dead_application_delays_no_web_push() {
    let service = PushService::start().await;
    let application = Application::start("204 No Content").await;
    application.hold(Some("message.waiting"));
    let env = installation(&service, &application).await;
    let daemon = env.daemon().await;
    subscribed(&daemon, ANOTHER, &service.subscription("a")).await;
    send(&env, &format!("range(1, {MANY})")).await;
    application.received(WEBHOOKS).await;
    send(&env, &format!("[{ANOTHER}]")).await;
    service.received(1).await;
    only_the_other_is_told(&env).await;
    assert_eq!(application.requests().len(), WEBHOOKS, "no webhook has ended yet");
    application.hold(None);
    nobody_is_due(&env).await;
    assert_eq!(service.pushes().len(), 1);
}

#[tokio::test]
async fn dead_push_service_delays_no_webhook() {
    let service = PushService::start().await;
    let application = Application::start("204 No Content").await;
    service.hold();
    let env = installation(&service, &application).await;
    let _daemon = env.daemon().await;
    let save = |user| {
        let subscription = service.subscription(&format!("browser-{user}"));
        format!("ChatPush\\savePushSubscription({user}, '{subscription}');")
    };
    env.php().get(&(1..=MANY).map(save).collect::<String>()).await;
    send(&env, &format!("range(1, {MANY})")).await;
    service.received(1).await;
    send(&env, &format!("[{ANOTHER}]")).await;
    application.received(1).await;
    only_the_other_is_told(&env).await;
    service.release();
    nobody_is_due(&env).await;
    let users: Vec<_> = application.requests().iter().map(Request::user).collect();
    assert_eq!(users, [u64::from(ANOTHER)]);
}
