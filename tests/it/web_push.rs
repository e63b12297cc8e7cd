//! Web Push: subscriptions, and what push services are sent.

mod answers;
mod beside_webhooks;
mod busy;
mod content;
mod faults;
mod many;
mod push_service;
mod status;
mod unread;

use chatpush_tests::client::Client;
use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use self::push_service::PushService;

/// A new pair of keys, as `chatpushd vapid` prints it: the public and the private one.
async fn keys(env: &TestEnv) -> (String, String) {
    let printed = Daemon::command(env, &["vapid"]).await;
    let table = String::from_utf8(printed.stdout).expect("text");
    let value = |name: &str| {
        let line = table.lines().find_map(|line| line.strip_prefix(&format!("{name} = \"")));
        line.and_then(|line| line.split('"').next()).expect("it is in the table").to_owned()
    };
    assert!(table.starts_with("[web_push]\n") && value("subject").starts_with("mailto:"), "{table}");
    (value("public_key"), value("private_key"))
}

/// An installation whose users are told a second after a message, by push services at these hosts.
async fn installation(service: &PushService, hosts: &str) -> TestEnv {
    let env = with_web_push(TestEnv::new().await, service, hosts).await;
    let migrated = Daemon::command(&env, &["migrate"]).await;
    assert!(migrated.status.success(), "{migrated:?}");
    env.users(&[1, 2, 3]).await;
    env
}

/// The same settings.
async fn with_web_push(env: TestEnv, service: &PushService, hosts: &str) -> TestEnv {
    let (public, private) = keys(&env).await;
    env.with("CHATPUSH_NOTIFY_AFTER", "1")
        .with("CHATPUSH_WEB_PUSH_PUBLIC_KEY", public)
        .with("CHATPUSH_WEB_PUSH_PRIVATE_KEY", private)
        .with("CHATPUSH_WEB_PUSH_SUBJECT", "mailto:admin@chat.example")
        .with("CHATPUSH_WEB_PUSH_BODY", "{unread} unread, {waiting} waiting, the last from {sender}")
        .with("CHATPUSH_WEB_PUSH_URL", "https://chat.example/chat")
        .with("CHATPUSH_WEB_PUSH_HOSTS", hosts)
        .with("CHATPUSH_WEB_PUSH_CA", service.ca())
}

/// Sends a frame and returns the answer.
async fn asked(page: &mut Client, frame: Value) -> Value {
    page.send_text(&frame.to_string()).await;
    loop {
        let frame = page.json().await;
        if frame["type"] == "push" {
            return frame;
        }
    }
}

/// A browser of a user subscribes, and is closed.
async fn subscribed(daemon: &Daemon, user: u32, subscription: &Value) {
    let mut page = daemon.connect_with(user, "chatpush.v1").await;
    let answer = asked(&mut page, json!({ "push": subscription })).await;
    assert_eq!(answer, json!({ "type": "push", "saved": subscription["endpoint"] }));
}

async fn nobody_is_due(env: &TestEnv) {
    let due = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE offer_at IS NOT NULL");
    eventually("nobody is due", due, |count| *count == [0]).await;
}

async fn counted(daemon: &Daemon, outcome: &str, least: u64) {
    let name = format!("chatpush_web_pushes_total{{outcome=\"{outcome}\"}}");
    eventually(&name, || daemon.metric(&name), |count| *count >= least).await;
}

async fn subscriptions(env: &TestEnv, user: u32) -> u64 {
    env.query(&format!("SELECT COUNT(*) FROM chatpush_push WHERE user_id = {user}")).await[0]
}

/// `GET` over a new connection: status and body.
async fn get(daemon: &Daemon, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", daemon.port())).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it ends");
    answer
}

/// From a subscription over the chat connection to what the browser decrypts.
#[tokio::test]
async fn user_who_is_away_is_told_once() {
    let service = PushService::start().await;
    let env = installation(&service, &service.host()).await;
    let daemon = env.daemon().await;
    subscribed(&daemon, 2, &service.subscription("a")).await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'secret text', 'chat', 'x');").await;
    let push = service.received(1).await.remove(0);
    let key = get(&daemon, "/vapid-public-key").await;
    assert!(key.contains("access-control-allow-origin: *"), "{key}");
    let claims = &push.claims;
    assert!(key.ends_with(&format!("\r\n\r\n{}", claims["k"].as_str().expect("a text"))), "{key}");
    assert_eq!(claims["aud"], format!("https://{}", service.host()));
    assert_eq!(claims["sub"], "mailto:admin@chat.example");
    for (name, value) in [
        ("ttl", "86400"),
        ("topic", "chatpush"),
        ("urgency", "normal"),
        ("content-encoding", "aes128gcm"),
        ("content-type", "application/octet-stream"),
    ] {
        assert_eq!(push.headers[name], value);
    }
    let notification = json!({
        "title": "New messages", "body": "1 unread, 1 waiting, the last from 1", "tag": "chatpush",
        "navigate": "https://chat.example/chat", "silent": false, "app_badge": "1",
    });
    let about = json!({
        "user_id": "2", "waiting": 1, "unread": 1, "message_id": "1:x", "sender_id": "1", "type": "chat",
    });
    let payload = json!({ "web_push": 8030, "notification": notification, "chatpush": about });
    assert_eq!((push.path.as_str(), push.payload), ("/a", payload));
    nobody_is_due(&env).await;
    env.php().get("storeOfflineMessage(1, 2, 'b'); storeOfflineMessage(1, 3, 'c');").await;
    let others = || async {
        env.php().get("echo json_encode(array_column(ChatPush\\getDueNotifications(), 'user_id'));").await
    };
    eventually("whoever has no browser is left to the application", others, |users| users == "[3]").await;
    assert_eq!(service.pushes().len(), 1, "2 was told");
    counted(&daemon, "accepted", 1).await;
}

/// `web_push.ttl` is said to the push service.
#[tokio::test]
async fn push_services_are_told_how_long_to_keep_it() {
    for ttl in ["0", "2419200"] {
        let service = PushService::start().await;
        let env = installation(&service, &service.host()).await.with("CHATPUSH_WEB_PUSH_TTL", ttl);
        let daemon = env.daemon().await;
        subscribed(&daemon, 2, &service.subscription("a")).await;
        env.php().get("storeOfflineMessage(1, 2, 'a');").await;
        let push = service.received(1).await.remove(0);
        let headers = ["ttl", "topic", "urgency"].map(|name| push.headers[name].as_str());
        assert_eq!(headers, [ttl, "chatpush", "normal"]);
    }
}

/// An endpoint is one user's, from whichever side it comes. Who is forgotten has none.
#[tokio::test]
async fn endpoint_belongs_to_one_user() {
    let service = PushService::start().await;
    let env = installation(&service, &service.host()).await;
    let daemon = env.daemon().await;
    subscribed(&daemon, 2, &service.subscription("a")).await;
    let save = |user: u32, browser: &str| {
        format!("ChatPush\\savePushSubscription({user}, '{}');", service.subscription(browser))
    };
    env.php().get(&(save(3, "a") + &save(3, "b"))).await;
    assert_eq!((subscriptions(&env, 2).await, subscriptions(&env, 3).await), (0, 2));
    let mut page = daemon.connect_with(2, "chatpush.v1").await;
    let answer = asked(&mut page, json!({ "unpush": service.endpoint("a") })).await;
    assert_eq!(answer["removed"], service.endpoint("a"));
    assert_eq!(subscriptions(&env, 3).await, 2, "it is not theirs to remove");
    let mut page = daemon.connect_with(3, "chatpush.v1").await;
    asked(&mut page, json!({ "unpush": service.endpoint("a") })).await;
    assert_eq!(subscriptions(&env, 3).await, 1);
    let many: String = (0..21).map(|number| save(2, &format!("many{number}"))).collect();
    env.php().get(&many).await;
    assert_eq!(subscriptions(&env, 2).await, 20);
    let remove = |user: u32| {
        let endpoint = service.endpoint("many20");
        format!("echo json_encode(ChatPush\\removePushSubscription({user}, '{endpoint}'));")
    };
    assert_eq!(env.php().get(&(remove(3) + &remove(2) + &remove(2))).await, "falsetruefalse");
    assert_eq!(subscriptions(&env, 2).await, 19);
    env.php().get("ChatPush\\forgetUser(2);").await;
    assert_eq!((subscriptions(&env, 2).await, subscriptions(&env, 3).await), (0, 1));
}

/// What a client sends that cannot be saved is answered with the reason.
#[tokio::test]
async fn what_cannot_be_saved_is_refused_with_the_reason() {
    let service = PushService::start().await;
    let env = installation(&service, &service.host()).await;
    let daemon = env.daemon().await;
    let mut page = daemon.connect_with(2, "chatpush.v1").await;
    let elsewhere = "https://127.0.0.1:1/a";
    let mut no_point = service.subscription("a");
    no_point["keys"]["p256dh"] = json!(format!("B{}", "A".repeat(86)));
    for (subscription, endpoint, reason) in [
        (service.subscription_at(elsewhere), elsewhere, "web_push.hosts"),
        (service.subscription_at("http://a.example/"), "http://a.example/", "an https address"),
        (json!({ "endpoint": service.endpoint("a") }), &*service.endpoint("a"), "keys.p256dh"),
        (no_point, &*service.endpoint("a"), "keys.p256dh"),
        (json!({ "x": "y".repeat(2_048) }), "", "at most 2048 bytes"),
        (json!(5), "", "JSON"),
    ] {
        let answer = asked(&mut page, json!({ "push": subscription })).await;
        assert_eq!((answer["type"].as_str(), answer["refused"].as_str()), (Some("push"), Some(endpoint)));
        assert!(answer["reason"].as_str().is_some_and(|text| text.contains(reason)), "{answer}");
    }
    let mut refused = json!(null);
    for _ in 0..10 {
        refused = asked(&mut page, json!({ "unpush": "https://a.example/" })).await;
    }
    assert!(refused["reason"].as_str().is_some_and(|text| text.contains("in a minute")), "{refused}");
    let code = format!(
        "try {{ ChatPush\\savePushSubscription(2, '{}'); }} catch (ChatPush\\Exception $e) {{ echo $e->getMessage(); }}",
        service.subscription_at(elsewhere)
    );
    assert!(env.php().get(&code).await.contains("127.0.0.1:1 is not in web_push.hosts"));
    assert_eq!(subscriptions(&env, 2).await, 0);
}

/// A browser that its push service does not know any more is forgotten, and the application may tell the user.
#[tokio::test]
async fn browsers_that_are_gone_are_forgotten() {
    let service = PushService::start().await;
    let env = installation(&service, &service.host()).await;
    let daemon = env.daemon().await;
    for (browser, answer) in [("a", "404 Not Found"), ("b", "410 Gone")] {
        subscribed(&daemon, 2, &service.subscription(browser)).await;
        service.answer(browser, answer);
    }
    subscribed(&daemon, 3, &service.subscription("c")).await;
    subscribed(&daemon, 3, &service.subscription("d")).await;
    service.answer("d", "410 Gone");
    env.php().get("storeOfflineMessage(1, 2, 'a'); storeOfflineMessage(1, 3, 'a');").await;
    let due = || async {
        env.php().get("echo json_encode(array_column(ChatPush\\getDueNotifications(), 'user_id'));").await
    };
    eventually("2 is left to the application", due, |users| users == "[2]").await;
    counted(&daemon, "gone", 3).await;
    let told = || env.query::<u32>("SELECT user_id FROM chatpush_notified WHERE told_at IS NOT NULL");
    eventually("3 is told by the other browser", told, |users| *users == [3]).await;
    assert_eq!((subscriptions(&env, 2).await, subscriptions(&env, 3).await), (0, 1));
}

/// What a push service does not take now comes again; what was read meanwhile does not.
#[tokio::test]
async fn what_is_not_taken_comes_again_unless_it_was_read() {
    let service = PushService::start().await;
    let env = installation(&service, &service.host()).await;
    let daemon = env.daemon().await;
    subscribed(&daemon, 2, &service.subscription("a")).await;
    subscribed(&daemon, 3, &service.subscription("b")).await;
    service.answer("a", "429 Too Many Requests\r\nRetry-After: 1");
    service.answer("b", "500 Internal Server Error");
    env.php().get("storeOfflineMessage(1, 2, 'a'); ChatPush\\sendMessage(1, 3, 'x', 'chat', 'x');").await;
    service.received(2).await;
    let failed = || env.query::<String>("SELECT error FROM chatpush_push WHERE error IS NOT NULL");
    eventually("both answers are recorded", failed, |errors| errors.len() == 2).await;
    let mut page = daemon.connect_with(3, "chatpush.v1").await;
    while page.json().await["type"] != "unread_count" {}
    page.send_text(&json!({"ack": ["1:x"]}).to_string()).await;
    let noted = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE user_id = 3");
    eventually("3 is not noted any more", noted, |count| *count == [0]).await;
    let before = service.pushes().iter().filter(|push| push.path == "/b").count();
    service.answer("a", "403 Forbidden");
    counted(&daemon, "unauthorized", 1).await;
    service.answer("a", "201 Created");
    service.answer("b", "201 Created");
    nobody_is_due(&env).await;
    counted(&daemon, "accepted", 1).await;
    assert_eq!(service.pushes().iter().filter(|push| push.path == "/b").count(), before, "3 has read");
    assert_eq!((subscriptions(&env, 2).await, subscriptions(&env, 3).await), (1, 1));
    let errors =
        || env.query::<u64>("SELECT COUNT(*) FROM chatpush_push WHERE user_id = 2 AND error IS NULL");
    eventually("the error is cleared", errors, |count| *count == [1]).await;
}

/// Two daemons, of which the one that sends is killed before the answer: the other tells.
#[tokio::test]
async fn kill_before_the_answer_loses_nothing() {
    let service = PushService::start().await;
    let env = installation(&service, &service.host()).await;
    let first = env.daemon().await;
    subscribed(&first, 2, &service.subscription("a")).await;
    let second = env.daemon().await;
    service.answer("a", "");
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    service.received(1).await;
    service.answer("a", "201 Created");
    first.kill();
    nobody_is_due(&env).await;
    let pushes = service.pushes();
    assert!(pushes.len() == 2 && pushes.iter().all(|push| push.headers["topic"] == "chatpush"), "{pushes:?}");
    counted(&second, "accepted", 1).await;
}

/// A name that leads to this machine is not connected to, although it is in the list.
#[tokio::test]
async fn private_addresses_are_never_connected_to() {
    let service = PushService::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it has an address").port();
    let env = installation(&service, &format!("localhost:{port} *.localhost:{port}")).await;
    let daemon = env.daemon().await;
    for (user, name) in [(2, "localhost"), (3, "a.localhost")] {
        subscribed(&daemon, user, &service.subscription_at(&format!("https://{name}:{port}/a"))).await;
        env.php().get(&format!("storeOfflineMessage(1, {user}, 'a');")).await;
    }
    let errors = || env.query::<String>("SELECT error FROM chatpush_push WHERE error IS NOT NULL");
    let errors = eventually("both have failed", errors, |errors| errors.len() == 2).await;
    assert!(errors.iter().any(|error| error.contains("no public address")), "{errors:?}");
    let connected = std::future::poll_fn(|context| std::task::Poll::Ready(listener.poll_accept(context)));
    assert!(connected.await.is_pending(), "somebody has connected");
}

/// Off: nothing is kept, and whoever asks hears which setting it takes.
#[tokio::test]
async fn off_is_said_by_name() {
    let service = PushService::start().await;
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let mut page = daemon.connect_with(2, "chatpush.v1").await;
    for frame in [json!({ "push": service.subscription("a") }), json!({ "unpush": service.endpoint("a") })] {
        let answer = asked(&mut page, frame).await;
        assert_eq!(answer["refused"], service.endpoint("a"));
        assert!(answer["reason"].as_str().is_some_and(|text| text.contains("[web_push]")), "{answer}");
    }
    for call in [
        format!("savePushSubscription(2, '{}')", service.subscription("a")),
        format!("removePushSubscription(2, '{}')", service.endpoint("a")),
    ] {
        let code = format!(
            "try {{ ChatPush\\{call}; }}
             catch (ChatPush\\Exception $e) {{ echo $e->getOutcome()->name, ' ', $e->getMessage(); }}"
        );
        let printed = env.php().get(&code).await;
        assert!(printed.starts_with("NotQueued ") && printed.contains("[web_push]"), "{printed}");
    }
    let key = get(&daemon, "/vapid-public-key").await;
    assert!(key.starts_with("HTTP/1.1 404") && key.contains("[web_push]"), "{key}");
    let worker = get(&daemon, "/chatpush-worker.js").await;
    assert!(worker.starts_with("HTTP/1.1 200"), "{worker}");
    let tables: Vec<String> = env.query("SHOW TABLES LIKE 'chatpush_push'").await;
    assert_eq!(tables, [""; 0]);
}

/// Settings that do not fit together are named at the start.
#[tokio::test]
async fn settings_that_do_not_fit_are_named() {
    let env = TestEnv::new().await;
    let ((public, private), (_, other)) = (keys(&env).await, keys(&env).await);
    let on = env
        .with("CHATPUSH_WEB_PUSH_PUBLIC_KEY", public)
        .with("CHATPUSH_WEB_PUSH_PRIVATE_KEY", private)
        .with("CHATPUSH_WEB_PUSH_SUBJECT", "mailto:admin@chat.example");
    let told = on.clone().with("CHATPUSH_NOTIFY_AFTER", "1");
    for (env, name) in [
        (&on, "notify.after"),
        (&told.clone().with("CHATPUSH_WEB_PUSH_PRIVATE_KEY", other), "does not belong to"),
        (&told.clone().with("CHATPUSH_WEB_PUSH_PRIVATE_KEY", ""), "web_push.private_key"),
        (&told.clone().with("CHATPUSH_WEB_PUSH_SUBJECT", ""), "web_push.subject"),
        (&told.clone().with("CHATPUSH_WEB_PUSH_BODY", "{content}"), "notify.show_content"),
        (&told.clone().with("CHATPUSH_WEB_PUSH_TITLE", "{name}"), "{sender}"),
        (&told.clone().with("CHATPUSH_WEB_PUSH_HOSTS", "https://a.example"), "must be a host"),
        (&told.clone().with("CHATPUSH_WEB_PUSH_URL", "chat"), "must be a path"),
        (
            &told
                .clone()
                .with("CHATPUSH_WEB_PUSH_BODY", "{sender}".repeat(25))
                .with("CHATPUSH_WEB_PUSH_TITLE", "{sender}".repeat(25)),
            "at most 2900 fit",
        ),
    ] {
        let ran = Daemon::command(env, &["migrate"]).await;
        let text = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.code() == Some(64) && text.contains(name), "{name}: {text}");
    }
    let checked = Daemon::command(&told.with("CHATPUSH_WEB_PUSH_CA", "/nowhere.pem"), &["check"]).await;
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(text.contains("WRONG    web_push.ca: cannot read /nowhere.pem"), "{text}");
    assert_eq!(checked.status.code(), Some(1));
}
