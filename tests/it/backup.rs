//! Backups that are restored, as the book says it.

use std::path::{Path, PathBuf};

use chatpush_tests::client::Client;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::{SECRET, TestEnv};
use chatpush_wire::token::{self, Secret};
use tokio::process::Command;

/// The database of the installation, with the positions in it, as the book takes it.
async fn dump(env: &TestEnv) -> PathBuf {
    let file = env.servers().folder().join("chat.sql");
    let output = Command::new("mariadb-dump")
        .args(["--no-defaults", "--user=root", "--single-transaction", "--databases", env.name()])
        .arg(format!("--socket={}", env.servers().mysql_socket().display()))
        .arg(format!("--result-file={}", file.display()))
        .output()
        .await
        .expect("mariadb-dump starts");
    assert!(output.status.success(), "{output:?}");
    file
}

async fn restore(env: &TestEnv, dump: &Path) {
    env.servers().sql(&format!("DROP DATABASE `{}`;\nsource {}", env.name(), dump.display())).await;
}

/// A snapshot of Redis in a file, as the book takes it.
async fn snapshot(env: &TestEnv) -> PathBuf {
    let _: String = env.redis(&["BGSAVE"]).await;
    let info = || env.redis::<String>(&["INFO", "persistence"]);
    let is_saved = |info: &String| {
        info.contains("rdb_bgsave_in_progress:0") && info.contains("rdb_last_bgsave_status:ok")
    };
    eventually("the snapshot is written", info, is_saved).await;
    let (file, copy) = (snapshot_file(env), env.servers().folder().join("backup.rdb"));
    std::fs::copy(file, &copy).expect("it can be copied");
    copy
}

/// Redis reads a snapshot only without an append-only file, and begins one afterwards.
async fn restore_snapshot(env: &TestEnv, snapshot: &Path) {
    env.servers().kill_redis().await;
    std::fs::remove_dir_all(env.servers().folder().join("appendonlydir")).expect("the files can be removed");
    std::fs::copy(snapshot, snapshot_file(env)).expect("it can be copied");
    env.servers().start_redis_with(&["--appendonly", "no"]).await;
    let _: String = env.redis(&["CONFIG", "SET", "appendonly", "yes"]).await;
}

fn snapshot_file(env: &TestEnv) -> PathBuf {
    env.servers().folder().join("dump.rdb")
}

/// A token of user 2, signed a minute ago.
fn token_from_before() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let then = since.expect("the clock is after 1970").as_secs() - 60;
    token::sign(&Secret::new(SECRET).expect("long enough"), 2, None, then, 3_600)
}

/// What stood in the backup is back, also what clients have confirmed since then. What was stored since
/// then is lost, unless it still waited in Redis.
#[tokio::test]
async fn mysql_of_yesterday_with_the_redis_of_today() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let php = env.php();
    let daemon = env.daemon().await;
    php.get("foreach (['waits', 'confirmed since'] as $text) storeOfflineMessage(1, 2, $text);").await;
    let backup = dump(&env).await;

    let send = "echo ChatPush\\sendMessage(1, 2, 'stored since', message_id: 'order 7')->value;";
    assert_eq!(php.get(send).await, "stored");
    let confirm = "$rows = getOfflineMessage(2); echo ChatPush\\ackOfflineMessage(2, [$rows[1]['id']]);";
    assert_eq!(php.get(confirm).await, "1");
    let entries = async || env.redis::<u64>(&["XLEN", &env.log(2)]).await;
    eventually("Redis has forgotten what is stored", entries, |count| *count == 0).await;
    daemon.stop();
    php.clone().with("chatpush.durability=queued").get("storeOfflineMessage(1, 2, 'queued since');").await;

    restore(&env, &backup).await;
    let daemon = env.daemon().await;
    let wanted = ["waits", "confirmed since", "queued since"];
    eventually("what waited in Redis is stored", || env.stored(2), |stored| *stored == wanted).await;
    assert_eq!(env.unread(2).await, 3);
    // Redis remembers the id, so the sender hears of no loss.
    assert_eq!(php.get(send).await, "stored");
    assert_eq!(env.stored(2).await, wanted);
    let (shown, unread) = daemon.connect(2).await.until_unread_count().await;
    assert_eq!((shown, unread), (wanted.map(str::to_owned).to_vec(), 3));
    assert_eq!(php.get("var_dump(storeOfflineMessage(1, 2, 'after'));").await.trim(), "bool(true)");
}

/// MySQL is ahead: what it holds stays, once. What was only in Redis since the backup is lost, also that
/// a user was disconnected.
#[tokio::test]
async fn redis_of_yesterday_with_the_mysql_of_today() {
    // What one Redis process has queued comes again after another one has taken its place, unless confirmed
    // messages are remembered: with the default they are, and with 0 they are not.
    for (memory, restarted, comes_again) in [("600", true, false), ("0", false, false), ("0", true, true)] {
        let env = TestEnv::with_own_servers().await.with("CHATPUSH_REDIS_FAILOVER_MEMORY", memory);
        env.users(&[2]).await;
        let php = env.php();
        let queued = php.clone().with("chatpush.durability=queued");
        env.daemon().await.stop();
        queued.get("storeOfflineMessage(1, 2, 'queued before');").await;
        let backup = snapshot(&env).await;

        let daemon = env.daemon().await;
        // Tokens from the second of the call are not revoked.
        let issued_before = token_from_before();
        let client = Client::connect(daemon.port(), &issued_before, None).await.expect("it is let in");
        let client = client.keep_reading();
        eventually("it is confirmed", || env.log_length(2), |length| *length == 0).await;
        eventually("it is confirmed", || env.stored(2), Vec::is_empty).await;
        php.get("storeOfflineMessage(1, 3, 'for another user'); ChatPush\\disconnectUser(2);").await;
        let refused = Client::connect(daemon.port(), &issued_before, None).await.expect_err("it is revoked");
        assert_eq!(refused.status, 401);
        daemon.stop();
        client.abort();
        if restarted {
            // As two minutes after a restart of Redis.
            env.execute("UPDATE chatpush_installation SET redis_run_id = 'another'").await;
        }
        queued.get("storeOfflineMessage(1, 2, 'queued since');").await;

        restore_snapshot(&env, &backup).await;
        let daemon = env.daemon().await;
        assert_eq!(php.get("var_dump(storeOfflineMessage(1, 2, 'after'));").await.trim(), "bool(true)");
        let client = Client::connect(daemon.port(), &issued_before, None).await;
        let (shown, _) = client.expect("the revocation is lost").until_unread_count().await;
        let wanted = if comes_again { vec!["queued before", "after"] } else { vec!["after"] };
        assert_eq!(shown, wanted, "redis.failover_memory = {memory}, restarted: {restarted}");
        assert_eq!(env.stored(3).await, ["for another user"]);
    }
}

/// Redis first, then MySQL, both without stopping anything: together they are as MySQL was.
#[tokio::test]
async fn both_of_one_backup_lose_nothing_that_mysql_had_and_repeat_nothing() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let php = env.php();
    let daemon = env.daemon().await;
    php.get("storeOfflineMessage(1, 2, 'before');").await;
    let redis = snapshot(&env).await;
    php.get("foreach (['between', 'confirmed'] as $text) storeOfflineMessage(1, 2, $text);").await;
    let confirm = "$rows = getOfflineMessage(2); echo ChatPush\\ackOfflineMessage(2, [$rows[2]['id']]);";
    assert_eq!(php.get(confirm).await, "1");
    let mysql = dump(&env).await;
    php.get("storeOfflineMessage(1, 2, 'afterwards');").await;
    daemon.stop();

    restore(&env, &mysql).await;
    restore_snapshot(&env, &redis).await;
    let daemon = env.daemon().await;
    assert_eq!(php.get("var_dump(storeOfflineMessage(1, 2, 'new'));").await.trim(), "bool(true)");
    assert_eq!(env.stored(2).await, ["before", "between", "new"]);
    let (shown, unread) = daemon.connect(2).await.until_unread_count().await;
    assert_eq!((shown, unread), (["before", "between", "new"].map(str::to_owned).to_vec(), 4));
}
