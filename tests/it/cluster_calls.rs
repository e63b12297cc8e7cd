use std::process::Stdio;

use chatpush_stack::port;
use chatpush_stack::redis::ask;
use chatpush_stack::redis_cluster::RedisCluster;
use chatpush_tests::eventually::{TEST_TIMEOUT, eventually};
use chatpush_tests::php::Php;
use chatpush_tests::test_env::TestEnv;
use chatpush_wire::id::{UserId, UserIdType};
use chatpush_wire::installation::{ContentColumn, Installation};
use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;
use chatpush_wire::slot::slot;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::accounts::documented_rules;

/// Users of the first, the second and the third master.
const USERS: [u32; 3] = [1, 30, 60];

/// A cluster that has an installation, and no daemon: `redis-cli` stands in for one.
struct Cluster {
    env: TestEnv,
    redis: RedisCluster,
}

impl Cluster {
    async fn new() -> Self {
        let env = TestEnv::bare().await;
        let cluster = Self { env, redis: RedisCluster::start().await.expect("the cluster starts") };
        let ids = UserIdType::default();
        let record = Installation::of_database("uuid".to_owned(), ids, ContentColumn::default());
        // Many receivers in one entry.
        let record = Installation { entries: u32::MAX, ..record }.encode();
        let name = cluster.prefix().installation();
        assert_eq!(cluster.ask(&name, &["SET", &name, &record]).await, "OK\n");
        cluster
    }

    fn prefix(&self) -> Prefix {
        self.env.prefix().in_cluster()
    }

    fn php(&self) -> Php {
        self.env.php().with(&format!("chatpush.redis_url={}", self.redis.url()))
    }

    /// Asks the master that has this name.
    async fn ask(&self, name: &str, command: &[&str]) -> String {
        let owner = self.owner(name).await;
        ask(owner, command).await.expect("redis-cli starts")
    }

    /// The port of the master that has this name, and says so itself.
    async fn owner(&self, name: &str) -> u16 {
        let probe = || async {
            let node = self.redis.master(slot(name.as_bytes())).await.ok()?;
            let port = self.redis.ports().nth(node)?;
            let answer = ask(port, &["GET", name]).await.ok()?;
            let is_owner = !answer.is_empty() && !answer.starts_with("MOVED ");
            (is_owner && !answer.starts_with("CLUSTERDOWN ")).then_some(port)
        };
        eventually("a master has it", probe, Option::is_some).await.expect("one was found")
    }

    /// The number of the node with this port.
    fn node(&self, port: u16) -> usize {
        self.redis.ports().position(|other| other == port).expect("a node")
    }

    async fn subscribe(&self, channel: &str) -> Subscriber {
        Subscriber::new(self.owner(channel).await, channel).await
    }

    async fn connect(&self, user: u32) -> Subscriber {
        self.subscribe(&self.prefix().user_channel(&id(user))).await
    }
}

fn id(user: u32) -> UserId {
    UserId::try_from(i64::from(user)).expect("a user id")
}

async fn my_id(port: u16) -> String {
    ask(port, &["CLUSTER", "MYID"]).await.expect("redis-cli starts").trim().to_owned()
}

async fn set_slot(port: u16, slot: &str, state: &str, node: &str) {
    let set = ask(port, &["CLUSTER", "SETSLOT", slot, state, node]).await.expect("redis-cli starts");
    assert_eq!(set, "OK\n");
}

/// What is subscribed to a channel, as a daemon would be.
struct Subscriber {
    _process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Subscriber {
    async fn new(port: u16, channel: &str) -> Self {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &port.to_string(), "SSUBSCRIBE", channel]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("redis-cli starts");
        let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let mut subscriber = Self { _process: process, lines };
        subscriber.until("ssubscribe").await;
        subscriber.until("1").await;
        subscriber
    }

    /// Reads up to a line with this text.
    async fn until(&mut self, text: &str) {
        let read = async {
            while !self.lines.next_line().await.expect("it writes").expect("it goes on").contains(text) {}
        };
        timeout(TEST_TIMEOUT, read).await.unwrap_or_else(|_| panic!("{text:?} is printed"));
    }
}

/// A PHP process that evaluates one expression after the other.
struct Worker {
    _process: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(php: &Php) -> Self {
        const CODE: &str = "while (($line = fgets(STDIN)) !== false) {
            try { echo json_encode(eval(\"return $line;\")), \"\\n\"; }
            catch (ChatPush\\Exception $e) { echo $e->getOutcome()->name, ': ', $e->getMessage(), \"\\n\"; }
        }";
        let command = &mut php.program(["-r", CODE]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("php starts");
        let input = process.stdin.take().expect("it is piped");
        let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        Self { _process: process, input, lines }
    }

    /// The value as JSON, or the outcome and the text of an exception.
    async fn eval(&mut self, expression: &str) -> String {
        self.input.write_all(format!("{expression}\n").as_bytes()).await.expect("php reads");
        let line = timeout(TEST_TIMEOUT, self.lines.next_line()).await.expect("php answers");
        line.expect("php writes").expect("php goes on")
    }
}

/// What a wrong master would answer, or refuse, is asked of the right one. A seed may be a replica, or gone.
#[tokio::test]
async fn calls_go_to_the_master_of_their_partition() {
    let cluster = Cluster::new().await;
    let mut connected = Vec::new();
    for user in USERS {
        connected.push(cluster.connect(user).await);
    }
    let (gone, replica) = (port::free().expect("a port"), cluster.redis.ports().last().expect("a node"));
    let url = format!("redis+cluster://127.0.0.1:{gone},127.0.0.1:{replica}");
    let mut php = Worker::start(&cluster.php().with(&format!("chatpush.redis_url={url}")));
    assert_eq!(php.eval("ChatPush\\ping()").await, "true");
    for (user, mut subscriber) in USERS.into_iter().zip(connected) {
        let offline = user + 1;
        assert_eq!(php.eval(&format!("ChatPush\\isOnline({user})")).await, "true", "{user}");
        assert_eq!(php.eval(&format!("ChatPush\\isOnline({offline})")).await, "false", "{offline}");
        assert_eq!(php.eval(&format!("pushMessage({user}, 'one of {user}', 'text')")).await, "true");
        subscriber.until(&format!("one of {user}")).await;
        assert_eq!(php.eval(&format!("ChatPush\\disconnectUser({user})")).await, "true", "{user}");
    }
    drop(php.eval("ChatPush\\close()").await);
    let mut connected = Vec::new();
    for user in USERS {
        connected.push(cluster.connect(user).await);
    }
    assert_eq!(php.eval("ChatPush\\getOnlineUsers([60, 31, 30, 2, 1])").await, "[60,30,1]");
    assert_eq!(php.eval("ChatPush\\pushToUsers([61, 60, 2, 30, 1], 'x', 'text')").await, "[60,30,1]");
    let phpinfo = php.eval("[ob_start(), phpinfo(INFO_MODULES), ob_get_clean()][2]").await;
    for port in cluster.redis.ports().take(3) {
        assert!(phpinfo.contains(&format!("127.0.0.1:{port}")), "{port}");
    }
}

/// The documented account of PHP, with what a cluster needs beside. The record that is on its way to another master is
/// read there.
#[tokio::test]
async fn documented_account_suffices() {
    let cluster = Cluster::new().await;
    let mut rules = documented_rules("chatpush-php", cluster.env.name());
    rules.extend(["+cluster|slots".to_owned(), "+asking".to_owned()]);
    for port in cluster.redis.ports() {
        let mut command = vec!["ACL", "SETUSER", "chatpush-php"];
        command.extend(rules.iter().map(String::as_str));
        assert_eq!(ask(port, &command).await.expect("redis-cli starts"), "OK\n");
    }
    let name = cluster.prefix().installation();
    let old = cluster.owner(&name).await;
    let new = cluster.redis.ports().take(3).find(|port| *port != old).expect("another master");
    let slot = slot(name.as_bytes()).to_string();
    set_slot(new, &slot, "IMPORTING", &my_id(old).await).await;
    set_slot(old, &slot, "MIGRATING", &my_id(new).await).await;
    let migrated = ask(old, &["MIGRATE", "127.0.0.1", &new.to_string(), &name, "0", "60000"]).await;
    assert_eq!(migrated.expect("redis-cli starts"), "OK\n");

    let url = cluster.redis.url().replace("://", "://chatpush-php:PHP_PASSWORD@");
    let mut php = Worker::start(&cluster.php().with(&format!("chatpush.redis_url=\"{url}\"")));
    let _connected = cluster.connect(30).await;
    assert_eq!(php.eval("ChatPush\\isOnline(30)").await, "true");
    assert_eq!(php.eval("ChatPush\\getOnlineUsers([1, 30])").await, "[30]");
    assert_eq!(php.eval("ChatPush\\pushToUsers([1, 30], 'x', 'text')").await, "[30]");
    assert_eq!(php.eval("ChatPush\\disconnectUser(30)").await, "true");
}

/// A process that knows the masters of before follows a partition that moves. Until it has moved as a whole, the old
/// master has the subscribers.
#[tokio::test]
async fn partition_that_moves_is_followed() {
    let cluster = Cluster::new().await;
    let connected = cluster.connect(30).await;
    let mut php = Worker::start(&cluster.php());
    let channel = cluster.prefix().user_channel(&id(30));
    let old = cluster.owner(&channel).await;
    let new = cluster.redis.ports().next().expect("a node");
    assert_ne!(old, new);
    assert_eq!(php.eval("ChatPush\\isOnline(30)").await, "true");

    let slot = Partition::of(&id(30)).slot().to_string();
    let (old_id, new_id) = (my_id(old).await, my_id(new).await);
    set_slot(new, &slot, "IMPORTING", &old_id).await;
    set_slot(old, &slot, "MIGRATING", &new_id).await;
    assert_eq!(php.eval("ChatPush\\isOnline(30)").await, "true");
    assert_eq!(php.eval("ChatPush\\getOnlineUsers([1, 30])").await, "[30]");
    assert_eq!(php.eval("pushMessage(30, 'on the way', 'text')").await, "true");
    set_slot(new, &slot, "NODE", &new_id).await;
    set_slot(old, &slot, "NODE", &new_id).await;
    drop(connected);
    let mut connected = Subscriber::new(new, &channel).await;
    assert_eq!(php.eval("ChatPush\\isOnline(30)").await, "true");
    assert_eq!(php.eval("ChatPush\\getOnlineUsers([1, 30])").await, "[30]");
    assert_eq!(php.eval("pushMessage(30, 'has moved', 'text')").await, "true");
    connected.until("has moved").await;
    assert_eq!(php.eval("ChatPush\\disconnectUser(30)").await, "true");
}

/// The calls for users of other masters go on. Those for its own users wait for the one that replaces it.
#[tokio::test]
async fn killed_master_is_replaced_within_a_call() {
    let mut cluster = Cluster::new().await;
    let _others = (cluster.connect(30).await, cluster.connect(60).await);
    let mut php = Worker::start(&cluster.php());
    let channel = cluster.prefix().user_channel(&id(1));
    assert_eq!(php.eval("[ChatPush\\isOnline(1), ChatPush\\isOnline(30)]").await, "[false,true]");
    let killed = cluster.owner(&channel).await;
    cluster.redis.kill(cluster.node(killed));
    assert_eq!(php.eval("ChatPush\\getOnlineUsers([60, 30])").await, "[60,30]");
    assert_eq!(php.eval("pushMessage(30, 'x', 'text')").await, "true");
    // Nobody is connected yet, but there is a master again.
    assert_eq!(php.eval("pushMessage(1, 'x', 'text')").await, "false");
    let _connected = cluster.connect(1).await;
    assert_eq!(php.eval("[ChatPush\\isOnline(1), ChatPush\\isOnline(30)]").await, "[true,true]");
}

/// Of many receivers, those of the other masters get their message, and it is said which are not.
#[tokio::test]
async fn master_that_is_not_replaced_fails_its_own_users() {
    let mut cluster = Cluster::new().await;
    let mut daemons = Vec::new();
    for user in USERS {
        let channel = cluster.prefix().daemons_channel(Partition::of(&id(user)));
        daemons.push(cluster.subscribe(&channel).await);
    }
    for port in cluster.redis.ports() {
        ask(port, &["CONFIG", "SET", "cluster-require-full-coverage", "no"]).await.expect("redis-cli starts");
    }
    let settings = cluster.php().with("chatpush.durability=queued").with("chatpush.timeout_ms=1500");
    let mut php = Worker::start(&settings);
    let send = |text| {
        format!(
            "(function () {{
                try {{ return array_map(fn ($d) => $d->name, ChatPush\\sendToUsers(9, [1, 30, 60], '{text}')); }}
                catch (ChatPush\\PartialException $e) {{
                    return array_map(fn ($d) => $d->name, $e->getDeliveries())
                        + array_map(fn ($o) => $o->name, $e->getOutcomes());
                }}
            }})()"
        )
        .replace('\n', " ")
    };
    let stored = r#"{"1":"Stored","30":"Stored","60":"Stored"}"#;
    assert_eq!(php.eval(&send("a")).await, stored);
    let dead = cluster.owner(&cluster.prefix().user_channel(&id(1))).await;
    // The second half are replicas.
    for node in 3..6 {
        cluster.redis.kill(node);
    }
    cluster.redis.kill(cluster.node(dead));

    for text in ["b", "c"] {
        let outcomes = php.eval(&send(text)).await;
        assert_eq!(outcomes, r#"{"30":"Stored","60":"Stored","1":"NotQueued"}"#);
    }
    for (user, length) in [(30, "3\n"), (60, "3\n")] {
        let log = cluster.prefix().log(Partition::of(&id(user)));
        assert_eq!(cluster.ask(&log, &["XLEN", &log]).await, length, "{user}");
    }
    let pushed = php.eval("ChatPush\\pushToUsers([1, 30], 'x', 'text')").await;
    assert!(pushed.starts_with("Unknown: "), "{pushed}");
    let pushed = php.eval("pushMessage(1, 'x', 'text')").await;
    assert!(pushed.starts_with("NotQueued: ") && pushed.contains(&dead.to_string()), "{pushed}");
    assert_eq!(php.eval("pushMessage(30, 'x', 'text')").await, "false");
    assert_eq!(php.eval("ChatPush\\getOnlineUsers([60, 30])").await, "[]");
}

/// A master has taken the calls and dies before they are done. Its replica may have less.
#[tokio::test]
async fn what_a_lost_master_had_queued_is_unknown() {
    for call in ["sendMessage(9, 1, 'x', 'text', 'x')", "sendToUsers(9, [1, 65], 'x', 'text', 'x')"] {
        let mut cluster = Cluster::new().await;
        let _daemon = cluster.subscribe(&cluster.prefix().daemons_channel(Partition::of(&id(1)))).await;
        // Another master is there sooner or later; one second is too soon, and the answers agree.
        let mut php = Worker::start(&cluster.php().with("chatpush.timeout_ms=1000"));
        let log = cluster.prefix().log(Partition::of(&id(1)));
        let killed = cluster.owner(&log).await;
        let redis = &mut cluster.redis;
        let node = redis.ports().position(|port| port == killed).expect("a node");
        let kill = async {
            let length = || async { ask(killed, &["XLEN", &log]).await.expect("redis-cli starts") };
            eventually("it is queued", length, |length| length == "1\n").await;
            redis.kill(node);
        };
        let call = format!("ChatPush\\{call}");
        let (text, ()) = tokio::join!(php.eval(&call), kill);
        assert!(text.starts_with("Unknown: "), "{text}");
    }
}

/// `chatpush.durability = replicated`: it is said of which receivers no replica has the message.
#[tokio::test]
async fn replicated_send_names_the_users_of_a_late_replica() {
    let cluster = Cluster::new().await;
    let php = cluster.php().with("chatpush.durability=replicated");
    let send =
        "try { $deliveries = ChatPush\\sendToUsers(9, [1, 30, 60], 'x', 'text', 'once'); $outcomes = []; }
        catch (ChatPush\\PartialException $e) {
            $deliveries = $e->getDeliveries(); $outcomes = $e->getOutcomes();
        }
        echo json_encode([$deliveries, $outcomes]);";
    let master = cluster.redis.master(Partition::of(&id(30)).slot()).await.expect("a master");
    let replica = cluster.redis.replica(master).await.expect("redis-cli starts").expect("it has one");
    cluster.redis.signal(replica, "STOP");
    let late = php.clone().with("chatpush.timeout_ms=3000").get(send).await;
    assert_eq!(late, r#"[{"1":"stored","60":"stored"},{"30":"queued"}]"#);
    let alone = "echo ChatPush\\sendMessage(9, 1, 'x')->name;
        try { ChatPush\\sendMessage(9, 30, 'x'); } catch (ChatPush\\TimeoutException $e) { echo $e->getOutcome()->name; }";
    assert_eq!(php.clone().with("chatpush.timeout_ms=1500").get(alone).await, "StoredQueued");

    cluster.redis.signal(replica, "CONT");
    assert_eq!(php.get(send).await, r#"[{"1":"stored","30":"stored","60":"stored"},[]]"#);
    let log = cluster.prefix().log(Partition::of(&id(30)));
    assert_eq!(cluster.ask(&log, &["XLEN", &log]).await, "2\n");
}

/// Every message is stored once and in order, though a master is killed and a partition moves between two of them. A call
/// that fails is repeated under its id.
#[tokio::test]
async fn sends_survive_a_killed_master_and_a_move() {
    const COUNT: usize = 30;
    let env = TestEnv::new().await;
    env.users(&[1, 9, 30, 60]).await;
    let mut cluster = Cluster { env, redis: RedisCluster::start().await.expect("the cluster starts") };
    let _daemon = cluster.env.clone().with("CHATPUSH_REDIS_URL", cluster.redis.url()).daemon().await;
    let mut php = Worker::start(&cluster.php().with("chatpush.timeout_ms=3000"));
    for number in 0..COUNT {
        if number == COUNT / 3 {
            let killed = cluster.owner(&cluster.prefix().log(Partition::of(&id(1)))).await;
            cluster.redis.kill(cluster.node(killed));
        }
        if number == COUNT * 2 / 3 {
            let to = cluster.redis.master(Partition::of(&id(30)).slot()).await.expect("a master");
            cluster.redis.move_slot(Partition::of(&id(60)).slot(), to).await.expect("the slot moves");
        }
        let send = format!("ChatPush\\sendToUsers(9, [1, 30, 60], 'm{number}', 'text', 'm{number}')");
        let until_queued = format!(
            "(function () {{ while (true) {{ try {{ return count({send}); }} \
             catch (ChatPush\\Exception $e) {{ if (!$e->isRetryable() && $e->getOutcome()->name !== 'Queued') throw $e; \
             if ($e->getOutcome()->name === 'Queued') return 3; }} }} }})()"
        );
        assert_eq!(php.eval(&until_queued).await, "3", "{number}");
    }
    let expected: Vec<_> = (0..COUNT).map(|number| format!("m{number}")).collect();
    for user in USERS {
        let stored = || cluster.env.stored(user);
        let stored = eventually("all are stored", stored, |rows| rows.len() >= COUNT).await;
        assert_eq!(stored, expected, "{user}");
    }
}
