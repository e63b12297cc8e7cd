use std::process::Stdio;

use chatpush_stack::folder::Folder;
use chatpush_stack::port;
use chatpush_stack::redis::{self, Redis};
use chatpush_stack::sentinel::{MASTER, Sentinels};
use chatpush_tests::client::Client;
use chatpush_tests::eventually::{TEST_TIMEOUT, eventually};
use chatpush_tests::php::Php;
use chatpush_tests::test_env::TestEnv;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

use super::check::Report;

/// A master, which is the Redis of `env`, a replica, and Sentinels that both sides ask.
struct Group {
    env: TestEnv,
    sentinels: Sentinels,
    replica_port: u16,
    _replica: Redis,
    /// Removed last.
    _folder: Folder,
}

impl Group {
    async fn new() -> Self {
        let env = TestEnv::with_own_servers().await;
        env.users(&[2]).await;
        let (master, replica_port) = (port::free().expect("a port"), port::free().expect("a port"));
        let (master_text, replica_text) = (master.to_string(), replica_port.to_string());
        // Sentinels need TCP.
        let _: () = env.redis(&["CONFIG", "SET", "port", &master_text]).await;
        let _: () = env.redis(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]).await;
        let folder = Folder::new().expect("a folder is created");
        let arguments = ["--port", &replica_text, "--replicaof", "127.0.0.1", &master_text];
        let replica = Redis::start_with(folder.path(), &arguments).await.expect("the replica starts");
        let sentinels = Sentinels::start(master, 1).await.expect("Sentinels start");
        let env = env.with("CHATPUSH_REDIS_URL", sentinels.url());
        Self { env, sentinels, replica_port, _replica: replica, _folder: folder }
    }

    fn php(&self) -> Php {
        self.env.php().with(&format!("chatpush.redis_url={}", self.sentinels.url()))
    }
}

/// Asks the server on this port.
async fn ask(port: u16, command: &[&str]) -> String {
    redis::ask(port, command).await.expect("it answers")
}

/// A PHP process that goes on, and the lines that it prints.
struct Worker {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(php: &Php, code: &str) -> Self {
        let command = &mut php.program(["-r", code]);
        let mut process = command.stdout(Stdio::piped()).spawn().expect("php starts");
        let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        Self { process, lines }
    }

    /// Reads up to this line.
    async fn until(&mut self, line: &str) {
        let read = async {
            while self.lines.next_line().await.expect("php writes").expect("php goes on") != line {}
        };
        timeout(TEST_TIMEOUT, read).await.unwrap_or_else(|_| panic!("{line:?} is printed"));
    }

    async fn succeeds(mut self) {
        let code = timeout(TEST_TIMEOUT, self.process.wait()).await.expect("php ends").expect("php ran");
        assert!(code.success(), "{code:?}");
    }
}

/// The contents that the browser is shown up to `last`.
async fn shown(browser: &mut Client, last: &str) -> Vec<String> {
    let mut shown = Vec::new();
    while shown.last().is_none_or(|content| content != last) {
        let frame = browser.json().await;
        shown.extend(
            (frame["type"] != "unread_count").then(|| frame["data"].as_str().expect("a text").to_owned()),
        );
    }
    shown
}

/// Every message is stored once, and shown once and in order, though the master dies between two of them. A call
/// that fails is repeated under its id.
#[tokio::test]
async fn killed_master_is_replaced_under_sends() {
    const COUNT: usize = 60;
    let group = Group::new().await;
    let daemon = group.env.daemon().await;
    let mut browser = daemon.connect(2).await;
    browser.until_unread_count().await;
    let code = format!(
        "for ($i = 0; $i < {COUNT}; $i++) {{
            for ($sent = null; $sent === null;) {{
                try {{ $sent = ChatPush\\sendMessage(1, 2, \"m$i\", 'text', \"m$i\"); }}
                catch (ChatPush\\ConnectionException | ChatPush\\TimeoutException | ChatPush\\UnavailableException) {{ }}
            }}
            echo \"$i\\n\";
        }}"
    );
    let php = group.php().with("chatpush.timeout_ms=2000");
    let mut worker = Worker::start(&php, &code);
    let last = format!("m{}", COUNT - 1);
    let sends = async {
        worker.until(&format!("{}", COUNT / 3)).await;
        group.env.servers().kill_redis().await;
        worker.succeeds().await;
    };
    let (contents, ()) = tokio::join!(shown(&mut browser, &last), sends);
    let expected: Vec<_> = (0..COUNT).map(|number| format!("m{number}")).collect();
    assert_eq!(contents, expected);
    assert_eq!(group.sentinels.master().await.expect("a master"), group.replica_port);
    // Confirmations do not lower it.
    assert_eq!(group.env.unread(2).await, i64::try_from(COUNT).expect("few"));
    let reading = browser.keep_reading();
    eventually("the confirmed rows are deleted", || group.env.stored(2), Vec::is_empty).await;
    reading.abort();
}

/// The master has taken a call and dies before a daemon has done it. Its replica may have less.
#[tokio::test]
async fn what_a_lost_master_had_queued_is_unknown() {
    let group = Group::new().await;
    let daemon = group.env.daemon().await;
    daemon.process().signal("STOP");
    let code = "try { ChatPush\\sendMessage(1, 2, 'x', 'text', 'x'); }
        catch (ChatPush\\Exception $e) { echo $e->getOutcome()->name, \"\\n\"; }";
    let mut worker = Worker::start(&group.php().with("chatpush.timeout_ms=1500"), code);
    eventually("it is queued", || group.env.log_length(2), |length| *length == 1).await;
    group.env.servers().kill_redis().await;
    worker.until("Unknown").await;
    daemon.process().signal("CONT");
}

/// A master that the Sentinels cannot reach answers on. Neither the daemon stays there nor a PHP process with an
/// open connection.
#[tokio::test]
async fn master_that_is_replaced_and_lives_on_is_left() {
    let group = Group::new().await;
    let daemon = group.env.daemon().await;
    let mut browser = daemon.connect(2).await;
    browser.until_unread_count().await;
    let code = "for ($online = ChatPush\\isOnline(2), print(\"begun\\n\"); ; usleep(10_000)) {
            if ($online !== ChatPush\\isOnline(2)) { $online = !$online; echo $online ? \"on\\n\" : \"off\\n\"; }
        }";
    let mut worker = Worker::start(&group.php(), code);
    worker.until("begun").await;

    let new = group.replica_port;
    ask(new, &["REPLICAOF", "NO", "ONE"]).await;
    for sentinel in group.sentinels.ports() {
        ask(sentinel, &["SENTINEL", "REMOVE", MASTER]).await;
        ask(sentinel, &["SENTINEL", "MONITOR", MASTER, "127.0.0.1", &new.to_string(), "2"]).await;
    }
    worker.until("off").await;
    worker.until("on").await;
    let role: Vec<::redis::Value> = group.env.redis(&["ROLE"]).await;
    assert_eq!(role[0], ::redis::Value::BulkString(b"master".to_vec()), "the old one lives on");
    let channels: Vec<String> = group.env.redis(&["PUBSUB", "SHARDCHANNELS"]).await;
    assert!(channels.is_empty(), "{channels:?}");
    let stored = group.php().get("var_dump(storeOfflineMessage(1, 2, 'after'));").await;
    assert_eq!(stored.trim(), "bool(true)");
    assert_eq!(shown(&mut browser, "after").await, ["after"]);
}

/// One Sentinel hangs, one is gone, and one wants a password, which is that of the servers.
#[tokio::test]
async fn one_sentinel_is_enough() {
    let group = Group::new().await;
    let ports: Vec<_> = group.sentinels.ports().collect();
    let _: String = group.env.redis(&["ACL", "SETUSER", "app", "on", ">pw", "+@all", "~*", "&*"]).await;
    ask(ports[2], &["ACL", "SETUSER", "app", "on", ">pw", "+@all"]).await;
    ask(ports[2], &["ACL", "SETUSER", "default", "resetpass", ">other"]).await;
    group.sentinels.signal(0, "STOP");
    let gone = port::free().expect("a port");
    let url = format!(
        "redis+sentinel://app:pw@127.0.0.1:{},127.0.0.1:{gone},127.0.0.1:{}/{}",
        ports[0], ports[2], MASTER
    );
    let env = group.env.clone().with("CHATPUSH_REDIS_URL", url.clone());
    let daemon = env.daemon().await;
    assert!(daemon.is_ready().await);
    let php = env.php().with(&format!("chatpush.redis_url={url}"));
    assert_eq!(php.get("var_dump(storeOfflineMessage(1, 2, 'x'));").await.trim(), "bool(true)");
    let report = Report::of(&env).await;
    let (status, text) = report.finding("Redis Sentinels");
    assert!(
        status == "warning" && text.contains(&gone.to_string()) && !text.contains(&ports[2].to_string()),
        "{text}"
    );
    assert_eq!(report.code, Some(0));
}

/// The name is part of what is configured, so nobody waits for it.
#[tokio::test]
async fn unknown_master_is_named() {
    let group = Group::new().await;
    let url = group.sentinels.url().replace(MASTER, "other");
    let php = group.env.php().with(&format!("chatpush.redis_url={url}"));
    let code = "try { pushMessage(2, 'x', 'text'); } catch (ChatPush\\ConnectionException $e) { echo $e->getMessage(); }";
    let text = php.get(code).await;
    assert!(text.contains("does not know a master \"other\""), "{text}");
    let report = Report::of(&group.env.clone().with("CHATPUSH_REDIS_URL", url)).await;
    assert_eq!((report.finding("Redis Sentinels").0, report.code), ("wrong", Some(1)));
    assert_eq!(Report::of(&group.env).await.finding("Redis Sentinels").0, "ok");
    assert_eq!(Report::of(&group.env).await.finding("Redis replicas").0, "warning");
}
