use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

use crate::takeover::writer_and_standby;

/// The log of `InnoDB` reaches its file once a second, and not with each commit.
const NOT_DURABLE: &str = "SET GLOBAL innodb_flush_log_at_trx_commit = 0";

/// A MySQL that does not write each commit to its file loses the last ones when it is killed. The log still
/// holds them, and they are applied again: also to a MySQL that was down for a while.
#[tokio::test]
async fn mysql_that_is_not_durable_loses_no_message() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2, 3]).await;
    let daemon = env.daemon().await;
    let php = env.php();
    php.get("storeOfflineMessage(1, 2, 'durable');").await;
    env.servers().sql(NOT_DURABLE).await;
    let count = async || env.stored_count(2).await + env.stored_count(3).await;
    // The server may have written its log just before, so several kills may be needed.
    let mut sent = 1;
    loop {
        let code = format!(
            "foreach (range(1, 40) as $i) storeOfflineMessage(1, 2 + $i % 2, \"m{sent}-$i\");
             echo ChatPush\\sendMessage(1, 2, 'own id {sent}', 'text', 'id-{sent}')->name;"
        );
        assert_eq!(php.get(&code).await, "Stored");
        sent += 41;
        env.servers().kill_mariadb().await;
        // It must not apply anything before this test has seen what is left.
        daemon.process().signal("STOP");
        env.servers().start_mariadb().await;
        let left = count().await;
        daemon.process().signal("CONT");
        eventually("every message is stored again", count, |count| *count == sent).await;
        if left < sent {
            break;
        }
        assert!(sent < 1_000, "no kill has lost anything");
        env.servers().sql(NOT_DURABLE).await;
    }
    let [in_2, in_3] = [env.stored_count(2).await, env.stored_count(3).await];
    assert_eq!([env.unread(2).await, env.unread(3).await], [in_2, in_3].map(u64::cast_signed));
    let code = "echo ChatPush\\sendMessage(1, 2, 'own id 1', 'text', 'id-1')->name, ' ',
                getUnreadCount(2), ' ', count(getOfflineMessage(2));";
    assert_eq!(php.get(code).await, format!("Stored {in_2} {in_2}"));
    let mut stored = env.stored(2).await;
    stored.sort_unstable();
    stored.dedup();
    assert_eq!(u64::try_from(stored.len()), Ok(in_2));
}

/// A daemon that does not write remembers the positions that it has read. After the crash they are ahead of the
/// server, and what is read there has to wait until the lost commits are repeated.
#[tokio::test]
async fn daemon_on_standby_shows_no_server_that_lost_commits() {
    let env = TestEnv::with_own_servers().await;
    // Both are of one partition.
    env.users(&[2, 66]).await;
    let (active, standby) = writer_and_standby(&env, env.daemon().await, env.daemon().await).await;
    let mut sent = 0;
    loop {
        env.servers().sql(NOT_DURABLE).await;
        let code = format!("foreach (range(1, 40) as $i) storeOfflineMessage(1, 2, \"m{sent}-$i\");");
        env.php().get(&code).await;
        sent += 40;
        let (others, _) = standby.connect(66).await.until_unread_count().await;
        assert!(others.is_empty());
        env.servers().kill_mariadb().await;
        for daemon in [&active, &standby] {
            daemon.process().signal("STOP");
        }
        env.servers().start_mariadb().await;
        let left = env.stored_count(2).await;
        standby.process().signal("CONT");
        if left < sent {
            break;
        }
        active.process().signal("CONT");
        assert!(sent < 1_000, "no kill has lost anything");
        let code = "var_dump(storeOfflineMessage(1, 66, 'again'), getOfflineMessage(66) !== [],
                        ChatPush\\ackOfflineMessage(66, array_column(getOfflineMessage(66), 'id')));";
        let all = async || env.php().get(code).await;
        eventually("both go on", all, |output| output.trim() == "bool(true)\nbool(true)\nint(1)").await;
    }
    // The writer sleeps, so nothing is repeated before its lease expires.
    let php = env.php();
    let counting = php.get(
        "do { try { $count = getUnreadCount(2); } catch (ChatPush\\TimeoutException) {} }
         while (!isset($count)); echo $count;",
    );
    let mut browser = standby.connect(2).await;
    let (counted, (contents, unread)) = tokio::join!(counting, browser.until_unread_count());
    assert_eq!((counted.as_str(), contents.len() as u64, unread), (sent.to_string().as_str(), sent, sent));
}
