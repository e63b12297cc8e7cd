use std::collections::BTreeMap;

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::grants;
use chatpush_tests::test_env::TestEnv;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};

/// The process id of the writer, which is a part of its name in Redis.
pub(crate) async fn writer(env: &TestEnv) -> Option<u32> {
    let holder: Option<String> = env.redis(&["GET", &env.prefix().writer()]).await;
    holder?.rsplit('-').nth(1)?.parse().ok()
}

/// Returns the writer and the other daemon.
pub(crate) async fn writer_and_standby(env: &TestEnv, one: Daemon, other: Daemon) -> (Daemon, Daemon) {
    let holder = eventually("a daemon is the writer", || writer(env), Option::is_some).await;
    if holder == Some(one.process().pid()) { (one, other) } else { (other, one) }
}

#[tokio::test]
async fn killed_writer_is_replaced_before_its_lease_expires() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let (active, standby) = writer_and_standby(&env, env.daemon().await, env.daemon().await).await;
    let pid = standby.process().pid();
    active.kill();
    let stored = env.php().get("var_dump(storeOfflineMessage(1, 2, 'after'));").await;
    assert_eq!(stored.trim(), "bool(true)");
    assert_eq!((env.stored(2).await, env.unread(2).await), (vec!["after".to_owned()], 1));
    assert_eq!(writer(&env).await, Some(pid));
}

#[tokio::test]
async fn paused_writer_is_replaced_and_commits_nothing_on_resume() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let (active, standby) = writer_and_standby(&env, env.daemon().await, env.daemon().await).await;
    let php = env.php();
    php.get("storeOfflineMessage(1, 2, 'before');").await;
    active.process().signal("STOP");
    let stored = php.get("var_dump(storeOfflineMessage(1, 2, 'meanwhile'));").await;
    assert_eq!(stored.trim(), "bool(true)");
    assert_eq!(writer(&env).await, Some(standby.process().pid()));
    active.process().signal("CONT");
    for text in ["a", "b", "c"] {
        php.get(&format!("storeOfflineMessage(1, 2, '{text}');")).await;
    }
    assert_eq!(env.stored(2).await, ["before", "meanwhile", "a", "b", "c"]);
    assert_eq!(env.unread(2).await, 5);
    eventually("the resumed daemon stands by", || active.is_ready(), |ready| *ready).await;
    assert_eq!(writer(&env).await, Some(standby.process().pid()));
}

/// The URL of the database for another account, which may end no connection of the first one.
async fn url_of_another_account(env: &TestEnv) -> String {
    let account = format!("b_{}", env.name());
    let database = env.name();
    let made = format!(
        "CREATE USER {account}@localhost IDENTIFIED BY 'pw'; GRANT ALL ON {database}.* TO {account}@localhost"
    );
    env.servers().sql(&made).await;
    env.servers().mysql_url(database).replace("chatpush:", &format!("{account}:"))
}

/// Its connection to MySQL is open, and the account of its successor may not end it.
#[tokio::test]
async fn writer_that_hangs_is_replaced_by_a_daemon_with_another_account() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let first = env.daemon().await;
    let url = url_of_another_account(&env).await;
    let other = env.clone().with("CHATPUSH_MYSQL_URL", url).daemon().await;
    let php = env.php().with("chatpush.timeout_ms=180000");
    php.get("storeOfflineMessage(1, 2, 'before');").await;
    first.process().signal("STOP");
    let stored = php.get("var_dump(storeOfflineMessage(1, 2, 'meanwhile'));").await;
    assert_eq!(stored.trim(), "bool(true)");
    assert_eq!(writer(&env).await, Some(other.process().pid()));
    assert_eq!(env.stored(2).await, ["before", "meanwhile"]);
    assert_eq!(env.unread(2).await, 2);
}

/// Another connection holds the writer's named lock, and the account of the daemon may not end it: the positions alone
/// decide who writes.
#[tokio::test]
async fn daemon_writes_although_another_connection_keeps_the_lock() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let url = url_of_another_account(&env).await;
    let mut other = Conn::new(Opts::from_url(&url).expect("a valid URL")).await.expect("it answers");
    let lock = "SELECT GET_LOCK(CONCAT('chatpush:', MD5(DATABASE())), 0)";
    assert_eq!(other.query_first(lock).await.expect("it answers"), Some(1));
    let _daemon = env.daemon().await;
    let php = env.php().with("chatpush.timeout_ms=60000");
    assert_eq!(php.get("echo storeOfflineMessage(1, 2, 'a');").await, "1");
    assert_eq!((env.stored(2).await, env.unread(2).await), (vec!["a".to_owned()], 1));
    let held = "SELECT IS_USED_LOCK(CONCAT('chatpush:', MD5(DATABASE()))) = CONNECTION_ID()";
    assert_eq!(other.query_first(held).await.expect("it answers"), Some(1));
}

/// After it resumes, its sessions replay what was stored in the meantime.
#[tokio::test]
async fn users_of_a_paused_daemon_are_offline_until_it_resumes() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let (paused, _healthy) = (env.daemon().await, env.daemon().await);
    let mut browser = paused.connect(2).await;
    browser.until_unread_count().await;
    let php = env.php();
    let online = "var_dump(ChatPush\\isOnline(2));";
    assert_eq!(php.get(online).await.trim(), "bool(true)");
    paused.process().signal("STOP");
    eventually("its users are offline", || php.get(online), |output| output.trim() == "bool(false)").await;
    php.get("storeOfflineMessage(1, 2, 'while it was paused');").await;
    paused.process().signal("CONT");
    let frame = browser.json().await;
    assert_eq!(
        (frame["data"].as_str(), frame["offline"].as_bool()),
        (Some("while it was paused"), Some(true))
    );
    let reading = browser.keep_reading();
    eventually("the row is deleted", || env.stored(2), Vec::is_empty).await;
    assert_eq!(php.get(online).await.trim(), "bool(true)");
    reading.abort();
}

/// After a pause of the whole machine all heartbeats are old, by Redis's clock alone.
#[tokio::test]
async fn daemon_judges_nobody_after_a_pause_until_it_is_steady_again() {
    let env = TestEnv::new().await;
    let _daemon = env.daemon().await;
    let key = env.prefix().heartbeats();
    let heartbeats = async || env.redis::<BTreeMap<String, String>>(&["HGETALL", &key]).await;
    let sent = |heartbeat: &str| heartbeat.split(' ').next().and_then(|ms| ms.parse::<u64>().ok());
    let first = eventually("there is a heartbeat", heartbeats, |all| !all.is_empty()).await;
    let (daemon, own) = first.into_iter().next().expect("a heartbeat");
    let _: u64 = env.redis(&["HSET", &key, "peer", "1 1 2"]).await;
    eventually("the daemon judges", heartbeats, |all| !all.contains_key("peer")).await;

    let [seconds, _]: [u64; 2] = env.redis(&["TIME"]).await;
    let paused = (seconds - 10) * 1000;
    let rest = own.split_once(' ').expect("time, connection and generation").1;
    let (old, peer) = (format!("{paused} {rest}"), format!("{paused} 1 2"));
    let _: u64 = env.redis(&["HSET", &key, &daemon, &old, "peer", &peer]).await;
    let after = eventually("the peer is judged", heartbeats, |all| !all.contains_key("peer")).await;
    // The first heartbeat would come three seconds after, and the daemon is steady after nine.
    let judged = sent(&after[&daemon]).expect("a time");
    assert!(judged > (seconds + 6) * 1000, "judged at {judged}, the pause ended at {seconds}000");
}

/// The first query waits in a list for any daemon. Later ones are published to the daemon that answered.
#[tokio::test]
async fn queries_stay_with_one_daemon_until_it_is_gone() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let first = env.daemon().await;
    // One PHP process runs while daemons start and stop. Files tell it when to go on.
    let folder = env.servers().folder().join("steps");
    std::fs::create_dir(&folder).expect("a folder can be made");
    let at = folder.display();
    let code = format!(
        "foreach (['a', 'b', 'c'] as $step) {{
             for ($n = 0; $n < 2000 && !file_exists(\"{at}/$step\"); $n++) usleep(10000);
             for ($n = 0; $n < 20; $n++) if (getUnreadCount(2) !== 0) exit(1);
             touch(\"{at}/$step-done\");
         }} echo 'all';"
    );
    let php = env.php();
    let asking = tokio::spawn(async move { php.get(&code).await });
    let step = async |name: &str| {
        std::fs::write(folder.join(name), "").expect("a file can be written");
        let done = folder.join(format!("{name}-done"));
        eventually("the queries are answered", async || done.exists(), |done| *done).await;
    };
    let list_pushes = async || {
        let stats: String = env.redis(&["INFO", "commandstats"]).await;
        let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_rpush:calls="));
        calls.and_then(|rest| rest.split(',').next()).map(str::to_owned)
    };
    step("a").await;
    let before = list_pushes().await;
    assert!(before.is_some(), "the first query waits in a list for any daemon");
    step("b").await;
    assert_eq!(list_pushes().await, before, "later queries are only published");
    let _second = env.daemon().await;
    first.kill();
    step("c").await;
    assert_eq!(asking.await.expect("PHP ran"), "all");
}

#[tokio::test]
async fn redis_clock_going_back_loses_no_message() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let php = env.php();
    php.get("storeOfflineMessage(1, 2, 'before');").await;
    // As if the clock of Redis had been far ahead when it accepted all entries so far.
    env.execute("UPDATE chatpush_position SET log_id = '1900000000000-7'").await;
    env.servers().kill_redis().await;
    env.servers().start_redis().await;
    eventually("the daemon is ready again", || daemon.is_ready(), |ready| *ready).await;
    let stored = php.get("var_dump(storeOfflineMessage(1, 2, 'after'));").await;
    assert_eq!(stored.trim(), "bool(true)");
    assert_eq!(
        (env.stored(2).await, env.unread(2).await),
        (vec!["before".to_owned(), "after".to_owned()], 2)
    );
}

/// New messages are stored, too.
#[tokio::test]
async fn redis_restored_from_a_backup_repeats_nothing() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let php = env.php();
    let first = env.daemon().await;
    php.get("storeOfflineMessage(1, 2, 'one');").await;
    first.stop();
    // These entries wait when the backup is taken, and are applied afterwards.
    let queued = env.php().with("chatpush.durability=queued");
    queued.get("storeOfflineMessage(1, 2, 'two'); storeOfflineMessage(1, 2, 'three');").await;
    env.servers().kill_redis().await;
    let (files, backup) =
        (env.servers().folder().join("appendonlydir"), env.servers().folder().join("backup"));
    copy_folder(&files, &backup);
    env.servers().start_redis().await;
    let daemon = env.daemon().await;
    php.get("storeOfflineMessage(1, 2, 'four');").await;
    assert_eq!(env.stored(2).await, ["one", "two", "three", "four"]);

    env.servers().kill_redis().await;
    std::fs::remove_dir_all(&files).expect("the files can be removed");
    copy_folder(&backup, &files);
    env.servers().start_redis().await;
    eventually("the daemon is ready again", || daemon.is_ready(), |ready| *ready).await;
    assert_eq!(php.get("var_dump(storeOfflineMessage(1, 2, 'five'));").await.trim(), "bool(true)");
    assert_eq!(env.stored(2).await, ["one", "two", "three", "four", "five"]);
    assert_eq!(env.unread(2).await, 5);
}

/// A Redis whose clock is behind that of the last one takes queued stores before a daemon repairs its logs.
/// Their ids count as applied, and so does that of what a client confirms.
#[tokio::test]
async fn queued_stores_of_a_redis_with_an_older_clock_are_not_lost() {
    for caught_up in [false, true] {
        let env = TestEnv::with_own_servers().await;
        env.users(&[2]).await;
        let queued = env.php().with("chatpush.durability=queued");
        let clock = async |hours: u64| {
            let [seconds, _]: [u64; 2] = env.redis(&["TIME"]).await;
            let id = format!("{}000-0", seconds + hours * 3_600);
            let _: String = env.redis(&["XSETID", &env.log(2), &id]).await;
        };
        let first = env.daemon().await;
        env.php().get("storeOfflineMessage(1, 2, 'before');").await;
        env.php().get("ChatPush\\sendMessage(1, 2, 'confirmed', 'chat', 'confirmed');").await;
        first.stop();
        queued.get("storeOfflineMessage(1, 2, 'early');").await;
        env.servers().kill_redis().await;
        let (files, backup) =
            (env.servers().folder().join("appendonlydir"), env.servers().folder().join("backup"));
        copy_folder(&files, &backup);
        env.servers().start_redis().await;
        clock(1).await;
        let second = env.daemon().await;
        env.php().get("storeOfflineMessage(1, 2, 'by the clock that was ahead');").await;
        // The application has shown it. It must not come again.
        env.execute("DELETE FROM offline_message WHERE content = 'early'").await;
        second.stop();

        env.servers().kill_redis().await;
        std::fs::remove_dir_all(&files).expect("the files can be removed");
        copy_folder(&backup, &files);
        env.servers().start_redis().await;
        queued.get("foreach (['a', 'b'] as $text) storeOfflineMessage(1, 2, $text);").await;
        queued.get("ChatPush\\sendToUsers(1, [2, 66], 'to many');").await;
        let _: String =
            env.redis(&["XADD", &env.log(2), "*", "v", "1", "k", "c", "r", "2", "i", "1:confirmed"]).await;
        let mut wanted = vec!["before", "by the clock that was ahead", "a", "b", "to many"];
        if caught_up {
            clock(2).await;
            queued.get("storeOfflineMessage(1, 2, 'c');").await;
            wanted.push("c");
        }
        let _third = env.daemon().await;
        let stored = env.php().get("var_dump(storeOfflineMessage(1, 2, 'after'));").await;
        assert_eq!(stored.trim(), "bool(true)");
        wanted.push("after");
        assert_eq!(env.stored(2).await, wanted, "caught up: {caught_up}");
    }
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        std::fs::copy(&path, to.join(path.file_name().expect("it has a name"))).expect("it can be copied");
    }
}

#[tokio::test]
async fn lease_is_renewed_after_redis_loses_its_scripts() {
    let env = TestEnv::with_own_servers().await;
    let daemon = env.daemon().await;
    eventually("the daemon writes", || writer(&env), Option::is_some).await;
    let lease = format!("{}:writer", env.name());
    let _: () = env.redis(&["SCRIPT", "FLUSH"]).await;
    // Only a renewal makes it short again.
    let _: () = env.redis(&["PEXPIRE", &lease, "60000"]).await;
    let ttl = async || env.redis::<i64>(&["PTTL", &lease]).await;
    eventually("the lease is renewed", ttl, |ttl| (1..=6_000).contains(ttl)).await;
    assert_eq!(writer(&env).await, Some(daemon.process().pid()));
}

/// As above. The receiver connects before the writer gets to the messages, which their ids count as applied.
#[tokio::test]
async fn rescued_message_is_shown_to_a_client_that_is_connected() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2, 66]).await;
    let first = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'before');").await;
    first.stop();
    let _: u64 = env.redis(&["DEL", &env.log(2)]).await;
    env.servers().kill_redis().await;
    env.servers().start_redis().await;
    // The next ids are behind the position, as if its clock had been ahead.
    env.execute("UPDATE chatpush_position SET log_id = '1900000000000-0'").await;
    let queued = env.php().with("chatpush.durability=queued");
    queued.get("ChatPush\\sendMessage(1, 2, 'alone', 'chat', conversation: 'team');").await;
    queued.get("ChatPush\\sendToUsers(1, [2, 66], 'to many');").await;
    queued.get("storeOfflineMessage(1, 2, 'untyped');").await;
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("SELECT * FROM `user` WHERE id = 2 FOR UPDATE").await.expect("the row is free");
    let daemon = env.daemon().await;
    let mut page = daemon.connect_with(2, "chatpush.v1").await;
    assert_eq!(page.until_unread_count().await, (vec!["before".to_owned()], 1));
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    let mut shown = Vec::new();
    while shown.len() < 3 {
        let frame = page.json().await;
        if frame["type"] != "unread_count" {
            shown.push(frame);
        }
    }
    let fields = |frame: &serde_json::Value| {
        ["data", "type", "conversation"].map(|name| frame[name].as_str().unwrap_or_default().to_owned())
    };
    let expected = [["alone", "chat", "team"], ["to many", "text", ""], ["untyped", "text", ""]];
    assert_eq!(shown.iter().map(fields).collect::<Vec<_>>(), expected);
    let rows = "echo json_encode(array_column(getOfflineMessage(2), 'message_id'));";
    let ids: Vec<_> = shown.iter().map(|frame| frame["id"].clone()).collect();
    let known: Vec<serde_json::Value> =
        serde_json::from_str(&env.php().get(rows).await).expect("a list of ids");
    assert_eq!(known[1..], ids, "a client confirms the rows by them");
    assert_eq!(env.unread(2).await, 4);
    assert_eq!(grants::next_of(&mut page, "unread_count").await["data"], 4);
}
