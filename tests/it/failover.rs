use std::path::PathBuf;

use chatpush_stack::folder::Folder;
use chatpush_stack::port;
use chatpush_stack::proxy::Proxy;
use chatpush_stack::redis::{self, Redis};
use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

/// A master and a replica behind one address, as a load balancer or a name gives it.
struct Pair {
    env: TestEnv,
    proxy: Proxy,
    address: PathBuf,
    replica: Redis,
    /// Removed last.
    folder: Folder,
}

impl Pair {
    async fn new() -> Self {
        let env = TestEnv::with_own_servers().await;
        env.users(&[2]).await;
        let folder = Folder::new().expect("a folder is created");
        let (master_port, replica_port) =
            (port::free().expect("a port"), port::free().expect("a port").to_string());
        // Replication needs TCP.
        let _: () = env.redis(&["CONFIG", "SET", "port", &master_port.to_string()]).await;
        let _: () = env.redis(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]).await;
        let replica = Redis::start_with(
            folder.path(),
            &["--port", &replica_port, "--replicaof", "127.0.0.1", &master_port.to_string()],
        )
        .await
        .expect("the replica starts");
        let address = folder.path().join("address.sock");
        let proxy = Proxy::start(&address, redis::socket(env.servers().folder())).expect("the proxy listens");
        let env = env.with("CHATPUSH_REDIS_URL", redis::url(&address));
        Self { env, proxy, address, replica, folder }
    }

    /// PHP that uses the address.
    async fn php(&self, code: &str) -> String {
        let url = redis::url(&self.address);
        self.env.php().with(&format!("chatpush.redis_url={url}")).get(code).await.trim().to_owned()
    }

    /// Makes the replica the master, and the master its replica. Nothing is lost: the master waits until the
    /// replica has everything (Redis manual, "FAILOVER"). The address still leads to the old master, which
    /// keeps its connections.
    async fn fail_over(&self) {
        let info = async || self.env.redis::<String>(&["INFO", "replication"]).await;
        eventually("the replica follows", info, |info| info.contains("state=online")).await;
        let _: () = self.env.redis(&["FAILOVER"]).await;
        eventually("the roles are swapped", info, |info| {
            info.contains("role:slave") && info.contains("master_link_status:up")
        })
        .await;
    }

    /// Leads new connections to the new master.
    fn follow(&self) {
        assert!(self.replica.url().contains(&self.folder.path().display().to_string()));
        self.proxy.lead_to(redis::socket(self.folder.path()));
    }
}

async fn ready(daemon: &Daemon) {
    eventually("the daemon is ready", || daemon.is_ready(), |ready| *ready).await;
}

/// The old master lives on as a replica, and its connections stay open. No connection of the daemon may stay
/// there.
#[tokio::test]
async fn planned_failover_needs_no_restart() {
    let pair = Pair::new().await;
    let daemon = pair.env.daemon().await;
    let mut browser = daemon.connect(2).await;
    browser.until_unread_count().await;
    assert_eq!(pair.php("var_dump(storeOfflineMessage(1, 2, 'before'));").await, "bool(true)");
    assert_eq!(browser.until_unread_count().await.0, ["before"]);
    pair.fail_over().await;
    pair.follow();
    // Until the daemon has found the new master, no daemon is there.
    let send = "try { echo ChatPush\\sendMessage(1, 2, 'after', 'text', 'after')->name; }
        catch (ChatPush\\UnavailableException) { echo 'no daemon'; }";
    eventually("the daemon serves again", || pair.php(send), |output| output != "no daemon").await;
    // The connection has survived. A replay may send what it missed.
    let mut seen = Vec::new();
    while seen != ["after"] {
        seen.extend(browser.until_unread_count().await.0);
        assert!(seen.len() <= 1, "{seen:?}");
    }
    ready(&daemon).await;
    assert_eq!(pair.php("var_dump(ChatPush\\isOnline(2), getUnreadCount(2));").await, "bool(true)\nint(2)");
    let reading = browser.keep_reading();
    eventually("the confirmed rows are deleted", || pair.env.stored(2), Vec::is_empty).await;
    reading.abort();
}

/// Subscriptions on a replica bring nothing, and a log there is not up to date.
#[tokio::test]
async fn daemon_behind_an_address_that_leads_to_a_replica_is_not_ready() {
    let pair = Pair::new().await;
    let daemon = pair.env.daemon().await;
    pair.fail_over().await;
    eventually("the daemon is not ready", || daemon.is_ready(), |ready| !*ready).await;
    pair.follow();
    ready(&daemon).await;
    assert_eq!(pair.php("var_dump(storeOfflineMessage(1, 2, 'x'));").await, "bool(true)");
}
