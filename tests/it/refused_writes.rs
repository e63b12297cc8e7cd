use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

/// The heartbeats of all daemons: the time in milliseconds, and the id of the connection that it is about.
async fn heartbeats(env: &TestEnv) -> Vec<(u64, u64)> {
    let found: Vec<String> = env.redis(&["HVALS", &format!("{}:heartbeats", env.name())]).await;
    let parse = |text: String| {
        let mut fields = text.split(' ').map(str::parse);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    found.into_iter().filter_map(parse).collect()
}

/// How often the subscriptions of a daemon were interrupted.
async fn gaps(daemon: &Daemon) -> u64 {
    let metrics = daemon.get("/metrics").await;
    let line = metrics.lines().find_map(|line| line.strip_prefix("chatpush_gaps_total "));
    line.expect("the metric is there").parse().expect("a number")
}

/// How often Redis has answered with this error.
async fn errors(env: &TestEnv, code: &str) -> u64 {
    let stats: String = env.redis(&["INFO", "errorstats"]).await;
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("errorstat_{code}:count=")));
    line.map_or(0, |count| count.trim().parse().expect("a number"))
}

/// What goes on while stores are refused.
const LIVE: &str = "var_dump(pushMessage(2, 'live', 'text'), ChatPush\\isOnline(2), getUnreadCount(2));";

const STORE: &str = "try { var_dump(storeOfflineMessage(1, 2, 'refused')); }
    catch (ChatPush\\Exception $e) {
        for ($text = ''; $e; $e = $e->getPrevious()) $text .= $e->getMessage();
        echo $text;
    }";

/// `status` and `check` name the cause, and blame no daemon.
async fn operator_is_told(env: &TestEnv, cause: &str) {
    let status = Daemon::command(env, &["status", "--json"]).await;
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
    let problems = status["problems"].as_array().expect("a list");
    let told = problems[0].as_str().expect("a text");
    assert!(told.starts_with("Redis takes no messages") && told.contains(cause), "{status}");
    assert_eq!(problems.len(), 1, "{status}");
    let check = Daemon::command(env, &["check", "--json"]).await;
    let check: Vec<serde_json::Value> = serde_json::from_slice(&check.stdout).expect("JSON");
    let names_it = |finding: &serde_json::Value| {
        finding["status"] == "wrong" && finding["text"].as_str().is_some_and(|text| text.contains(cause))
    };
    assert!(check.iter().any(names_it), "{check:?}");
}

#[tokio::test]
async fn redis_at_maxmemory_refuses_stores_alone() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    browser.until_unread_count().await;
    let php = env.php();
    php.get("storeOfflineMessage(1, 2, 'before');").await;
    let frame = browser.json().await;
    assert_eq!(frame["data"], "before");
    let _: () = env.redis(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let since = heartbeats(&env).await[0];
    // The confirmation is taken, and its row goes.
    browser.send_text(&serde_json::json!({ "ack": [frame["id"]] }).to_string()).await;
    eventually("the confirmed row is deleted", || env.stored(2), Vec::is_empty).await;
    browser.send_text(r#"{"read":true}"#).await;
    eventually("the counter is cleared", || env.unread(2), |unread| *unread == 0).await;
    let later = eventually("there are heartbeats", || heartbeats(&env), |now| now[0].0 > since.0).await;
    assert_eq!(later[0].1, since.1, "on the same connection");
    assert_eq!(php.get(LIVE).await.trim(), "bool(true)\nbool(true)\nint(0)");
    let refused = php.get(STORE).await;
    assert!(refused.contains("OOM"), "{refused}");
    operator_is_told(&env, "Redis is at maxmemory").await;
    assert_eq!(gaps(&daemon).await, 0);
    assert!(daemon.is_ready().await);
    let _: () = env.redis(&["CONFIG", "SET", "maxmemory", "0"]).await;
    assert_eq!(php.get("var_dump(storeOfflineMessage(1, 2, 'after'));").await.trim(), "bool(true)");
    assert_eq!(env.stored(2).await, ["after"]);
}

/// The log that has filled Redis is applied and trimmed, by a daemon that starts then.
#[tokio::test]
async fn backlog_that_fills_redis_is_drained() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    // It records the installation in Redis.
    env.daemon().await.stop();
    let queued = env.php().with("chatpush.durability=queued");
    queued.get("for ($n = 0; $n < 100; $n++) storeOfflineMessage(1, 2, \"m$n\");").await;
    assert_eq!(env.log_length(2).await, 100);
    let _: () = env.redis(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let _daemon = env.daemon().await;
    eventually("the backlog is stored", || env.stored_count(2), |stored| *stored == 100).await;
    let length = async || env.redis::<u64>(&["XLEN", &env.log(2)]).await;
    eventually("the log is trimmed", length, |length| *length == 0).await;
}

/// A Redis that has lost its data, and is full of others', gets the installation record again.
#[tokio::test]
async fn daemon_starts_at_maxmemory() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    env.daemon().await.stop();
    assert_eq!(env.redis::<u64>(&["DEL", &env.prefix().installation()]).await, 1);
    let _: () = env.redis(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let daemon = env.daemon().await;
    assert_eq!(env.redis::<u64>(&["EXISTS", &env.prefix().installation()]).await, 1);
    let mut browser = daemon.connect(2).await;
    assert_eq!(browser.until_unread_count().await, (Vec::new(), 0));
}

/// A repeated call whose message was accepted before is no new message.
#[tokio::test]
async fn repeated_call_is_answered_at_maxmemory() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let _daemon = env.daemon().await;
    let php = env.php();
    let send = "var_dump(ChatPush\\sendMessage(1, 2, 'x', 'chat', 'once')->name);";
    let first = php.get(send).await;
    let _: () = env.redis(&["CONFIG", "SET", "maxmemory", "1"]).await;
    assert_eq!(php.get(send).await, first);
    assert_eq!(env.stored(2).await, ["x"]);
}

/// Redis cannot write its file, as with a full disk.
#[tokio::test]
async fn failed_snapshots_refuse_stores_alone() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let _: () = env.redis(&["CONFIG", "SET", "save", "3600 1"]).await;
    let (_, folder): (String, String) = env.redis(&["CONFIG", "GET", "dir"]).await;
    // A folder is where the file would be.
    std::fs::create_dir(std::path::Path::new(&folder).join("dump.rdb")).expect("a folder is created");
    let _: String = env.redis(&["BGSAVE"]).await;
    let state = async || env.redis::<String>(&["INFO", "persistence"]).await;
    eventually("the snapshot fails", state, |text| text.contains("rdb_last_bgsave_status:err")).await;
    let lease = async || env.redis::<bool>(&["EXISTS", &env.prefix().writer()]).await;
    eventually("the lease ends", lease, |held| !held).await;
    operator_is_told(&env, "Redis cannot write its file").await;
    assert!(daemon.is_ready().await, "a balancer keeps it");
    let mut browser = daemon.connect(2).await;
    browser.until_unread_count().await;
    let php = env.php();
    assert_eq!(php.get(LIVE).await.trim(), "bool(true)\nbool(true)\nint(0)");
    assert_eq!(browser.json().await["data"], "live");
    let refused = php.get(STORE).await;
    assert!(refused.contains("MISCONF"), "{refused}");
    let _: () = env.redis(&["CONFIG", "SET", "save", ""]).await;
    let stored = async || php.get("var_dump(storeOfflineMessage(1, 2, 'after'));").await.contains("true");
    eventually("stores are taken again", stored, |stored| *stored).await;
    assert_eq!(gaps(&daemon).await, 0);
}

#[tokio::test]
async fn too_few_replicas_refuse_stores_alone() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let (daemon, other) = (env.daemon().await, env.daemon().await);
    let mut browser = daemon.connect(2).await;
    browser.until_unread_count().await;
    let php = env.php();
    php.get("storeOfflineMessage(1, 2, 'before');").await;
    assert_eq!(browser.until_unread_count().await.0, ["before"]);
    let reading = browser.keep_reading();
    eventually("the confirmed row is deleted", || env.stored(2), Vec::is_empty).await;
    let before = eventually("both send heartbeats", || heartbeats(&env), |all| all.len() == 2).await;
    let _: () = env.redis(&["CONFIG", "SET", "min-replicas-to-write", "1"]).await;
    // As long as it takes for one daemon to take the other for hung.
    let age = async || {
        let now: (u64, u64) = env.redis(&["TIME"]).await;
        let newest = heartbeats(&env).await.into_iter().map(|(time, _)| time).max().expect("a heartbeat");
        (now.0 * 1_000).saturating_sub(newest)
    };
    eventually("the heartbeats are old", age, |age| *age > 9_500).await;
    assert!(errors(&env, "NOREPLICAS").await > 4, "heartbeats and renewals were refused");
    assert_eq!(php.get(LIVE).await.trim(), "bool(true)\nbool(true)\nint(1)");
    let refused = php.get(STORE).await;
    assert!(refused.contains("NOREPLICAS"), "{refused}");
    let lease = async || env.redis::<bool>(&["EXISTS", &env.prefix().writer()]).await;
    eventually("the lease ends", lease, |held| !held).await;
    operator_is_told(&env, "Redis has too few replicas").await;
    assert_eq!((daemon.is_ready().await, other.is_ready().await), (true, true), "a balancer keeps both");
    let mut newcomer = other.connect(2).await;
    newcomer.until_unread_count().await;
    assert_eq!(php.get(LIVE).await.trim(), "bool(true)\nbool(true)\nint(1)");
    assert_eq!(newcomer.json().await["data"], "live");
    drop(newcomer);
    let _: () = env.redis(&["CONFIG", "SET", "min-replicas-to-write", "0"]).await;
    let newer = |all: &Vec<(u64, u64)>| all.iter().all(|(time, _)| before.iter().all(|(old, _)| time > old));
    let after = eventually("both send heartbeats again", || heartbeats(&env), newer).await;
    let ids = |all: &[(u64, u64)]| all.iter().map(|(_, client)| *client).collect::<Vec<_>>();
    assert_eq!(ids(&after), ids(&before), "no daemon took another for hung");
    assert_eq!(php.get("var_dump(storeOfflineMessage(1, 2, 'after'));").await.trim(), "bool(true)");
    assert_eq!((gaps(&daemon).await, gaps(&other).await), (0, 0));
    eventually("the row is deleted", || env.stored(2), Vec::is_empty).await;
    reading.abort();
}
