//! A Redis Cluster of three masters, each with a replica.

use chatpush_stack::redis::ask;
use chatpush_stack::redis_cluster::RedisCluster;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use chatpush_wire::envelope;
use chatpush_wire::id::UserId;
use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;

use super::accounts::documented_rules;
use super::check::Report;

/// An installation on a cluster, with a user in each partition.
struct Installation {
    cluster: RedisCluster,
    env: TestEnv,
    prefix: Prefix,
}

const USERS: std::ops::RangeInclusive<u32> = 1..=64;

impl Installation {
    async fn new() -> Self {
        let cluster = RedisCluster::start().await.expect("the cluster starts");
        let env = TestEnv::new().await.with("CHATPUSH_REDIS_URL", cluster.url());
        env.users(&USERS.collect::<Vec<_>>()).await;
        let prefix = Prefix::try_from(env.name().to_owned()).expect("a prefix").in_cluster();
        Self { cluster, env, prefix }
    }

    /// The number of the master that has a user's partition.
    async fn master_of(&self, user: u32) -> usize {
        self.cluster.master(partition(user).slot()).await.expect("there is one")
    }

    /// Publishes a frame to a user who is connected.
    async fn publish(&self, user: u32, frame: &str) {
        assert_eq!(self.try_publish(user, frame).await, "1");
    }

    /// Publishes a frame to a user. Returns how many daemons have got it.
    async fn try_publish(&self, user: u32, frame: &str) -> String {
        let channel = self.prefix.user_channel(&UserId::try_from(i64::from(user)).expect("a user id"));
        let envelope = format!("{}{frame}", envelope::EPHEMERAL);
        let answer = self.cluster.ask(&["SPUBLISH", &channel, &envelope]).await.expect("redis-cli starts");
        answer.trim().to_owned()
    }

    /// Appends a message and publishes nothing: a client gets it when its session replays.
    async fn append(&self, user: u32, content: &str) {
        let (log, user) = (self.prefix.log(partition(user)), user.to_string());
        let message = format!("{content}-{user}");
        let fields = ["v", "1", "k", "m", "r", &user, "s", "1", "c", content, "i", &message, "l", "0"];
        let command = [&["XADD", &log, "*"], &fields[..]].concat();
        let answer = self.cluster.ask(&command).await.expect("redis-cli starts");
        assert!(answer.contains('-'), "{answer}");
    }
}

fn partition(user: u32) -> Partition {
    Partition::of(&UserId::try_from(i64::from(user)).expect("a user id"))
}

#[tokio::test]
async fn every_partition_is_stored_and_replayed() {
    let installation = Installation::new().await;
    let env = &installation.env;
    let daemon = env.daemon().await;
    for user in USERS {
        installation.append(user, "hello").await;
    }
    for user in USERS {
        eventually("it is stored", || env.stored_count(user), |count| *count == 1).await;
    }
    for user in [1, 30, 64] {
        let (frames, count) = daemon.connect(user).await.until_unread_count().await;
        assert_eq!((frames.len(), count), (1, 1), "{frames:?}");
    }
}

/// The documented account, with what a cluster needs beside.
#[tokio::test]
async fn documented_account_of_the_daemon_suffices() {
    let installation = Installation::new().await;
    let mut rules = documented_rules("chatpushd", installation.env.name());
    rules.extend(["+cluster|info", "+cluster|slots", "+asking"].map(str::to_owned));
    for port in installation.cluster.ports() {
        let command = ["ACL", "SETUSER", "chatpushd"].into_iter().chain(rules.iter().map(String::as_str));
        let answer = ask(port, &command.collect::<Vec<_>>()).await.expect("redis-cli starts");
        assert_eq!(answer.trim(), "OK");
    }
    let url = installation.cluster.url().replace("://", "://chatpushd:DAEMON_PASSWORD@");
    let env = installation.env.clone().with("CHATPUSH_REDIS_URL", url).with("CHATPUSH_REDIS_REPLICAS", "1");
    let report = Report::of(&env).await;
    assert_eq!((report.problems(), report.code), (Vec::new(), Some(0)), "{report:?}");
    let daemon = env.daemon().await;
    let mut clients = Vec::new();
    for user in [1, 30, 64] {
        clients.push(daemon.connect(user).await);
        installation.append(user, "hello").await;
        eventually("it is stored", || env.stored_count(user), |count| *count == 1).await;
    }
    for port in installation.cluster.ports() {
        let denied = ask(port, &["ACL", "LOG"]).await.expect("redis-cli starts");
        assert_eq!(denied.trim(), "", "{port}");
    }
}

#[tokio::test]
async fn check_names_what_a_lost_master_stops_and_the_address_of_a_cluster() {
    let installation = Installation::new().await;
    let Installation { cluster, env, .. } = &installation;
    let port = cluster.masters().next().expect("a master");
    let answer = ask(port, &["CONFIG", "SET", "cluster-require-full-coverage", "yes"]).await;
    assert_eq!(answer.expect("redis-cli starts").trim(), "OK");
    let report = Report::of(env).await;
    assert_eq!(report.problems(), ["Redis coverage"], "of one master alone: {report:?}");
    let (_, text) = report.finding("Redis coverage");
    assert!(text.starts_with(&format!("127.0.0.1:{port}: ")), "the worst comes first: {text}");

    let of_a_server = env.clone().with("CHATPUSH_REDIS_URL", format!("redis://127.0.0.1:{port}"));
    let report = Report::of(&of_a_server).await;
    let (status, text) = report.finding("Redis role");
    assert_eq!(status, "wrong", "{report:?}");
    assert!(text.contains("redis+cluster://"), "{text}");
    let of_no_cluster =
        env.clone().with("CHATPUSH_REDIS_URL", cluster.url().replace("127.0.0.1", "127.0.0.2"));
    assert_ne!(Report::of(&of_no_cluster).await.code, Some(0));
}

/// Of the users of a master that is lost, messages may have been missed; not of the others.
#[tokio::test]
async fn killed_master_replays_its_users_only() {
    let mut installation = Installation::new().await;
    let daemon = installation.env.daemon().await;
    // The last partition is on another master than the first one.
    let (lost, kept) = (63, 64);
    let master = installation.master_of(lost).await;
    assert_ne!(master, installation.master_of(kept).await);
    let (mut of_lost, mut of_kept) = (daemon.connect(lost).await, daemon.connect(kept).await);
    of_lost.until_unread_count().await;
    of_kept.until_unread_count().await;
    for user in [lost, kept] {
        installation.append(user, "quiet").await;
        eventually("it is stored", || installation.env.stored_count(user), |count| *count == 1).await;
    }

    installation.cluster.kill(master);
    while !of_lost.text().await.contains("quiet") {}
    installation.publish(kept, r#"{"type":"live"}"#).await;
    let frames = of_kept.until(r#"{"type":"live"}"#).await;
    // A new term of the writer publishes the counters of the last one again.
    assert!(frames.iter().all(|frame| frame.contains("unread_count")), "nothing is replayed: {frames:?}");

    // Both go on.
    for user in [lost, kept] {
        installation.append(user, "after").await;
        let stored = || installation.env.stored(user);
        eventually("it is stored", stored, |rows| rows.contains(&"after".to_owned())).await;
    }
}

/// A master that hangs keeps its connections until commands time out: after another one has replaced it.
#[tokio::test]
async fn hanging_master_is_left_for_the_one_that_replaces_it() {
    let installation = Installation::new().await;
    let daemon = installation.env.daemon().await;
    // The first node is asked where the others' names are.
    for user in [30, 63] {
        let mut client = daemon.connect(user).await;
        client.until_unread_count().await;
        let hangs = installation.master_of(user).await;
        installation.cluster.signal(hangs, "STOP");
        let slot = partition(user).slot();
        let master = || async { installation.cluster.master(slot).await.ok() };
        eventually("another one is the master", master, |master| master.is_some_and(|now| now != hangs))
            .await;
        let live = r#"{"type":"live"}"#;
        eventually("it is subscribed", || installation.try_publish(user, live), |count| count == "1").await;
        client.until(live).await;
        eventually("everything is subscribed", || daemon.is_ready(), |is_ready| *is_ready).await;
        installation.cluster.signal(hangs, "CONT");
        installation.cluster.settled().await.expect("it is a replica now");
        installation.publish(user, live).await;
        eventually("everything is subscribed", || daemon.is_ready(), |is_ready| *is_ready).await;
    }
}

#[tokio::test]
async fn moved_partition_is_stored_and_its_users_replayed() {
    let installation = Installation::new().await;
    let daemon = installation.env.daemon().await;
    let user = 63;
    let mut client = daemon.connect(user).await;
    client.until_unread_count().await;
    installation.append(user, "before").await;
    eventually("it is stored", || installation.env.stored_count(user), |count| *count == 1).await;
    let to = installation.master_of(64).await;
    installation.cluster.move_slot(partition(user).slot(), to).await.expect("the slot moves");
    while !client.text().await.contains("before") {}
    installation.append(user, "after").await;
    eventually("it is stored", || installation.env.stored(user), |rows| rows.contains(&"after".to_owned()))
        .await;
    installation.publish(user, r#"{"type":"live"}"#).await;
    client.until(r#"{"type":"live"}"#).await;
}

/// `redis.replicas`: a master whose replica hangs stops the stores of its own users.
#[tokio::test]
async fn late_replica_stops_the_users_of_its_master_only() {
    let installation = Installation::new().await;
    let Installation { cluster, env, .. } = &installation;
    let env = env.clone().with("CHATPUSH_REDIS_REPLICAS", "1");
    let _daemon = env.daemon().await;
    let (late, kept) = (63, 64);
    for user in [late, kept] {
        installation.append(user, "before").await;
        eventually("it is stored", || env.stored_count(user), |count| *count == 1).await;
    }

    let replica = cluster.replica(installation.master_of(late).await).await.expect("redis-cli starts");
    let replica = replica.expect("it has one");
    cluster.signal(replica, "STOP");
    installation.append(late, "late").await;
    for number in 0..3 {
        installation.append(kept, &format!("on{number}")).await;
        eventually("it is stored", || env.stored_count(kept), |count| *count == 2 + number).await;
    }
    assert_eq!(env.stored(late).await, ["before"]);
    let report = Report::of(&env).await;
    let (status, text) = report.finding("Redis replication");
    let port = cluster.ports().nth(installation.master_of(late).await).expect("a node");
    assert!(status == "wrong" && text.starts_with(&format!("127.0.0.1:{port}: 0 of 1 ")), "{text}");

    cluster.signal(replica, "CONT");
    let stored = || env.stored(late);
    eventually("it is stored", stored, |rows| rows == &["before", "late"]).await;
}
