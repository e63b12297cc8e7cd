//! `redis.replicas`, and `chatpush.durability = replicated`.

use chatpush_stack::folder::Folder;
use chatpush_stack::port;
use chatpush_stack::redis::{Redis, ask};
use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::php::Php;
use chatpush_tests::test_env::TestEnv;

use super::check::Report;

/// A master, which is the Redis of `env`, and its replica.
struct Pair {
    env: TestEnv,
    replica: Redis,
    replica_port: u16,
    /// Removed last.
    _folder: Folder,
}

impl Pair {
    async fn new() -> Self {
        let env = TestEnv::with_own_servers().await;
        env.users(&[1, 2, 3]).await;
        let (master, replica_port) = (port::free().expect("a port"), port::free().expect("a port"));
        let (master, replica_text) = (master.to_string(), replica_port.to_string());
        let _: () = env.redis(&["CONFIG", "SET", "port", &master]).await;
        let _: () = env.redis(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]).await;
        let folder = Folder::new().expect("a folder is created");
        let arguments = ["--port", &replica_text, "--replicaof", "127.0.0.1", &master];
        let replica = Redis::start_with(folder.path(), &arguments).await.expect("the replica starts");
        let state = async || env.redis::<String>(&["INFO", "replication"]).await;
        eventually("the replica has all data", state, |text| text.contains("state=online")).await;
        Self { env, replica, replica_port, _folder: folder }
    }

    /// PHP whose stores return once a replica has them.
    fn php(&self) -> Php {
        self.env.php().with("chatpush.durability=replicated")
    }

    /// How many entries the replica has in the log of this user's partition.
    async fn replicated(&self, user: u32) -> String {
        ask(self.replica_port, &["XLEN", &self.env.log(user)]).await.expect("redis-cli starts")
    }
}

/// A call with a message id, and what has become of it.
fn send(receiver: u32, id: &str) -> String {
    format!(
        "try {{ echo ChatPush\\sendMessage(1, {receiver}, '{id}', 'text', '{id}')->name; }}
         catch (ChatPush\\TimeoutException $e) {{ echo $e->getOutcome()->name, ': ', $e->getMessage(); }}"
    )
}

/// How often Redis has executed WAIT.
async fn waits(env: &TestEnv) -> u64 {
    let stats: String = env.redis(&["INFO", "commandstats"]).await;
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_wait:calls="));
    line.and_then(|rest| rest.split(',').next()).map_or(0, |calls| calls.parse().expect("a number"))
}

#[tokio::test]
async fn nothing_is_committed_that_the_replica_does_not_have() {
    let pair = Pair::new().await;
    let env = pair.env.clone().with("CHATPUSH_REDIS_REPLICAS", "1");
    let daemon = env.daemon().await;
    let (mut browser, mut other) = (daemon.connect(2).await, daemon.connect(1).await);
    browser.until_unread_count().await;
    other.until_unread_count().await;
    assert_eq!(env.php().get(&send(3, "before")).await, "Stored");
    assert!(daemon.get("/ready").await.contains("redis: ok"));
    assert_eq!(Report::of(&env).await.finding("Redis replication").0, "ok");

    pair.replica.signal("STOP");
    let php = env.php().with("chatpush.timeout_ms=3000");
    let late = php.get(&send(2, "late")).await;
    assert!(late.starts_with("Queued: "), "{late}");
    assert_eq!(browser.json().await["data"], "late", "connected receivers are shown it");
    assert_eq!((env.stored_count(2).await, env.log_length(2).await), (0, 1));
    assert_eq!(env.php().get("var_dump(pushMessage(1, 'live', 'text'));").await.trim(), "bool(true)");
    assert_eq!(other.json().await["data"], "live");
    // It does not confirm the message.
    drop(browser);

    let cause = "0 of 1 replicas";
    let ready = daemon.get("/ready").await;
    assert!(
        ready.contains(&format!("redis: Redis has too few replicas (redis.replicas): {cause}")),
        "{ready}"
    );
    let status = Daemon::command(&env, &["status"]).await;
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("PROBLEM") && status.contains(cause), "{status}");
    let report = Report::of(&env).await;
    let (state, text) = report.finding("Redis replication");
    assert!(state == "wrong" && text.contains(cause), "{text}");

    pair.replica.signal("CONT");
    eventually("it is committed", || env.stored(2), |stored| stored == &["late"]).await;
    assert_eq!(php.clone().with("chatpush.timeout_ms=60000").get(&send(2, "late")).await, "Live");
    assert_eq!((env.stored_count(2).await, env.unread(2).await), (1, 1), "once");
    eventually("the daemon is ready", || daemon.is_ready(), |ready| *ready).await;
}

/// A log that has filled Redis is emptied nevertheless.
#[tokio::test]
async fn mark_is_written_at_maxmemory() {
    let pair = Pair::new().await;
    let env = pair.env.clone().with("CHATPUSH_REDIS_REPLICAS", "1");
    env.php().with("chatpush.durability=queued").get("storeOfflineMessage(1, 2, 'x');").await;
    let _: () = env.redis(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let _daemon = env.daemon().await;
    eventually("it is stored", || env.stored(2), |stored| stored == &["x"]).await;
}

/// What nobody has asked for costs nothing.
#[tokio::test]
async fn without_a_wish_nobody_waits_for_replicas() {
    let pair = Pair::new().await;
    let env = &pair.env;
    let _daemon = env.daemon().await;
    for durability in ["committed", "queued"] {
        env.php().with(&format!("chatpush.durability={durability}")).get(&send(2, durability)).await;
    }
    eventually("both are stored", || env.stored_count(2), |count| *count == 2).await;
    assert_eq!(waits(env).await, 0);
}

/// No daemon runs.
#[tokio::test]
async fn replicated_store_returns_once_the_replica_has_it() {
    let pair = Pair::new().await;
    let php = pair.php();
    assert_eq!(php.get("var_dump(storeOfflineMessage(1, 2, 'x'));").await.trim(), "bool(true)");
    assert_eq!(pair.replicated(2).await, "1\n");
    let many = "echo json_encode(ChatPush\\sendToUsers(1, [2, 3], 'y', 'text', 'many'));";
    assert_eq!(php.get(many).await, r#"{"2":"stored","3":"stored"}"#);
    assert_eq!((pair.replicated(2).await, pair.replicated(3).await), ("2\n".to_owned(), "1\n".to_owned()));

    pair.replica.signal("STOP");
    let impatient = php.clone().with("chatpush.timeout_ms=1000");
    let ids = ["new", "new"];
    for id in ids {
        // A repeated one writes nothing by itself.
        let late = impatient.get(&send(2, id)).await;
        assert!(late.starts_with("Queued: ") && late.contains("no replica of Redis"), "{late}");
    }
    for message_id in ["many", "more"] {
        let many = format!(
            "try {{ ChatPush\\sendToUsers(1, [2, 3], 'y', 'text', '{message_id}'); }}
             catch (ChatPush\\TimeoutException $e) {{ echo $e->getOutcome()->name; }}"
        );
        assert_eq!(impatient.get(&many).await, "Queued", "{message_id}");
    }
    // The next call of the process is answered.
    let code = "try { storeOfflineMessage(1, 3, 'z'); } catch (ChatPush\\TimeoutException) {}
        var_dump(ChatPush\\isOnline(3));";
    assert_eq!(impatient.get(code).await.trim(), "bool(false)");

    pair.replica.signal("CONT");
    assert_eq!(php.get(&send(2, "new")).await, "Stored");
    assert_eq!(pair.replicated(2).await, "4\n");
    let _daemon = pair.env.daemon().await;
    eventually("each is stored once", || pair.env.stored_count(2), |count| *count == 4).await;
    assert_eq!(pair.env.stored(3).await, ["y", "y", "z"]);
}

/// An account without `+wait`.
#[tokio::test]
async fn refused_wait_leaves_the_message_queued() {
    let pair = Pair::new().await;
    let rules = ["ACL", "SETUSER", "php", "on", ">pw", "~*", "&*", "+@all", "-wait"];
    let _: () = pair.env.redis(&rules).await;
    let socket = chatpush_stack::redis::socket(pair.env.servers().folder());
    let php =
        pair.php().with(&format!("chatpush.redis_url=\"unix://{}?user=php&pass=pw\"", socket.display()));
    let code = "try { storeOfflineMessage(1, 2, 'x'); } catch (ChatPush\\ConnectionException $e) {
        echo $e->getOutcome()->name, ': ', $e->getMessage(); }";
    let refused = php.get(code).await;
    assert!(
        refused.starts_with("Queued: ") && refused.contains("'wait'") && refused.contains("ACL"),
        "{refused}"
    );
    assert_eq!(pair.env.log_length(2).await, 1);
    let with = |account: &str| {
        let url = format!("unix://{}?user={account}&pass=pw", socket.display());
        pair.env.clone().with("CHATPUSH_REDIS_URL", url).with("CHATPUSH_REDIS_REPLICAS", "1")
    };
    let report = Report::of(&with("php")).await;
    let (status, text) = report.finding("Redis account");
    assert!(status == "wrong" && text.ends_with("+wait"), "{text}");
}
