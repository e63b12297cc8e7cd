//! What operators see: `status`, `online`, `log`, and the admin listener.

use std::process::Output;

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use chatpush_wire::id::UserIdType;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

async fn command(env: &TestEnv, arguments: &[&str]) -> Output {
    Daemon::command(env, arguments).await
}

/// The whole answer to a request with these further header lines.
async fn ask(daemon: &Daemon, start: &str, headers: &str, body: &str) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", daemon.admin_port())).await.expect("it listens");
    let length = body.len();
    let request =
        format!("{start} HTTP/1.1\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    socket.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("it answers");
    answer
}

/// `status` names every daemon with its connections, and which one writes. It fails while something is not well.
#[tokio::test]
async fn status_says_who_is_there_and_what_is_wrong() {
    let env = TestEnv::with_own_servers().await;
    let nobody = command(&env, &["status", "--json"]).await;
    assert_eq!(nobody.status.code(), Some(1));
    assert_eq!(parsed(&nobody)["daemons"], json!([]));
    let (one, _other) = (env.daemon().await, env.daemon().await);
    let mut clients = vec![one.connect(2).await, one.connect(3).await];
    for client in &mut clients {
        client.until_unread_count().await;
    }
    let output = command(&env, &["status", "--json"]).await;
    let status = parsed(&output);
    assert_eq!(output.status.code(), Some(0), "{status}");
    let daemons = status["daemons"].as_array().expect("a list");
    let mut connections: Vec<_> = daemons.iter().map(|daemon| daemon["connections"].as_u64()).collect();
    connections.sort_unstable();
    assert_eq!(connections, [Some(0), Some(2)], "{status}");
    assert_eq!(daemons.iter().filter(|daemon| daemon["writer"] == true).count(), 1, "{status}");
    assert_eq!(status["partitions"].as_array().map(Vec::len), Some(64));
    for (name, value) in [
        ("dead_letters", json!(0)),
        ("redis", json!({"up": true})),
        ("mysql", json!({"up": true})),
        ("due", Value::Null),
        ("webhooks_waiting", Value::Null),
        ("problems", json!([])),
    ] {
        assert_eq!(status[name], value, "{name}");
    }
    let lines = command(&env, &["status"]).await;
    assert!(String::from_utf8_lossy(&lines.stdout).contains("2 connections"), "{lines:?}");

    env.servers().kill_mariadb().await;
    let output = command(&env, &["status", "--json"]).await;
    let status = parsed(&output);
    assert_eq!((output.status.code(), &status["mysql"]["up"]), (Some(1), &json!(false)));
    assert!(status["problems"].to_string().contains("chatpushd check"), "{status}");
    env.servers().kill_redis().await;
    let status = parsed(&command(&env, &["status", "--json"]).await);
    assert_eq!(status["redis"]["up"], json!(false), "{status}");
    assert_eq!(one.stop(), Some(0));
}

/// `online` adds up the connections of a user to every daemon.
#[tokio::test]
async fn online_counts_connections_to_all_daemons() {
    let env = TestEnv::new().await;
    let (one, other) = (env.daemon().await, env.daemon().await);
    let mut clients = vec![one.connect(2).await, other.connect(2).await, other.connect(66).await];
    for client in &mut clients {
        client.until_unread_count().await;
    }
    let everybody = parsed(&command(&env, &["online", "--json"]).await);
    assert_eq!(everybody, json!([{"user_id": 2, "connections": 2}, {"user_id": 66, "connections": 1}]));
    let named = parsed(&command(&env, &["online", "--json", "66", "7"]).await);
    assert_eq!(named, json!([{"user_id": 7, "connections": 0}, {"user_id": 66, "connections": 1}]));
    let wrong = command(&env, &["online", "Bob"]).await;
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("USER_ID"), "{wrong:?}");
    drop(clients);
    let left = || async { parsed(&command(&env, &["online", "--json"]).await) };
    eventually("nobody is connected", left, |online| *online == json!([])).await;
}

/// Two users whose ids differ in the case of a letter are two here too.
#[tokio::test]
async fn users_with_text_ids_are_told_apart() {
    let env = TestEnv::with_user_ids(UserIdType::Text).await;
    env.execute("INSERT INTO `user` (id, username, password) VALUES ('Bob', 'one', ''), ('bob', 'two', '')")
        .await;
    let daemon = env.daemon().await;
    let mut clients = vec![daemon.connect_as("bob").await, daemon.connect_as("bob").await];
    for client in &mut clients {
        client.until_unread_count().await;
    }
    env.php().get("ChatPush\\sendMessage('bob', 'Bob', 'hello', 'text', 'm1');").await;
    let online = parsed(&command(&env, &["online", "--json"]).await);
    assert_eq!(online, json!([{"user_id": "bob", "connections": 2}]));
    let named = parsed(&command(&env, &["online", "--json", "bob", "Bob", "alice"]).await);
    let expected = [("Bob", 0), ("alice", 0), ("bob", 2)];
    let expected = expected.map(|(user, count)| json!({"user_id": user, "connections": count}));
    assert_eq!(named, json!(expected));
    let lines = command(&env, &["online", "bob"]).await;
    assert_eq!(String::from_utf8_lossy(&lines.stdout), "bob  2 connections\n");

    for (user, connections, unread, waiting) in [("Bob", 0, 1, json!(["bob:m1"])), ("bob", 2, 0, json!([]))] {
        let known = parsed(&command(&env, &["log", "--json", "--user", user, "--message", "bob:m1"]).await);
        assert_eq!(known["user_id"], user, "{known}");
        assert_eq!(
            (&known["connections"], &known["unread"]),
            (&json!(connections), &json!(unread)),
            "{known}"
        );
        let rows = known["waiting"].as_array().expect("a list");
        let ids: Vec<_> = rows.iter().map(|row| row["message_id"].clone()).collect();
        assert_eq!(json!(ids), waiting, "{known}");
        let state = if user == "Bob" { "waiting" } else { "unknown" };
        assert_eq!(known["message"]["state"], state, "{known}");
    }
    let wrong = command(&env, &["online", "b:b"]).await;
    assert!(!wrong.status.success(), "{wrong:?}");
}

/// The steps of messages in a daemon's log, each with its message and user.
fn steps(daemon: &Daemon) -> Vec<(String, String, String)> {
    let log = daemon.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let steps = lines.filter(|line| line["target"] == "chatpush::message");
    let field = |line: &Value, name: &str| line["fields"][name].as_str().unwrap_or_default().to_owned();
    steps.map(|line| (field(&line, "message"), field(&line, "message_id"), field(&line, "user"))).collect()
}

/// `log FILTER` shows each step of a message from then on, without a restart.
#[tokio::test]
async fn steps_of_messages_are_logged_once_asked_for() {
    let env = TestEnv::new().await.with("CHATPUSH_LOG_FORMAT", "json");
    let daemon = env.daemon().await;
    let env = env.with("CHATPUSH_ADMIN_LISTEN", format!("127.0.0.1:{}", daemon.admin_port()));
    let mut browser = daemon.connect(2).await;
    browser.until_unread_count().await;
    let php = env.php();
    php.get("ChatPush\\sendMessage(1, 2, 'secret words', 'text', 'before');").await;
    assert_eq!(browser.json().await["data"], "secret words");
    assert_eq!(steps(&daemon), []);

    let filter = "info,chatpush::message=debug";
    let changed = command(&env, &["log", filter]).await;
    assert!(changed.status.success(), "{changed:?}");
    assert_eq!(String::from_utf8_lossy(&command(&env, &["log"]).await.stdout).trim(), filter);
    php.get("ChatPush\\sendMessage(1, 2, 'secret words', 'text', 'after');").await;
    let reading = browser.keep_reading();
    let logged = || async { steps(&daemon) };
    let confirmed = |steps: &Vec<(String, String, String)>| {
        steps.iter().any(|(step, id, _)| step == "confirmed" && id == "1:after")
    };
    let steps = eventually("the message is confirmed", logged, confirmed).await;
    for name in ["accepted", "stored", "sent", "confirmed"] {
        let step = (name.to_owned(), "1:after".to_owned(), "2".to_owned());
        assert!(steps.contains(&step), "{name}: {steps:?}");
    }
    assert!(!daemon.log().contains("secret words"), "a content was logged");

    let wrong = command(&env, &["log", "debgu"]).await;
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean debug"), "{wrong:?}");
    daemon.kill();
    let gone = command(&env, &["log", "info"]).await;
    assert!(String::from_utf8_lossy(&gone.stderr).contains("admin_listen"), "{gone:?}");
    reading.abort();
}

/// `log --user` answers why somebody did not get a message.
#[tokio::test]
async fn log_of_a_user_says_what_became_of_a_message() {
    let env = TestEnv::new().await;
    env.users(&[17]).await;
    env.refuse_rows("NEW.content = 'refuse me'", "45000").await;
    let daemon = env.daemon().await;
    let php = env.php();
    php.get("ChatPush\\sendMessage(1, 17, 'hello', 'text', 'waits');").await;
    php.run("ChatPush\\sendMessage(1, 17, 'refuse me', 'text', 'bad');").await;
    let state = |id: &'static str| {
        let env = &env;
        async move {
            let known = parsed(&command(env, &["log", "--json", "--user", "17", "--message", id]).await);
            (known["message"]["state"].as_str().unwrap_or_default().to_owned(), known)
        }
    };
    let (waiting, known) = state("1:waits").await;
    assert_eq!(waiting, "waiting", "{known}");
    assert_eq!((&known["connections"], &known["unread"]), (&json!(0), &json!(1)));
    assert_eq!(known["waiting"][0]["message_id"], "1:waits");
    assert!(known["message"]["text"].as_str().is_some_and(|text| text.contains("nobody is connected")));
    let (refused, known) = state("1:bad").await;
    assert_eq!(refused, "refused", "{known}");
    assert!(known["message"]["text"].as_str().is_some_and(|text| text.contains("not here")), "{known}");
    assert_eq!(known["dead_letters"].as_array().map(Vec::len), Some(1));
    assert_eq!(state("1:other").await.0, "unknown");

    // A client that never confirms.
    let mut silent = daemon.connect_with(17, "chatpush.v1").await;
    silent.until_unread_count().await;
    let (unconfirmed, known) = state("1:waits").await;
    assert_eq!((unconfirmed.as_str(), &known["connections"]), ("waiting", &json!(1)));
    assert!(known["message"]["text"].as_str().is_some_and(|text| text.contains("no client")), "{known}");
    silent.send_text(r#"{"ack":["1:waits"]}"#).await;
    let ended = || async { state("1:waits").await.0 };
    eventually("it is confirmed", ended, |state| state == "confirmed").await;
    let lines = command(&env, &["log", "--user", "17"]).await;
    assert!(String::from_utf8_lossy(&lines.stdout).contains("dead letter"), "{lines:?}");
}

/// Whoever does not know the token is let in nowhere but to the probes.
#[tokio::test]
async fn the_admin_listener_asks_for_its_token() {
    let env = TestEnv::new().await.with("CHATPUSH_ADMIN_TOKEN", "0123456789abcdef");
    let daemon = env.daemon().await;
    let host = "Host: admin.example.com\r\n";
    for path in ["/", "/metrics", "/status", "/waiting", "/log"] {
        let asked = ask(&daemon, &format!("GET {path}"), host, "").await;
        assert!(
            asked.starts_with("HTTP/1.1 401") && asked.contains("www-authenticate: Basic"),
            "{path}: {asked}"
        );
        for wrong in ["Bearer 0123456789abcdeg", "Basic eDp4", "Bearer "] {
            let headers = format!("{host}Authorization: {wrong}\r\n");
            assert!(
                ask(&daemon, &format!("GET {path}"), &headers, "").await.starts_with("HTTP/1.1 401"),
                "{path}"
            );
        }
        // The second is the password of the user x.
        for right in ["Bearer 0123456789abcdef", "Basic eDowMTIzNDU2Nzg5YWJjZGVm"] {
            let headers = format!("{host}Authorization: {right}\r\n");
            let answer = ask(&daemon, &format!("GET {path}"), &headers, "").await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        }
    }
    let put = ask(&daemon, "PUT /log", host, "debug").await;
    assert!(put.starts_with("HTTP/1.1 401"), "{put}");
    for path in ["/health", "/ready"] {
        assert!(ask(&daemon, &format!("GET {path}"), host, "").await.starts_with("HTTP/1.1 200"), "{path}");
    }
    let env = env.with("CHATPUSH_ADMIN_LISTEN", format!("127.0.0.1:{}", daemon.admin_port()));
    assert!(command(&env, &["log", "warn"]).await.status.success(), "the command knows the token");
}

/// A page of the internet whose name leads to 127.0.0.1 gets nothing from the daemon.
#[tokio::test]
async fn without_a_token_only_this_machine_is_answered() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    for path in ["/", "/metrics", "/log"] {
        let refused = ask(&daemon, &format!("GET {path}"), "Host: evil.example.com\r\n", "").await;
        assert!(refused.starts_with("HTTP/1.1 403") && refused.contains("admin_token"), "{path}: {refused}");
    }
    let page = ask(&daemon, "GET /", "Host: 127.0.0.1\r\n", "").await;
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains("content-security-policy: default-src 'none'"),
        "{page}"
    );
    assert!(
        !page.contains("http://")
            || page.matches("http://").count() == page.matches("http://www.w3.org").count()
    );
    assert!(!page.contains("https://"), "it loads nothing from elsewhere");

    let bare = TestEnv::bare().await.with("CHATPUSH_ADMIN_LISTEN", "0.0.0.0:0");
    let refused = command(&bare, &["run"]).await;
    assert_eq!(refused.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("admin_token"), "{refused:?}");
}

/// Dead letters and webhooks are shown with their reasons.
#[tokio::test]
async fn what_waits_is_shown_with_its_reason() {
    let env = TestEnv::bare().await.with("CHATPUSH_NOTIFY_AFTER", "1");
    let env = env.with("CHATPUSH_WEBHOOK_URL", "http://127.0.0.1:9/hook");
    let env = env
        .with("CHATPUSH_WEBHOOK_SECRET", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
        .set_up()
        .await;
    env.refuse_rows("NEW.content = 'refuse me'", "45000").await;
    let daemon = env.daemon().await;
    env.php().run("ChatPush\\sendMessage(1, 2, 'refuse me', 'text', 'bad');").await;
    env.php().get("ChatPush\\sendMessage(1, 3, 'hello');").await;
    let waiting = || async {
        let answer = ask(&daemon, "GET /waiting", "Host: localhost\r\n", "").await;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str::<Value>(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    };
    let shown =
        |waiting: &Value| waiting["webhook_error"].is_string() && waiting["dead_letters"][0].is_object();
    let waiting = eventually("both wait", waiting, shown).await;
    let letter = &waiting["dead_letters"][0];
    assert_eq!((&letter["message_id"], &letter["user_ids"]), (&json!("1:bad"), &json!([2])));
    assert!(letter["error"].as_str().is_some_and(|error| error.contains("not here")), "{letter}");
    assert_eq!(waiting["webhooks"][0]["user_id"], 3, "{waiting}");
    let list = parsed(&command(&env, &["dead", "list", "--json"]).await);
    assert_eq!(list[0]["message_id"], "1:bad");
}
