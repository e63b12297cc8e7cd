//! An application that takes its time: nobody is told of twice or left out, and what waits behind a request may be
//! over when its turn comes.

use std::collections::HashSet;
use std::time::Duration;

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

use super::application::{Application, Request};
use super::{installation, nobody_is_due};

/// How long each answer of a slow application takes.
const DELAY: Duration = Duration::from_millis(200);

/// Requests at the same time that say that messages wait, and those for other events, as docs/notifications.md says.
const REQUESTS: usize = 64;
const EVENT_REQUESTS: usize = 16;

/// An installation with so many users, whose application has a minute for each answer.
async fn patient(application: &Application, users: u32) -> TestEnv {
    let env = installation(application.port).await.with("CHATPUSH_WEBHOOK_TIMEOUT_MS", "60000");
    env.execute(&format!("INSERT IGNORE INTO `user` (id) SELECT seq FROM seq_1_to_{users}")).await;
    env
}

/// The users of webhooks of this type, by id. One that comes again, because a starved daemon could not record the answer
/// within its lease, has the same id.
fn users(requests: &[Request], event: &str) -> Vec<u64> {
    let mut ids = HashSet::new();
    let first = requests.iter().filter(|request| ids.insert(&request.headers["webhook-id"]));
    let of_type = first.filter(|request| request.json()["type"] == event);
    let mut users: Vec<_> = of_type.map(Request::user).collect();
    users.sort_unstable();
    users
}

/// Waits until the application was told of a user by a webhook of this type.
async fn told(application: &Application, event: &str, user: u64) {
    let told = || async { users(&application.requests(), event) };
    eventually(&format!("{event} of {user}"), told, |users| users.contains(&user)).await;
}

/// Both daemons go on to look while requests are under way.
#[tokio::test]
async fn two_daemons_tell_a_slow_application_once() {
    let application = Application::start_slow(DELAY).await;
    let env = patient(&application, 100).await;
    let _daemons = [env.daemon().await, env.daemon().await];
    env.php().get("ChatPush\\sendToUsers(1, range(1, 100), 'x');").await;
    application.received(100).await;
    nobody_is_due(&env).await;
    assert_eq!(users(&application.requests(), "message.waiting"), (1..=100).collect::<Vec<_>>());
}

/// Many times as many as there are requests at the same time.
#[tokio::test]
async fn slow_application_is_told_of_a_thousand_users() {
    let application = Application::start_slow(DELAY).await;
    let env = patient(&application, 1_000).await;
    let _daemon = env.daemon().await;
    env.php().get("ChatPush\\sendToUsers(1, range(1, 1000), 'x');").await;
    application.received(1_000).await;
    nobody_is_due(&env).await;
    assert_eq!(users(&application.requests(), "message.waiting"), (1..=1_000).collect::<Vec<_>>());
}

/// Whoever is due and comes while all requests are under way is not told of, until they have left again.
#[tokio::test]
async fn user_who_comes_before_the_webhook_is_not_told() {
    let application = Application::start("204 No Content").await;
    application.hold(Some("message.waiting"));
    let env = patient(&application, 101).await;
    let daemon = env.daemon().await;
    env.php().get("ChatPush\\sendToUsers(1, range(1, 100), 'x');").await;
    application.received(REQUESTS).await;
    let behind = "SELECT user_id FROM chatpush_notified WHERE offer_at IS NOT NULL AND lease IS NULL";
    let behind =
        eventually("the others are due", || env.query::<u64>(behind), |users| users.len() == 100 - REQUESTS);
    let user = behind.await[0];
    let mut browser = daemon.connect_with(u32::try_from(user).expect("it fits"), "chatpush.v1").await;
    while browser.json().await["type"] != "unread_count" {}
    application.hold(None);
    env.php().get("storeOfflineMessage(1, 101, 'later');").await;
    told(&application, "message.waiting", 101).await;
    nobody_is_due(&env).await;
    let expected: Vec<_> = (1..=101).filter(|other| *other != user).collect();
    assert_eq!(users(&application.requests(), "message.waiting"), expected);
    drop(browser);
    told(&application, "message.waiting", user).await;
}

/// Users for whom messages wait and other events have requests of their own.
#[tokio::test]
async fn slow_webhooks_of_one_kind_hold_up_no_other() {
    let application = Application::start("204 No Content").await;
    application.hold(Some("message.waiting"));
    let env = patient(&application, 101).await.with("CHATPUSH_WEBHOOK_EVENTS", "message.waiting user.online");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    let daemon = env.daemon().await;
    env.php().get("ChatPush\\sendToUsers(1, range(1, 100), 'x');").await;
    application.received(REQUESTS).await;
    let _first = daemon.connect(150).await;
    told(&application, "user.online", 150).await;
    let events = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_webhook");
    eventually("it is accepted", events, |count| *count == [0]).await;
    assert_eq!(users(&application.requests(), "message.waiting").len(), REQUESTS, "they are held");
    let failed = "chatpush_webhooks_total{outcome=\"failed\"}";
    assert_eq!(daemon.metric(failed).await, 0, "it has waited for a request to end");

    application.hold(Some("user.online"));
    let mut browsers = Vec::new();
    for user in 151..=190 {
        browsers.push(daemon.connect(user).await);
    }
    let online = || async { users(&application.requests(), "user.online") };
    eventually("the requests run out", online, |users| users.len() == 1 + EVENT_REQUESTS).await;
    env.php().get("storeOfflineMessage(1, 101, 'x');").await;
    told(&application, "message.waiting", 101).await;
    nobody_is_due(&env).await;
    assert_eq!(online().await.len(), 1 + EVENT_REQUESTS, "they are held");
    application.hold(None);
    eventually("all are told", online, |users| users.len() == 41).await;
}

/// An application that does not answer holds up neither stores nor whoever else takes users, nor a daemon that is to
/// stop.
#[tokio::test]
async fn dead_application_holds_nothing_up() {
    let application = Application::start("204 No Content").await;
    application.hold(Some("message.waiting"));
    let env = patient(&application, 100).await;
    let daemon = env.daemon().await;
    env.php().get("ChatPush\\sendToUsers(999, range(1, 100), 'x');").await;
    application.received(REQUESTS).await;
    let store = "foreach ([1, 2] as $user) {
        var_dump(storeOfflineMessage(999, $user, 'b')); echo getUnreadCount($user), PHP_EOL; }";
    assert_eq!(env.php().get(store).await, "bool(true)\n2\nbool(true)\n2\n");
    let take = || async { env.php().get("echo count(ChatPush\\getDueNotifications(100, 600));").await };
    let mut taken = 0;
    while taken < 100 - REQUESTS {
        let more = eventually("PHP gets those behind", take, |count| count != "0").await;
        taken += more.parse::<usize>().expect("a number");
    }
    let failed = daemon.metric("chatpush_webhooks_total{outcome=\"failed\"}").await;
    assert_eq!((taken, failed), (100 - REQUESTS, 0), "no request has ended yet");
    assert_eq!(daemon.stop(), Some(0), "it does not wait for them");
}
