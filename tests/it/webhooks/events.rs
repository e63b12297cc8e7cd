//! Webhooks of what has happened: `message.delivered`, `user.online`, `user.offline`.

use std::collections::HashSet;

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use serde_json::{Value, json};

use super::SECRET;
use super::application::{Application, Request};

const PRESENCE: &str = "user.online user.offline";

/// An installation whose application is told of these events.
async fn installation(env: TestEnv, port: u16, events: &str) -> TestEnv {
    let env = env
        .with("CHATPUSH_WEBHOOK_URL", format!("http://127.0.0.1:{port}/"))
        .with("CHATPUSH_WEBHOOK_SECRET", SECRET)
        .with("CHATPUSH_WEBHOOK_EVENTS", events)
        .with("CHATPUSH_WEBHOOK_TIMEOUT_MS", "500");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    env.users(&[1, 2, 3]).await;
    env
}

pub(super) async fn of_events(events: &str, answer: &str) -> (Application, TestEnv) {
    let application = Application::start(answer).await;
    let env = installation(TestEnv::new().await, application.port, events).await;
    (application, env)
}

async fn waiting(env: &TestEnv) -> u64 {
    env.query::<u64>("SELECT COUNT(*) FROM chatpush_webhook").await[0]
}

async fn nothing_waits(env: &TestEnv) {
    eventually("nothing waits", || waiting(env), |count| *count == 0).await;
}

/// What was told of a user who came and went, without repetitions.
fn presence(requests: &[Request], user: u64) -> Vec<String> {
    let mut ids = HashSet::new();
    let own = requests.iter().filter(|request| request.user() == user);
    let first = own.filter(|request| ids.insert(request.headers["webhook-id"].clone()));
    first.map(|request| request.json()["type"].as_str().expect("a text").to_owned()).collect()
}

/// Waits until that was told of a user.
async fn told(application: &Application, user: u64, events: &[&str]) -> Vec<Request> {
    let requests = || async { application.requests() };
    let events: Vec<_> = events.iter().map(|event| format!("user.{event}")).collect();
    eventually(&format!("{user}: {events:?}"), requests, |requests| presence(requests, user) == events).await
}

/// Stored messages, those that are confirmed before they are stored, and rows of the application: each once, with an
/// id that stays the same when the daemon is killed.
#[tokio::test]
async fn confirmed_messages_are_told() {
    let (application, env) = of_events("message.delivered", "500 Internal Server Error").await;
    let daemon = env.daemon().await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'a', 'chat', 'a b.c'); storeOfflineMessage(3, 2, 'b');").await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) VALUES (3, 2, 'mine', NOW())",
    )
    .await;
    env.php().get("ChatPush\\sendMessage(1, 3, 'nobody confirms', 'chat', 'x');").await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    let mut ids = Vec::new();
    loop {
        let frame = browser.json().await;
        if frame["type"] == "unread_count" {
            break;
        }
        ids.push(frame["id"].clone());
    }
    // The second time each is known.
    for _ in 0..2 {
        browser.send_text(&json!({ "ack": ids }).to_string()).await;
    }
    eventually("all are confirmed", || env.stored_count(2), |count| *count == 0).await;
    let first = application.received(3).await;
    daemon.kill();
    let daemon = env.daemon().await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    while browser.json().await["type"] != "unread_count" {}
    env.php().get("ChatPush\\sendMessage(1, 2, 'live', 'chat', 'live');").await;
    while browser.json().await["id"] != "1:live" {}
    browser.send_text(&json!({"ack": ["1:live"]}).to_string()).await;
    eventually("the row is gone", || env.stored_count(2), |count| *count == 0).await;
    eventually("all four wait", || waiting(&env), |count| *count == 4).await;
    application.answer("200 OK");
    nothing_waits(&env).await;

    let requests = application.requests();
    let told: HashSet<_> = requests.iter().map(|request| request.headers["webhook-id"].clone()).collect();
    assert_eq!(told.len(), 4, "{requests:?}");
    assert!(told.iter().all(|id| id.starts_with("delivered-")), "{told:?}");
    for early in &first {
        assert!(told.contains(&early.headers["webhook-id"]));
        let same = |later: &&Request| later.headers["webhook-id"] == early.headers["webhook-id"];
        assert!(requests.iter().filter(same).all(|later| later.body == early.body));
    }
    let mut messages: Vec<_> = requests.iter().map(Request::json).collect();
    let time = messages[0]["data"]["time"].as_u64();
    assert!(time.is_some_and(|time| time > 1_600_000_000_000), "{messages:?}");
    ids.push("1:live".into());
    for message in &mut messages {
        message["data"]["time"] = Value::Null;
    }
    for (id, sender) in ids.iter().zip([1, 3, 3, 1]) {
        let data = json!({"message_id": id, "sender_id": sender, "receiver_id": 2, "time": null});
        assert!(messages.iter().any(|message| message["data"] == data), "{data} is not in {messages:?}");
    }
    assert!(messages.iter().all(|message| message["type"] == "message.delivered"));
}

/// A user is told of once however many connections there are, and a reload tells nothing. Ten seconds after the last
/// connection they are offline, also if the daemon that held it was killed.
#[tokio::test]
async fn users_come_and_go() {
    let (application, env) = of_events(PRESENCE, "204 No Content").await;
    let (first, second) = (env.daemon().await, env.daemon().await);
    let one = first.connect(2).await;
    let other = second.connect(2).await;
    let _stays = second.connect(3).await;
    told(&application, 2, &["online"]).await;
    told(&application, 3, &["online"]).await;
    drop(one);
    drop(other);
    let again = first.connect(2).await;
    let online = "SELECT connected_ms FROM chatpush_online WHERE user_id = 2";
    let before = env.query::<u64>(online).await;
    let once_more = first.connect(2).await;
    eventually("it is recorded", || env.query::<u64>(online), |found| *found > before).await;
    assert_eq!(presence(&application.requests(), 2), ["user.online"]);
    first.kill();
    let requests = told(&application, 2, &["online", "offline"]).await;
    drop((again, once_more));
    assert_eq!(presence(&requests, 3), ["user.online"]);
    let own: Vec<_> = requests.iter().filter(|request| request.user() == 2).map(Request::json).collect();
    let time = |event: &str| {
        let event = own.iter().find(|told| told["type"] == event).expect("it was told");
        event["data"]["time"].as_u64().expect("milliseconds")
    };
    assert!(time("user.offline") >= time("user.online") + 10_000, "{own:?}");
    assert_eq!(env.query::<u64>("SELECT user_id FROM chatpush_online").await, [3]);
    let _back = second.connect(2).await;
    told(&application, 2, &["online", "offline", "online"]).await;
}

/// An emptied Redis neither forgets whoever has left meanwhile nor tells of anybody twice.
#[tokio::test]
async fn emptied_redis_loses_nobody() {
    let application = Application::start("200 OK").await;
    let env = TestEnv::with_own_servers().await;
    let env = installation(env, application.port, PRESENCE).await;
    let daemon = env.daemon().await;
    let left = daemon.connect(2).await;
    let _stays = daemon.connect(3).await;
    told(&application, 2, &["online"]).await;
    told(&application, 3, &["online"]).await;
    drop(left);
    let _: String = env.redis(&["FLUSHALL"]).await;
    let requests = told(&application, 2, &["online", "offline"]).await;
    assert_eq!(presence(&requests, 3), ["user.online"]);
}

/// The next daemon finds who has left while none ran.
#[tokio::test]
async fn user_who_left_while_no_daemon_ran_is_told() {
    let (application, env) = of_events(PRESENCE, "204 No Content").await;
    let daemon = env.daemon().await;
    let left = daemon.connect(2).await;
    told(&application, 2, &["online"]).await;
    daemon.kill();
    drop(left);
    let daemon = env.daemon().await;
    told(&application, 2, &["online", "offline"]).await;
    assert_eq!(env.query::<u64>("SELECT user_id FROM chatpush_online").await, [0; 0]);
    let _back = daemon.connect(2).await;
    told(&application, 2, &["online", "offline", "online"]).await;
}

/// Whoever is connected and not recorded, as after a crash of a MySQL that loses its last commits, is found.
#[tokio::test]
async fn unrecorded_user_is_found() {
    let (application, env) = of_events(PRESENCE, "200 OK").await;
    let daemon = env.daemon().await;
    let _stays = daemon.connect(2).await;
    told(&application, 2, &["online"]).await;
    env.execute("DELETE FROM chatpush_online").await;
    told(&application, 2, &["online", "online"]).await;
}

/// What is told of one user comes in its order, also after an answer that postpones the first; others do not wait.
#[tokio::test]
async fn events_of_a_user_keep_their_order() {
    let (application, env) = of_events(PRESENCE, "503 Service Unavailable").await;
    let insert = |user, events: &[&str]| {
        let rows: Vec<_> = events
            .iter()
            .enumerate()
            .map(|(time, event)| format!("('user.{event}', {user}, UNIX_TIMESTAMP() * 1000 + {time})"))
            .collect();
        format!("INSERT INTO chatpush_webhook (event, user_id, time_ms) VALUES {}", rows.join(", "))
    };
    env.execute(&insert(2, &["online", "offline", "online", "offline"])).await;
    let _daemon = env.daemon().await;
    application.received(1).await;
    env.execute(&insert(3, &["online"])).await;
    let of_3 = || async { presence(&application.requests(), 3) };
    eventually("3 does not wait for 2", of_3, |told| !told.is_empty()).await;
    let of_2: HashSet<_> = presence(&application.requests(), 2).into_iter().collect();
    assert_eq!(of_2.len(), 1, "{of_2:?}");
    application.answer("200 OK");
    nothing_waits(&env).await;
    assert_eq!(
        presence(&application.requests(), 2),
        ["user.online", "user.offline", "user.online", "user.offline"]
    );
}

/// Too many events, of which an address that never answers takes none: the oldest ones are given up, and counted. So
/// many that it would take too long if it had to wait for requests to end.
#[tokio::test]
async fn queue_is_bounded() {
    let (application, env) = of_events("message.delivered", "").await;
    let env = env.with("CHATPUSH_WEBHOOK_TIMEOUT_MS", "60000");
    let later = |event: &str| {
        let values = format!("('{event}', 2, UNIX_TIMESTAMP() * 1000, (UNIX_TIMESTAMP() + 3600) * 1000)");
        format!("INSERT INTO chatpush_webhook (event, user_id, time_ms, offer_at) VALUES {values}")
    };
    env.execute(&later("user.online")).await;
    env.execute(
        "INSERT INTO chatpush_webhook (event, user_id, sender_id, message_id, time_ms) \
         SELECT 'message.delivered', 2, '1', CONCAT('1:', seq), UNIX_TIMESTAMP() * 1000 FROM seq_1_to_151498",
    )
    .await;
    env.execute(&later("user.offline")).await;
    let daemon = env.daemon().await;
    application.received(16).await;
    eventually("the oldest go", || waiting(&env), |count| *count == 100_000).await;
    assert_eq!(
        env.query::<String>("SELECT message_id FROM chatpush_webhook ORDER BY id LIMIT 1").await,
        ["1:51500"]
    );
    let behind = || env.query::<u64>("SELECT offer_at FROM chatpush_webhook WHERE event = 'user.offline'");
    eventually("what came behind does not wait any more", behind, |at| *at == [0]).await;
    let dropped = || daemon.metric("chatpush_webhooks_total{outcome=\"dropped\"}");
    eventually("they are counted", dropped, |count| *count == 51_500).await;
    // Step by step, for longer than PHP may wait.
    env.php().get("try { ChatPush\\forgetUser(2); } catch (ChatPush\\TimeoutException) {}").await;
    nothing_waits(&env).await;
}

/// Whoever gives up that a user came is told at once that they went, and not after the pause of what was given up.
#[tokio::test]
async fn what_comes_behind_a_dropped_event_is_told_at_once() {
    let (application, env) = of_events(PRESENCE, "503 Service Unavailable\r\nRetry-After: 3000").await;
    let _daemon = env.daemon().await;
    let insert = |event: &str| {
        format!(
            "INSERT INTO chatpush_webhook (event, user_id, time_ms) VALUES ('{event}', 2, UNIX_TIMESTAMP() * 1000)"
        )
    };
    env.execute(&insert("user.online")).await;
    let tried =
        || env.query::<u64>("SELECT offer_at FROM chatpush_webhook WHERE tries = 1 AND lease IS NULL");
    let first = eventually("it was refused", tried, |found| found.len() == 1).await[0];
    env.execute(&insert("user.offline")).await;
    let waits = || env.query::<u64>("SELECT offer_at FROM chatpush_webhook WHERE event = 'user.offline'");
    eventually("the next one waits behind it", waits, |at| *at == [first + 1]).await;
    application.answer("200 OK");
    let id = application.requests()[0].headers["webhook-id"].clone();
    assert!(Daemon::command(&env, &["webhook", "drop", &id]).await.status.success());
    told(&application, 2, &["online", "offline"]).await;
    nothing_waits(&env).await;
}

/// 410 ends an event; the operator lists, retries and drops others.
#[tokio::test]
async fn operator_sees_events() {
    let (application, env) =
        of_events("message.delivered user.online", "503 Service Unavailable\r\nRetry-After: 3000").await;
    let daemon = env.daemon().await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'a', 'chat', 'a');").await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    while browser.json().await["type"] != "unread_count" {}
    browser.send_text(&json!({"ack": ["1:a"]}).to_string()).await;
    let tried = || env.query::<u32>("SELECT tries FROM chatpush_webhook WHERE tries = 1 AND lease IS NULL");
    eventually("both were tried", tried, |found| found.len() == 2).await;
    let output = Daemon::command(&env, &["webhook", "list", "--json"]).await;
    let list: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let told = |event: &str| list.iter().find(|one| one["event"] == event).expect("it is listed");
    let (online, delivered) = (told("user.online"), told("message.delivered"));
    assert_eq!((&delivered["message_id"], &delivered["user_id"]), (&json!("1:a"), &json!(2)));
    let later =
        |event: &Value| event["next_at"].as_u64() > event["time"].as_u64().map(|time| time + 2_900_000);
    assert!(later(online) && later(delivered), "{list:?}");
    let lines = Daemon::command(&env, &["webhook", "list"]).await;
    let lines = String::from_utf8_lossy(&lines.stdout).into_owned();
    let id = |event: &Value| event["id"].as_str().expect("a text").to_owned();
    let line = format!("{}  message.delivered of user 2, message 1:a, ", id(delivered));
    assert!(lines.contains(&line) && lines.contains("tried 1 times, next in "), "{lines}");
    let refused = "it has answered 503 Service Unavailable";
    assert!(lines.lines().all(|line| line.ends_with(refused)) && delivered["error"] == refused, "{lines}");
    assert!(Daemon::command(&env, &["webhook", "drop", &id(online)]).await.status.success());
    application.answer("410 Gone");
    assert!(Daemon::command(&env, &["webhook", "retry", &id(delivered)]).await.status.success());
    nothing_waits(&env).await;
    let gone = || daemon.metric("chatpush_webhooks_total{outcome=\"gone\"}");
    eventually("it is counted", gone, |count| *count == 1).await;
    let of_online = |request: &&Request| request.headers["webhook-id"] == id(online);
    assert_eq!(application.requests().iter().filter(of_online).count(), 1);
}
