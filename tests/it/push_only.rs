//! `storage = "none"`: push only, without a database.

use std::collections::BTreeSet;
use std::time::Duration;

use chatpush_tests::client::Client;
use chatpush_tests::daemon::{Daemon, token};
use chatpush_tests::eventually::eventually;
use chatpush_tests::grants::{connect_granted, next_of, send_grant};
use chatpush_tests::test_env::TestEnv;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::timeout;

/// An installation that only pushes. Its address of MySQL leads to this listener, to which nobody may connect.
async fn push_only() -> (TestEnv, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it has an address").port();
    let env = TestEnv::bare().await.with("CHATPUSH_STORAGE", "none");
    (env.with("CHATPUSH_MYSQL_URL", format!("mysql://u:p@127.0.0.1:{port}/none")), listener)
}

/// The exit code and the output of a daemon that does not start.
async fn run_in_vain(env: &TestEnv) -> (Option<i32>, String) {
    let env = env.clone().with("CHATPUSH_LISTEN", "127.0.0.1:0").with("CHATPUSH_ADMIN_LISTEN", "127.0.0.1:0");
    let ran = Daemon::command(&env, &["run"]).await;
    let text = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).replace("\\\"", "\"");
    (ran.status.code(), text)
}

/// Everything that needs no database works, and nothing tries to reach one.
#[tokio::test]
async fn live_calls_work_without_a_database() {
    let (env, mysql) = push_only().await;
    let daemon = env.daemon().await;
    let php = env.php();
    assert_eq!(php.get("var_dump(pushMessage(2, 'nobody', 'chat'));").await.trim(), "bool(false)");
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    let online = "var_dump(ChatPush\\isOnline(2));";
    eventually("the user is online", || php.get(online), |output| output.trim() == "bool(true)").await;
    assert_eq!(php.get("var_dump(pushMessage(2, 'hello', 'chat'));").await.trim(), "bool(true)");
    assert_eq!(browser.json().await["data"], "hello", "the first frame: there is no counter to send");
    // What a client confirms or reads goes nowhere, and the connection lives.
    browser.send_text(r#"{"read":true}"#).await;
    browser.send_text(r#"{"ack":["7:h0000000000000001"]}"#).await;
    assert_eq!(php.get("var_dump(pushMessage(2, 'again', 'chat'));").await.trim(), "bool(true)");
    assert_eq!(browser.json().await["data"], "again");
    assert_eq!(php.get("var_dump(ChatPush\\disconnectUser(2));").await.trim(), "bool(true)");
    eventually("the user is offline", || php.get(online), |output| output.trim() == "bool(false)").await;

    let ready = daemon.get("/ready").await;
    assert!(ready.starts_with("HTTP/1.1 200") && !ready.contains("mysql"), "{ready}");
    assert_eq!(env.redis::<u64>(&["EXISTS", &env.log(2)]).await, 0, "nothing was appended");
    assert_eq!(daemon.stop(), Some(0));
    assert!(timeout(Duration::ZERO, mysql.accept()).await.is_err(), "somebody tried to reach MySQL");
}

/// Lists, rooms, presence and events need no database either.
#[tokio::test]
async fn calls_for_many_and_grants_work_without_a_database() {
    let (env, mysql) = push_only().await;
    let (one, other) = (env.daemon().await, env.daemon().await);
    let php = env.php();
    let grant = php.get("echo ChatPush\\grantToken(2, [3, 4], ['team']);").await;
    let mut page = one.connect_with(2, "chatpush.v1").await;
    send_grant(&mut page, &grant).await;
    assert!(next_of(&mut page, "grant").await["until"].is_u64());
    assert_eq!(next_of(&mut page, "presence").await["users"], json!({"3": false, "4": false}));
    let mut peer = connect_granted(&other, 3, &[2], &["team"]).await;
    assert_eq!(next_of(&mut page, "presence").await["users"], json!({"3": true}));
    assert_eq!(next_of(&mut peer, "presence").await["users"], json!({"2": true}));

    let calls = "$in_room = ChatPush\\getRoomUsers('team');
        sort($in_room);
        echo json_encode([ChatPush\\getOnlineUsers([4, 3, 2]), ChatPush\\pushToUsers([4, 3, 2], 'list', 'chat'),
            ChatPush\\pushToRoom('team', 'room', 'chat'), ChatPush\\pushToRoom('empty', 'x', 'chat'), $in_room,
            ChatPush\\pushToAll('all', 'chat')]);";
    let done: Value = serde_json::from_str(&php.get(calls).await).expect("JSON");
    assert_eq!(done, json!([[3, 2], [3, 2], true, false, [2, 3], true]));
    for client in [&mut page, &mut peer] {
        let mut texts = Vec::new();
        for _ in 0..3 {
            texts.push(next_of(client, "chat").await["data"].as_str().expect("a text").to_owned());
        }
        // What is published to different channels comes in any order: in a cluster, they may be on two masters.
        texts.sort();
        assert_eq!(texts, ["all", "list", "room"]);
    }
    page.send_text(r#"{"to":3,"event":"typing","value":true}"#).await;
    assert_eq!(next_of(&mut peer, "event").await["from"], 2);
    drop(peer);
    assert_eq!(next_of(&mut page, "presence").await["users"], json!({"3": false}));
    assert!(timeout(Duration::ZERO, mysql.accept()).await.is_err(), "somebody tried to reach MySQL");
}

/// Nothing else is kept of a user than that their tokens are revoked.
#[tokio::test]
async fn forgotten_user_is_disconnected_and_revoked() {
    let (env, _mysql) = push_only().await;
    let daemon = env.daemon().await;
    let old = token(2);
    let page = Client::connect(daemon.port(), &old, Some("chatpush.v1")).await.expect("it is let in");
    let php = env.php();
    let online = "var_dump(ChatPush\\isOnline(2));";
    eventually("the user is online", || php.get(online), |output| output.trim() == "bool(true)").await;
    let next_second = "usleep(1000000 - (int) (microtime(true) * 1e6) % 1000000);";
    php.get(&format!("{next_second} ChatPush\\forgetUser(2);")).await;
    assert_eq!(page.close_code().await, Some(4403));
    let refused = Client::connect(daemon.port(), &old, None).await.expect_err("the token is revoked");
    assert_eq!(refused.status, 401);
    php.get("ChatPush\\forgetUser(2);").await;
}

/// The functions that `docs/tables.md` says are refused, or work, without a database.
fn documented(refused: bool) -> BTreeSet<String> {
    let page = include_str!("../../docs/tables.md");
    let (_, table) = page.split_once("| call | without a database |").expect("the table");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let rows = rows.filter(|row| row.contains("`UnavailableException`") == refused);
    let calls =
        rows.filter_map(|row| row.split('|').nth(1)).flat_map(|calls| calls.split('`').skip(1).step_by(2));
    calls.map(|call| format!("ChatPush\\{call}")).collect()
}

/// Each function of the extension, with arguments that are right.
#[tokio::test]
async fn whatever_stores_or_reads_is_refused_by_name() {
    let (env, _mysql) = push_only().await;
    let _daemon = env.daemon().await;
    let functions = concat!(env!("CARGO_MANIFEST_DIR"), "/phpunit/support/ExtensionFunctions.php");
    let code = format!("require '{functions}';")
        + r#"
        foreach (ExtensionFunctions::calls() as $name => $call) {
            [$function] = explode(' ', $name);
            try {
                $call();
                echo "$function works\n";
            } catch (ChatPush\UnavailableException $e) {
                $retryable = var_export($e->isRetryable(), true);
                echo "$function {$e->getOutcome()->name} $retryable {$e->getMessage()}\n";
            }
        }"#;
    // They need no Redis, and work everywhere.
    let local = ["connectToken", "grantToken", "ping", "close"].map(|name| format!("ChatPush\\{name}"));
    let mut working = documented(false);
    assert!(local.iter().all(|name| working.remove(name)), "{working:?}");
    for durability in ["committed", "queued", "replicated"] {
        let text = env.php().with(&format!("chatpush.durability={durability}")).get(&code).await;
        let (works, refused): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.ends_with(" works"));
        let names = |lines: &[&str]| -> BTreeSet<String> {
            lines.iter().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
        };
        assert_eq!((names(&works), names(&refused)), (working.clone(), documented(true)));
        let is_refusal =
            |line: &&str| line.contains(" NotQueued false ") && line.contains("storage = \"none\"");
        assert!(refused.iter().all(is_refusal), "{text}");
    }
    assert_eq!(env.redis::<u64>(&["EXISTS", &env.log(7)]).await, 0);
}

#[tokio::test]
async fn commands_do_without_a_database() {
    let (env, mysql) = push_only().await;
    let migrated = Daemon::command(&env, &["migrate"]).await;
    let text = String::from_utf8_lossy(&migrated.stdout).into_owned();
    assert!(migrated.status.success() && text.contains("nothing to do"), "{migrated:?}");
    let checked = Daemon::command(&env, &["check"]).await;
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && !text.contains("MySQL"), "{text}");
    assert!(text.contains("installation: new in this Redis"), "{text}");
    let dead = Daemon::command(&env, &["dead", "list"]).await;
    let text = String::from_utf8_lossy(&dead.stderr).into_owned();
    assert!(!dead.status.success() && text.contains("there are no dead letters"), "{text}");
    assert!(timeout(Duration::ZERO, mysql.accept()).await.is_err(), "somebody tried to reach MySQL");
}

/// The first one that starts changes it for all. What is stored stays, and no other database takes its place.
#[tokio::test]
async fn daemon_that_is_alone_changes_the_storage() {
    let stored = TestEnv::new().await;
    stored.users(&[2]).await;
    let none = stored.clone().with("CHATPUSH_STORAGE", "none");
    let daemon = stored.daemon().await;
    let store = |text: &str| {
        format!(
            "try {{ var_dump(storeOfflineMessage(1, 2, '{text}')); }}
             catch (ChatPush\\UnavailableException $e) {{ echo $e->getMessage(); }}"
        )
    };
    assert_eq!(stored.php().get(&store("before")).await.trim(), "bool(true)");
    daemon.stop();
    let checked = Daemon::command(&none, &["check"]).await;
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && text.contains("storage is another one than before"), "{text}");

    let daemon = none.daemon().await;
    let mut page = daemon.connect_with(2, "chatpush.v1").await;
    let push = "var_dump(pushMessage(2, 'pushed', 'chat'));";
    eventually("it is pushed", async || none.php().get(push).await, |output| output.trim() == "bool(true)")
        .await;
    assert_eq!(page.json().await["data"], "pushed");
    let refused = none.php().get(&store("meanwhile")).await;
    assert!(refused.contains("storage = \"none\""), "{refused}");
    daemon.stop();

    let other = TestEnv::new().await.with("CHATPUSH_PREFIX", stored.name());
    other.execute(&format!("UPDATE chatpush_installation SET prefix = '{}'", stored.name())).await;
    let (code, text) = run_in_vain(&other).await;
    assert!(code == Some(78) && text.contains("use the Redis of this database"), "{text}");

    let daemon = stored.daemon().await;
    assert_eq!(stored.php().get(&store("after")).await.trim(), "bool(true)");
    let (contents, _) = daemon.connect(2).await.until_unread_count().await;
    assert_eq!(contents, ["before", "after"]);
}

/// A daemon with a database and one without would each look in a place of its own.
#[tokio::test]
async fn mixed_daemons_are_refused_by_name() {
    let stored = TestEnv::new().await;
    let _daemon = stored.daemon().await;
    let mixed = stored.clone().with("CHATPUSH_STORAGE", "none");
    let (env, _mysql) = push_only().await;
    let _other = env.daemon().await;
    let backwards = TestEnv::new().await.with("CHATPUSH_PREFIX", env.name());
    backwards.execute(&format!("UPDATE chatpush_installation SET prefix = '{}'", env.name())).await;
    for (mixed, runs, found, own) in [(mixed, &stored, "mysql", "none"), (backwards, &env, "none", "mysql")] {
        let key = runs.prefix().heartbeats();
        let running = async || runs.redis::<Vec<String>>(&["HKEYS", &key]).await;
        let running = eventually("it is there", running, |names| names.len() == 1).await;
        let (code, text) = run_in_vain(&mixed).await;
        let named = format!("has storage = \"{found}\" and this daemon storage = \"{own}\"");
        assert!(code == Some(78) && text.contains(&named) && text.contains(&running[0]), "{text}");
        let checked = Daemon::command(&mixed, &["check"]).await;
        let text = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(!checked.status.success() && text.contains(&named), "{text}");
    }
}
