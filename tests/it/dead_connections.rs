use std::collections::BTreeSet;

use chatpush_stack::folder::Folder;
use chatpush_stack::port;
use chatpush_stack::proxy::Proxy;
use chatpush_stack::redis::{self, Redis};
use chatpush_tests::eventually::eventually;
use chatpush_tests::tcp::tcp_timers;
use chatpush_tests::test_env::TestEnv;

/// An installation whose daemon reaches Redis through a proxy. PHP and the test do not.
async fn behind_proxy() -> (TestEnv, Proxy) {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let address = env.servers().folder().join("proxy.sock");
    let proxy = Proxy::start(&address, redis::socket(env.servers().folder())).expect("the proxy listens");
    (env.with("CHATPUSH_REDIS_URL", redis::url(&address)), proxy)
}

/// The ids of all connections to Redis but the one that asks.
async fn connections(env: &TestEnv) -> BTreeSet<String> {
    let list: String = env.redis(&["CLIENT", "LIST"]).await;
    let other = list.lines().filter(|line| !line.contains("cmd=client|list"));
    other.filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
}

/// What the path to Redis has lost in one connection, it has lost in all.
#[tokio::test]
async fn one_timeout_replaces_every_connection() {
    let (env, proxy) = behind_proxy().await;
    let daemon = env.daemon().await;
    // Commands, subscriptions, query lists, log.
    let old = eventually("the daemon has its connections", || connections(&env), |ids| ids.len() == 4).await;
    // The connection for commands renews the lease.
    proxy.silence_senders_of(format!("{}:writer", env.name()).as_bytes());
    let left = async || connections(&env).await.intersection(&old).count();
    // Redis cannot see that the silent one is gone.
    eventually("all others are replaced", left, |left| *left == 1).await;
    proxy.silence_nobody();
    eventually("the daemon is ready", || daemon.is_ready(), |ready| *ready).await;
    assert_eq!(env.php().get("var_dump(storeOfflineMessage(1, 2, 'x'));").await.trim(), "bool(true)");
}

/// Redis takes a dead connection for a living one for minutes. The daemon ends its own.
#[tokio::test]
async fn dead_subscription_of_a_living_daemon_is_no_presence() {
    let (env, proxy) = behind_proxy().await;
    let daemon = env.daemon().await;
    let mut browser = daemon.connect(2).await;
    browser.until_unread_count().await;
    let php = env.php();
    let online = async || php.get("var_dump(ChatPush\\isOnline(2));").await.trim() == "bool(true)";
    assert!(online().await);
    proxy.silence();
    drop(browser);
    eventually("the user is offline", online, |online| !online).await;
    eventually("the daemon is ready", || daemon.is_ready(), |ready| *ready).await;
}

/// The kernel must notice, even where no command is sent, that the other host is gone.
#[tokio::test]
async fn connections_over_tcp_have_keepalive() {
    let env = TestEnv::new().await;
    let folder = Folder::new().expect("a folder is created");
    let port = port::free().expect("a port");
    let _redis =
        Redis::start_with(folder.path(), &["--port", &port.to_string()]).await.expect("Redis starts");
    let env = env.with("CHATPUSH_REDIS_URL", format!("redis://127.0.0.1:{port}"));
    let _daemon = env.daemon().await;
    // While data is under way there is another timer.
    eventually(
        "every connection has a keepalive timer",
        async || tcp_timers(port),
        |timers| timers.len() == 4 && timers.iter().all(|timer| timer == "02"),
    )
    .await;
}
