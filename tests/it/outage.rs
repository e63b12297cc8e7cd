use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use chatpush_wire::limit::LOG_ENTRIES;

/// Calls a function. Prints its result or its exception, and whether it returned in time.
const CALL: &str = r#"
function call(callable $f): void {
    $start = hrtime(true);
    try { $got = json_encode($f()); } catch (Throwable $e) { $got = get_class($e) . ': ' . $e->getMessage(); }
    printf("%s (%s)\n", $got, hrtime(true) - $start < 5e9 ? 'in time' : 'late');
}
"#;

const ALL: &str = r"
call(fn() => pushMessage(2, 'x', 'text'));
call(fn() => storeOfflineMessage(1, 2, 'x'));
call(fn() => getOfflineMessage(2));
call(fn() => getUnreadCount(2));
call(fn() => ChatPush\isOnline(2));
call(fn() => ChatPush\clearUnreadCount(2));
call(fn() => ChatPush\ackOfflineMessage(2, [1]));
";

async fn calls(env: &TestEnv, code: &str) -> Vec<String> {
    let php = env.php().with("chatpush.timeout_ms=2000");
    let output = php.get(&format!("{CALL}{code}")).await;
    output.lines().map(str::to_owned).collect()
}

/// Pushes and presence need none: they return false.
#[tokio::test]
async fn calls_fail_at_once_without_a_daemon() {
    let env = TestEnv::new().await;
    let seen = calls(&env, ALL).await;
    for (at, line) in seen.iter().enumerate() {
        if [0, 4].contains(&at) {
            assert_eq!(line, "false (in time)");
        } else {
            assert!(line.starts_with(r"ChatPush\UnavailableException: no chatpushd is running"), "{line}");
        }
    }
    assert_eq!(env.log_length(2).await, 0, "nothing was queued");
}

/// A full log takes no new message, but what clients confirm; and it empties by itself.
#[tokio::test]
async fn full_log_takes_confirmations_and_empties() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    browser.until_unread_count().await;
    env.php().get("storeOfflineMessage(1, 2, 'before');").await;
    let frame = browser.json().await;
    assert_eq!(frame["data"], "before");
    env.servers().kill_mariadb().await;
    // So many entries that clear the counter.
    let script = "for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'v', '1', 'k', 'z', 'r', '2') end";
    let _: Option<u64> = env.redis(&["EVAL", script, "1", &env.log(2), &LOG_ENTRIES.to_string()]).await;
    let length = async || env.redis::<u64>(&["XLEN", &env.log(2)]).await;
    let full = length().await;
    let store = "call(fn() => storeOfflineMessage(1, 2, 'refused'));";
    let refused = calls(&env, store).await.concat();
    assert!(
        refused.starts_with(r"ChatPush\UnavailableException: ") && refused.contains("backlog"),
        "{refused}"
    );
    browser.send_text(&serde_json::json!({ "ack": [frame["id"]] }).to_string()).await;
    eventually("the confirmation is taken", length, |length| *length == full + 1).await;
    env.servers().start_mariadb().await;
    eventually("the confirmed row is deleted", || env.stored(2), Vec::is_empty).await;
    let stored = async || calls(&env, "call(fn() => storeOfflineMessage(1, 2, 'after'));").await.concat();
    eventually("stores are taken again", stored, |text| text.starts_with("true")).await;
}

/// It is written when a daemon starts.
#[tokio::test]
async fn queued_store_needs_no_daemon() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let php = env.php().with("chatpush.durability=queued");
    assert_eq!(php.get("var_dump(storeOfflineMessage(1, 2, 'early'));").await.trim(), "bool(true)");
    assert!(env.stored(2).await.is_empty());
    let _daemon = env.daemon().await;
    eventually("the message is stored", || env.stored(2), |rows| *rows == ["early"]).await;
    assert_eq!(env.unread(2).await, 1);
}

/// During the outage every call throws `ConnectionException` in time. Client connections survive.
#[tokio::test]
async fn calls_recover_after_a_redis_outage() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let mut browser = daemon.connect(2).await;
    browser.until_unread_count().await;
    env.php().get("storeOfflineMessage(1, 2, 'before');").await;
    assert_eq!(browser.until_unread_count().await.0, ["before"]);
    env.servers().kill_redis().await;
    for line in calls(&env, ALL).await {
        assert!(line.starts_with(r"ChatPush\ConnectionException: ") && line.ends_with("(in time)"), "{line}");
    }
    env.servers().start_redis().await;
    eventually("the daemon is ready again", || daemon.is_ready(), |ready| *ready).await;
    env.php().get("storeOfflineMessage(1, 2, 'after');").await;
    // The connection has survived, and a replay sends what it missed.
    let mut seen = Vec::new();
    while !seen.contains(&"after".to_owned()) {
        let frame = browser.json().await;
        seen.extend(frame["data"].as_str().map(str::to_owned));
    }
    assert_eq!(seen.iter().filter(|content| *content == "after").count(), 1);
    assert_eq!(env.unread(2).await, 2);
    let outages = daemon.metric("chatpush_outages_total").await;
    assert!((1..=5).contains(&outages), "each task counts the outage once: {outages}");
}

/// During the outage a store times out, and its exception says that it is queued. Pushes go on.
#[tokio::test]
async fn store_is_written_once_after_a_mysql_outage() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'before');").await;
    env.servers().kill_mariadb().await;
    let seen = calls(&env, "call(fn() => storeOfflineMessage(1, 2, 'meanwhile'));").await;
    assert!(seen[0].starts_with(r"ChatPush\TimeoutException: "), "{seen:?}");
    assert!(seen[0].contains("queued") && seen[0].ends_with("(in time)"), "{seen:?}");
    let seen = calls(&env, "call(fn() => getUnreadCount(2)); call(fn() => pushMessage(2, 'x', 1));").await;
    assert!(
        seen[0].starts_with(r"ChatPush\TimeoutException") || seen[0].starts_with(r"ChatPush\Unavailable"),
        "{seen:?}"
    );
    assert_eq!(seen[1], "false (in time)", "a push needs no MySQL");
    assert!(daemon.get("/ready").await.starts_with("HTTP/1.1 503"));
    assert!(daemon.get("/health").await.starts_with("HTTP/1.1 200"));
    env.servers().start_mariadb().await;
    eventually("the message is stored", || env.stored(2), |rows| *rows == ["before", "meanwhile"]).await;
    assert_eq!(env.unread(2).await, 2);
}

/// `/ready` says what failed, not that a connection was lost.
#[tokio::test]
async fn a_refused_login_is_called_so() {
    let env = TestEnv::new().await;
    let mysql = env.servers().mysql_url(env.name());
    let redis = env.servers().redis_url();
    let gone = format!("{}_gone", env.name());
    env.servers().sql(&format!("GRANT ALL ON {gone}.* TO chatpush@localhost")).await;
    let as_user = |user: &str| mysql.replace("chatpush:pw", user);
    for (variable, url, part, cause) in [
        ("CHATPUSH_MYSQL_URL", as_user("chatpush:wrong"), "mysql", "login refused"),
        ("CHATPUSH_MYSQL_URL", as_user("nobody:pw"), "mysql", "login refused"),
        ("CHATPUSH_MYSQL_URL", mysql.replace(env.name(), "elsewhere"), "mysql", "no access to the database"),
        ("CHATPUSH_MYSQL_URL", mysql.replace(env.name(), &gone), "mysql", "the database does not exist"),
        ("CHATPUSH_REDIS_URL", format!("{redis}?user=nobody&pass=wrong"), "redis", "login refused"),
        ("CHATPUSH_REDIS_URL", format!("{redis}?db=99"), "redis", "the database number is refused"),
    ] {
        let daemon = chatpush_tests::daemon::Daemon::launch(&env.clone().with(variable, url));
        let named = |answer: &String| answer.contains(&format!("{part}: {cause}"));
        eventually("the cause is named", || daemon.get("/ready"), named).await;
    }
}

#[tokio::test]
async fn a_corrected_account_needs_no_restart() {
    let env = TestEnv::new().await;
    let (database, account) = (env.name(), format!("c_{}", env.name()));
    let account = account.as_str();
    let made = format!(
        "CREATE USER {account}@localhost IDENTIFIED BY 'old'; GRANT ALL ON {database}.* TO {account}@localhost"
    );
    env.servers().sql(&made).await;
    let mysql = env.servers().mysql_url(database).replace("chatpush:pw", &format!("{account}:pw"));
    let redis = format!("{}?user={account}&pass=pw", env.servers().redis_url());
    let limited = env.clone().with("CHATPUSH_MYSQL_URL", mysql).with("CHATPUSH_REDIS_URL", redis);
    let daemon = chatpush_tests::daemon::Daemon::launch(&limited);
    let refused = |answer: &String| answer.matches("login refused").count() == 2;
    eventually("both logins are refused", || daemon.get("/ready"), refused).await;
    let _: String = env.redis(&["ACL", "SETUSER", account, "on", ">pw", "~*", "&*", "+@all"]).await;
    env.servers().sql(&format!("ALTER USER {account}@localhost IDENTIFIED BY 'pw'")).await;
    eventually("the daemon is ready", || daemon.is_ready(), |ready| *ready).await;
}

/// `/health` answers 200 at once, and `/ready` when both servers are there.
#[tokio::test]
async fn daemon_starts_without_redis_and_mysql() {
    let env = TestEnv::with_own_servers().await;
    env.servers().kill_redis().await;
    env.servers().kill_mariadb().await;
    let daemon = chatpush_tests::daemon::Daemon::launch(&env);
    eventually("/health answers", || daemon.get("/health"), |answer| answer.starts_with("HTTP/1.1 200"))
        .await;
    assert!(daemon.get("/ready").await.starts_with("HTTP/1.1 503"));
    env.servers().start_redis().await;
    env.servers().start_mariadb().await;
    eventually("/ready answers", || daemon.is_ready(), |ready| *ready).await;
}
