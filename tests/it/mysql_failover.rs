use std::path::PathBuf;

use chatpush_stack::folder::Folder;
use chatpush_stack::mariadb;
use chatpush_stack::proxy::Proxy;
use chatpush_stack::replicated_mariadb::ReplicatedMariaDb;
use chatpush_tests::daemon::Daemon;
use chatpush_tests::engine::portable;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

/// An installation whose database is a primary with a replica, behind one address, as a load balancer or a
/// name gives it.
struct Pair {
    env: TestEnv,
    servers: ReplicatedMariaDb,
    proxy: Proxy,
    /// Removed last.
    _folder: Folder,
}

impl Pair {
    async fn new() -> Self {
        Self::of(TestEnv::bare().await).await
    }

    async fn of(env: TestEnv) -> Self {
        let servers = ReplicatedMariaDb::start().await.expect("both servers start");
        let folder = Folder::new().expect("a folder is created");
        let address = folder.path().join("address.sock");
        let proxy = Proxy::start(&address, servers.primary_socket()).expect("the proxy listens");
        mariadb::create_database(servers.primary_folder(), env.name()).await.expect("a database is created");
        let url = mariadb::url(&address, env.name());
        let env = env.with("CHATPUSH_MYSQL_URL", url);
        let migrated = Daemon::command(&env, &["migrate"]).await;
        assert!(migrated.status.success(), "{migrated:?}");
        let pair = Self { env, servers, proxy, _folder: folder };
        let insert = "INSERT INTO `user` (id, username, password) VALUES (2, 'a', ''), (3, 'b', '')";
        pair.sql(pair.servers.primary_folder().into(), insert).await;
        pair
    }

    async fn sql(&self, folder: PathBuf, statements: &str) -> String {
        let statements = format!("USE {}; {statements}", self.env.name());
        mariadb::sql(&folder, &portable(&statements)).await.expect("the server executes the statements")
    }

    /// The contents on the server of this folder.
    async fn stored(&self, folder: PathBuf) -> Vec<String> {
        let text = self.sql(folder, "SELECT content FROM offline_message ORDER BY id").await;
        text.lines().map(str::to_owned).collect()
    }

    async fn php(&self, code: &str) -> String {
        self.env.php().get(code).await.trim().to_owned()
    }

    /// What a client gets that connects to this daemon and confirms nothing.
    async fn replay(&self, daemon: &Daemon, user: u32) -> (Vec<String>, u64) {
        daemon.connect_with(user, "chatpush.v1").await.until_unread_count().await
    }
}

/// The writing daemon and the standby go over to the new primary by themselves. Nothing is lost, and nothing
/// is read from the old one once the new one has been written to.
#[tokio::test]
async fn daemons_follow_a_planned_failover_whose_old_primary_lives_on() {
    let mut pair = Pair::new().await;
    let (one, other) = (pair.env.daemon().await, pair.env.daemon().await);
    pair.php("storeOfflineMessage(1, 2, 'a1'); storeOfflineMessage(1, 3, 'b1');").await;
    let before = (vec!["a1".to_owned()], 1);
    assert_eq!((pair.replay(&one, 2).await, pair.replay(&other, 2).await), (before.clone(), before.clone()));

    let old = pair.servers.primary_folder().to_owned();
    pair.servers.demote().await.expect("the primary refuses writes");
    // The address leads to no other server yet, so both read from this one.
    assert_eq!((pair.replay(&one, 2).await, pair.replay(&other, 2).await), (before.clone(), before));
    assert_eq!(pair.php("echo getUnreadCount(2);").await, "1");
    let queue = pair.env.php().with("chatpush.durability=queued");
    queue.get("storeOfflineMessage(1, 2, 'a2');").await;
    pair.servers.promote().await.expect("the replica becomes the primary");
    pair.proxy.lead_to(pair.servers.primary_socket());

    let code = "foreach ([2, 3] as $user) var_dump(storeOfflineMessage(1, $user, 'new'));
                echo getUnreadCount(2), getUnreadCount(3),
                    implode(' ', array_column(getOfflineMessage(2), 'content'));";
    let output = pair.php(code).await;
    assert_eq!(output.lines().collect::<Vec<_>>(), ["bool(true)", "bool(true)", "32a1 a2 new"]);
    let after = (vec!["a1".to_owned(), "a2".to_owned(), "new".to_owned()], 3);
    assert_eq!((pair.replay(&one, 2).await, pair.replay(&other, 2).await), (after.clone(), after));
    let mut new = pair.stored(pair.servers.primary_folder().into()).await;
    new.sort_unstable();
    assert_eq!(new, ["a1", "a2", "b1", "new", "new"]);
    assert_eq!(pair.stored(old).await, ["a1", "b1"], "the old primary was not written to");
}

/// The primary is killed while stores commit. With semi-synchronous replication the promoted replica has every
/// commit, and what the last transaction of the old one was is decided by the positions.
#[tokio::test]
async fn killed_primary_loses_and_doubles_nothing() {
    let mut pair = Pair::new().await;
    pair.servers.wait_for_replica().await.expect("the replica acknowledges");
    let _daemons = [pair.env.daemon().await, pair.env.daemon().await];
    let folder = Folder::new().expect("a folder is created");
    let (begun, end) = (folder.path().join("begun"), folder.path().join("end"));
    let callers: Vec<_> = (0..4)
        .map(|caller| {
            let php = pair.env.php().with("chatpush.timeout_ms=60000");
            let code = format!(
                "for ($n = 0; !file_exists('{}'); $n++) {{
                     $text = \"{caller}-$n\";
                     if (storeOfflineMessage(1, 2 + $n % 2, $text)) echo \"$text\n\";
                     if ($n === 20) touch('{}-{caller}');
                 }}",
                end.display(),
                begun.display()
            );
            tokio::spawn(async move { php.get(&code).await })
        })
        .collect();
    let all_store = async || (0..4).all(|caller| folder.path().join(format!("begun-{caller}")).exists());
    eventually("all callers store", all_store, |all| *all).await;
    pair.servers.kill_primary();
    pair.servers.promote_survivor().await.expect("the replica becomes the primary");
    pair.proxy.lead_to(pair.servers.primary_socket());
    assert_eq!(
        pair.env.php().with("chatpush.timeout_ms=60000").get("echo storeOfflineMessage(1, 2, 'new');").await,
        "1"
    );
    std::fs::write(&end, "").expect("a file can be written");
    let mut told = vec!["new".to_owned()];
    for caller in callers {
        told.extend(caller.await.expect("PHP ran").lines().map(str::to_owned));
    }
    let mut stored = pair.stored(pair.servers.primary_folder().into()).await;
    stored.sort_unstable();
    told.sort_unstable();
    assert_eq!(stored, told);
    let counters = "SELECT u.unread_count = COUNT(*) FROM `user` u \
                    JOIN offline_message o ON o.receiver_id = u.id GROUP BY u.id";
    assert_eq!(pair.sql(pair.servers.primary_folder().into(), counters).await, "1\n1\n");
}

/// The promoted replica lacks the last commits. The log still has their entries, which are applied again, and both
/// daemons read what the new primary has.
#[tokio::test]
async fn commits_that_a_promoted_replica_lacks_are_applied_again() {
    let mut pair = Pair::new().await;
    let (one, other) = (pair.env.daemon().await, pair.env.daemon().await);
    pair.php("storeOfflineMessage(1, 2, 'a');").await;
    let replica = pair.servers.replica_folder().to_owned();
    eventually("the replica has it", || pair.stored(replica.clone()), |stored| *stored == ["a"]).await;
    pair.servers.cut_replica_off().await.expect("the replica answers");
    let code = "foreach (['b', 'c'] as $text) echo storeOfflineMessage(1, 2, $text);";
    assert_eq!(pair.php(code).await, "11");
    let stored = (["a", "b", "c"].map(str::to_owned).to_vec(), 3);
    assert_eq!((pair.replay(&one, 2).await, pair.replay(&other, 2).await), (stored.clone(), stored.clone()));
    pair.servers.kill_primary();
    pair.servers.promote_survivor().await.expect("the replica becomes the primary");
    pair.proxy.lead_to(pair.servers.primary_socket());
    assert_eq!((pair.replay(&one, 2).await, pair.replay(&other, 2).await), (stored.clone(), stored));
    let code = "echo storeOfflineMessage(1, 2, 'd'), getUnreadCount(2),
                    implode(' ', array_column(getOfflineMessage(2), 'content'));";
    assert_eq!(pair.php(code).await, "14a b c d");
    assert_eq!(pair.stored(replica).await, ["a", "b", "c", "d"]);
}

/// An account with the privilege to write to a read-only server writes nothing there: it would be missing on
/// the new primary.
#[tokio::test]
async fn account_that_may_write_to_a_read_only_server_does_not() {
    let mut pair = Pair::new().await;
    let grant = format!("GRANT READ_ONLY ADMIN ON *.* TO {}@localhost", mariadb::USER);
    pair.sql(pair.servers.primary_folder().into(), &grant).await;
    let daemon = pair.env.daemon().await;
    pair.php("storeOfflineMessage(1, 2, 'before');").await;
    let old = pair.servers.primary_folder().to_owned();
    pair.servers.demote().await.expect("the primary refuses writes");
    let hurried = pair.env.php().with("chatpush.timeout_ms=1000");
    let code =
        "try { storeOfflineMessage(1, 2, 'queued'); } catch (ChatPush\\TimeoutException) { echo 'late'; }";
    assert_eq!(hurried.get(code).await.trim(), "late");
    pair.servers.promote().await.expect("the replica becomes the primary");
    pair.proxy.lead_to(pair.servers.primary_socket());
    assert_eq!(pair.php("var_dump(storeOfflineMessage(1, 2, 'after'));").await, "bool(true)");
    let new = pair.stored(pair.servers.primary_folder().into()).await;
    assert_eq!(new, ["before", "queued", "after"]);
    assert_eq!(pair.stored(old).await, ["before"]);
    eventually("the daemon is ready", || daemon.is_ready(), |ready| *ready).await;
}

/// Nor does it lease anybody who is due there: the new primary would offer them a second time.
#[tokio::test]
async fn account_that_may_write_to_a_read_only_server_leases_nobody_there() {
    let mut pair = Pair::of(TestEnv::bare().await.with("CHATPUSH_NOTIFY_AFTER", "1")).await;
    let grant = format!("GRANT READ_ONLY ADMIN ON *.* TO {}@localhost", mariadb::USER);
    pair.sql(pair.servers.primary_folder().into(), &grant).await;
    let _daemon = pair.env.daemon().await;
    pair.php("storeOfflineMessage(1, 2, 'a');").await;
    let old = pair.servers.primary_folder().to_owned();
    let offered = "SELECT offer_at IS NOT NULL, lease IS NOT NULL FROM chatpush_notified";
    eventually("2 is due", || pair.sql(old.clone(), offered), |state| state.trim() == "1\t0").await;
    pair.servers.demote().await.expect("the primary refuses writes");
    let hurried = pair.env.php().with("chatpush.timeout_ms=1000");
    let code =
        "try { echo count(ChatPush\\getDueNotifications()); } catch (ChatPush\\Exception) { echo 'none'; }";
    assert_eq!(hurried.get(code).await.trim(), "none");
    pair.servers.promote().await.expect("the replica becomes the primary");
    pair.proxy.lead_to(pair.servers.primary_socket());
    let due =
        "try { echo count(ChatPush\\getDueNotifications()); } catch (ChatPush\\Exception) { echo 'none'; }";
    eventually("2 is leased", || pair.php(due), |count| count == "1").await;
    assert_eq!(pair.sql(old, offered).await.trim(), "1\t0", "the old primary was not written to");
}
