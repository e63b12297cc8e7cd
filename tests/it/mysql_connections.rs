use chatpush_stack::proxy::Proxy;
use chatpush_stack::{mariadb, port};
use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::tcp::tcp_timers;
use chatpush_tests::test_env::TestEnv;

/// An installation whose daemon reaches MySQL through a proxy, and has used all of its connections.
async fn every_connection_used() -> (TestEnv, Proxy, Daemon) {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let address = env.servers().folder().join("proxy.sock");
    let proxy = Proxy::start(&address, mariadb::socket(env.servers().folder())).expect("the proxy listens");
    let env = env.clone().with("CHATPUSH_MYSQL_URL", mariadb::url(&address, env.name()));
    let daemon = env.daemon().await;
    // Enough callers for every connection.
    let callers = (0..8).map(|_| {
        let php = env.php();
        tokio::spawn(async move { php.get("foreach (range(1, 20) as $i) getUnreadCount(2);").await })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("PHP ran");
    }
    (env, proxy, daemon)
}

/// Every connection to MySQL dies without a word: nothing is forwarded, and nothing is closed. The daemon's
/// first questions find that out; not each of its connections costs a query its time.
#[tokio::test]
async fn connections_that_died_without_a_word_are_replaced() {
    let (env, proxy, daemon) = every_connection_used().await;
    for round in 1..=2 {
        proxy.silence();
        // Each call has more time than a daemon takes to answer, or to say that it cannot.
        let code = "foreach (range(1, 12) as $i) echo getUnreadCount(2), ' ';
                    var_dump(storeOfflineMessage(1, 2, 'x'));
                    foreach (range(1, 12) as $i) echo getUnreadCount(2), ' ';";
        let output = env.php().get(code).await;
        let (before, after) = (format!("{} ", round - 1).repeat(12), format!("{round} ").repeat(12));
        assert_eq!(output, format!("{before}bool(true)\n{after}"));
    }
    assert_eq!(env.stored(2).await, ["x", "x"]);
    eventually("the daemon is ready", || daemon.is_ready(), |ready| *ready).await;
}

/// One of the connections dies without a word. The others are of the same age, and none of them is used again.
#[tokio::test]
async fn one_dead_connection_replaces_all_that_are_idle() {
    let (env, proxy, daemon) = every_connection_used().await;
    // Those for reading. The writer's holds a lock, and the others are not the daemon's.
    let noted: Vec<u64> = env
        .query(
            "SELECT p.id FROM information_schema.processlist p WHERE p.user = 'chatpush' \
             AND p.id NOT IN (CONNECTION_ID(), COALESCE(IS_USED_LOCK(CONCAT('chatpush:', MD5(DATABASE()))), 0))",
        )
        .await;
    assert!(noted.len() > 1, "{noted:?}");
    proxy.silence_senders_of(b" = 777");
    let code = "try { getUnreadCount(777); echo 'answered'; } catch (ChatPush\\Exception) { echo 'late'; }";
    assert_eq!(env.php().get(code).await, "late");
    let list: Vec<_> = noted.iter().map(u64::to_string).collect();
    let left =
        format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id IN ({})", list.join(", "));
    // The server does not know that the dead one is dead.
    eventually("the others are closed", || env.query::<u64>(&left), |left| left[0] <= 1).await;
    proxy.silence_nobody();
    eventually("the daemon is ready", || daemon.is_ready(), |ready| *ready).await;
    assert_eq!(env.php().get("var_dump(storeOfflineMessage(1, 2, 'x'));").await.trim(), "bool(true)");
}

/// A server that refuses writes is asked again and again, over connections that are closed.
#[tokio::test]
async fn read_only_server_is_not_filled_with_connections() {
    let env = TestEnv::with_own_servers().await;
    let daemon = env.daemon().await;
    env.servers().sql("SET GLOBAL read_only = 1").await;
    // A read finds it out.
    daemon.get("/ready").await;
    let heartbeats = env.prefix().heartbeats();
    let next_heartbeat = async || {
        let heartbeat = async || env.redis::<Vec<String>>(&["HVALS", &heartbeats]).await;
        let last = heartbeat().await;
        eventually("there is another heartbeat", heartbeat, |now| *now != last).await;
    };
    let connections = async || -> u64 {
        env.query("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'chatpush'").await[0]
    };
    next_heartbeat().await;
    let before = connections().await;
    for _ in 0..4 {
        next_heartbeat().await;
    }
    // Another query may be under way.
    let after = async || connections().await;
    eventually("their number does not grow", after, |after| *after <= before + 1).await;
}

/// An installation whose URL of the database has a host and a port, and that port.
async fn database_over_tcp() -> (TestEnv, u16) {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let port = port::free().expect("a port");
    env.servers().kill_mariadb().await;
    let arguments = ["--skip-networking=0", "--bind-address=127.0.0.1", &format!("--port={port}")];
    env.servers().start_mariadb_with(&arguments).await;
    let (user, password) = (mariadb::USER, mariadb::PASSWORD);
    let url = format!("mysql://{user}:{password}@127.0.0.1:{port}/{}", env.name());
    (env.clone().with("CHATPUSH_MYSQL_URL", url), port)
}

/// A URL with a host is not left for the Unix socket that the server names: behind a tunnel, that is the socket
/// of another server.
#[tokio::test]
async fn host_in_the_url_is_reached_by_tcp_alone() {
    let (env, _) = database_over_tcp().await;
    let _daemon = env.daemon().await;
    // The writer has its connection, and a query another one.
    assert_eq!(env.php().get("echo getUnreadCount(2);").await, "0");
    let hosts = "SELECT host FROM information_schema.processlist WHERE user = 'chatpush'";
    eventually(
        // Over TCP, the host has a port (MariaDB manual, "Information Schema PROCESSLIST Table").
        "every connection is over TCP",
        async || env.servers().sql(hosts).await,
        |hosts| hosts.lines().count() >= 2 && hosts.lines().all(|host| host.contains(':')),
    )
    .await;
}

/// The kernel must notice, even where no query is sent, that the other host is gone.
#[tokio::test]
async fn connections_to_mysql_over_tcp_have_keepalive() {
    let (env, port) = database_over_tcp().await;
    let _daemon = env.daemon().await;
    // The writer has its connection, and a query another one.
    assert_eq!(env.php().get("echo getUnreadCount(2);").await, "0");
    eventually(
        "every connection has a keepalive timer",
        async || tcp_timers(port),
        |timers| timers.len() >= 2 && timers.iter().all(|timer| timer == "02"),
    )
    .await;
}
