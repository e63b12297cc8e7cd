use chatpush_tests::client::Client;
use chatpush_tests::eventually::eventually;
use chatpush_tests::php::Php;
use chatpush_tests::test_env::TestEnv;
use chatpush_wire::envelope::EPHEMERAL;
use chatpush_wire::frame;
use chatpush_wire::id::UserIdType;
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

/// A user of the same partition as user 2, whose row the tests lock.
const NEIGHBOUR: u32 = 66;

/// Locks the row of user 2, until the connection commits.
async fn lock(env: &TestEnv) -> Conn {
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("SELECT * FROM `user` WHERE id = 2 FOR UPDATE").await.expect("the row is free");
    application
}

async fn unlock(mut application: Conn) {
    application.query_drop("COMMIT").await.expect("MariaDB answers");
}

/// Puts a message of user 2 into the log, which is stuck there while the row is locked.
async fn block(env: &TestEnv, queued: &Php) {
    eventually("the log is trimmed", || env.log_length(2), |length| *length == 0).await;
    queued.get("storeOfflineMessage(1, 2, 'held');").await;
    assert_eq!(env.log_length(2).await, 1, "it waits in the log");
}

fn queued(env: &TestEnv) -> Php {
    env.php().with("chatpush.durability=queued")
}

/// Pushes a message that is not stored until the user's connection has it. It must come before anything else.
async fn push_arrives(env: &TestEnv, user: u32, client: &mut Client) {
    env.php().get(&format!("pushMessage({user}, 'pushed', 'text');")).await;
    assert_eq!(client.json().await["data"], "pushed");
}

/// On the daemon that writes and on one that does not.
#[tokio::test]
async fn locked_row_of_another_user_delays_nobody_else() {
    let env = TestEnv::new().await;
    env.users(&[2, NEIGHBOUR]).await;
    let daemons = [env.daemon().await, env.daemon().await];
    let php = env.php();
    php.get("storeOfflineMessage(1, 66, 'before');").await;
    let application = lock(&env).await;
    block(&env, &queued(&env)).await;
    for daemon in &daemons {
        // chatpush.v1: what the test does not confirm stays.
        let mut client = daemon.connect_with(NEIGHBOUR, "chatpush.v1").await;
        assert_eq!(client.until_unread_count().await, (vec!["before".to_owned()], 1));
        push_arrives(&env, NEIGHBOUR, &mut client).await;
    }
    let read = "echo getUnreadCount(66), ' ', getOfflineMessage(66)[0]['content'];";
    assert_eq!(php.get(read).await, "1 before");
    assert_eq!(env.log_length(2).await, 1, "the entry of user 2 still waits");
    unlock(application).await;
    eventually("it is stored", || env.stored(2), |rows| *rows == ["held"]).await;
}

/// Its stored messages wait, and their live copies and the unread counter behind them. What is only pushed goes
/// on.
#[tokio::test]
async fn messages_that_wait_come_in_order_and_pushes_go_on() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'm0');").await;
    let application = lock(&env).await;
    let queued = queued(&env);
    queued.get("foreach ([1, 2, 3] as $i) ChatPush\\sendMessage(1, 2, \"m$i\");").await;
    let mut client = daemon.connect_with(2, "chatpush.v1").await;
    let subscribed = || async { env.php().get("var_dump(ChatPush\\isOnline(2));").await };
    eventually("the connection counts", subscribed, |online| online.trim() == "bool(true)").await;
    queued.get("ChatPush\\sendMessage(1, 2, 'm4');").await;
    push_arrives(&env, 2, &mut client).await;
    queued.get("ChatPush\\sendMessage(1, 2, 'm5');").await;
    // A counter that another daemon publishes says nothing before the messages that it counts.
    let channel = env.prefix().user_channel(&UserIdType::Int.text("2").expect("an id"));
    let counter = format!("{EPHEMERAL}{}", frame::unread(9, None, false));
    assert_eq!(env.redis::<u64>(&["SPUBLISH", &channel, &counter]).await, 1);
    push_arrives(&env, 2, &mut client).await;
    unlock(application).await;
    let mut seen = Vec::new();
    while seen.len() < 6 {
        let frame = client.json().await;
        seen.extend(frame["data"].as_str().map(str::to_owned));
    }
    assert_eq!(seen, ["m0", "m1", "m2", "m3", "m4", "m5"]);
}

/// A confirmation that waits in the log counts: the message must not be shown again.
#[tokio::test]
async fn confirmation_that_waits_holds_back_the_replay() {
    let env = TestEnv::new().await;
    env.users(&[2, NEIGHBOUR]).await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 66, 'once');").await;
    let application = lock(&env).await;
    block(&env, &queued(&env)).await;
    let mut first = daemon.connect(NEIGHBOUR).await;
    assert_eq!(first.until_unread_count().await.0, ["once"]);
    let reading = first.keep_reading();
    eventually("the confirmation waits", || env.log_length(2), |length| *length == 2).await;
    let mut second = daemon.connect(NEIGHBOUR).await;
    push_arrives(&env, NEIGHBOUR, &mut second).await;
    unlock(application).await;
    assert!(second.until_unread_count().await.0.is_empty(), "it was shown again");
    reading.abort();
}

/// An entry that this version cannot read may name anybody.
#[tokio::test]
async fn unreadable_entry_holds_back_the_whole_partition() {
    let env = TestEnv::new().await;
    env.users(&[2, NEIGHBOUR]).await;
    let daemon = env.daemon().await;
    let application = lock(&env).await;
    block(&env, &queued(&env)).await;
    let log: Vec<String> = env.redis(&["KEYS", &format!("{}:*:log", env.name())]).await;
    let _: String = env.redis(&["XADD", &log[0], "*", "v", "later", "x", "66"]).await;
    let mut client = daemon.connect(NEIGHBOUR).await;
    push_arrives(&env, NEIGHBOUR, &mut client).await;
    unlock(application).await;
    assert_eq!(client.until_unread_count().await, (Vec::new(), 0));
    eventually(
        "it is a dead letter",
        || env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead"),
        |dead| *dead == [1],
    )
    .await;
}

/// The log is read in slices, since a script blocks Redis; once, whoever asks; and then followed.
#[tokio::test]
async fn backlog_is_read_once() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2, NEIGHBOUR]).await;
    let daemon = env.daemon().await;
    let application = lock(&env).await;
    let queued = queued(&env);
    queued.get("foreach (range(1, 3000) as $i) storeOfflineMessage(1, 2, \"held $i\");").await;
    let log: Vec<String> = env.redis(&["KEYS", &format!("{}:*:log", env.name())]).await;
    for (setting, value) in [("slowlog-max-len", "100000"), ("slowlog-log-slower-than", "0")] {
        let _: () = env.redis(&["CONFIG", "SET", setting, value]).await;
    }
    // The calls of the script that reads receivers: its digest, the log, a position and two limits.
    let slices = async || {
        let commands: Vec<(i64, i64, i64, Vec<String>, String, String)> =
            env.redis(&["SLOWLOG", "GET", "-1"]).await;
        let commands = commands.into_iter().map(|(_, _, _, command, ..)| command);
        let is_slice = |command: &Vec<String>| {
            command.len() == 7 && command[0] == "EVALSHA" && command[2..4] == ["1".to_owned(), log[0].clone()]
        };
        commands.filter(is_slice).count()
    };
    let php = env.php();
    assert_eq!(php.get("echo getUnreadCount(66);").await, "0");
    let first = slices().await;
    assert!((3000 / 256..=40).contains(&first), "3000 entries were read in {first} slices");
    assert_eq!(php.get("foreach (range(1, 20) as $i) echo getUnreadCount(66);").await, "0".repeat(20));
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = daemon.connect(NEIGHBOUR).await;
        client.until_unread_count().await;
        clients.push(client);
    }
    let then = slices().await - first;
    assert!(then <= 80, "{then} slices for forty who asked, {first} for the first");
    // What comes later is read too.
    queued.get("storeOfflineMessage(1, 66, 'late');").await;
    let mut late = daemon.connect(NEIGHBOUR).await;
    push_arrives(&env, NEIGHBOUR, &mut late).await;
    unlock(application).await;
    while late.json().await["data"] != "late" {}
}

/// What was read from the log of one Redis says nothing of the log of another: a Redis that has lost its tail,
/// and whose clock was set back, gives the same ids to other entries.
#[tokio::test]
async fn replaced_log_is_read_again() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2, NEIGHBOUR]).await;
    let daemon = env.daemon().await;
    let mut application = lock(&env).await;
    application.query_drop("SELECT * FROM `user` FOR UPDATE").await.expect("the rows are free");
    block(&env, &queued(&env)).await;
    let php = env.php();
    assert_eq!(php.get("echo getUnreadCount(66);").await, "0");
    let log: Vec<String> = env.redis(&["KEYS", &format!("{}:*:log", env.name())]).await;
    let entries: Vec<(String, Vec<String>)> = env.redis(&["XRANGE", &log[0], "-", "+"]).await;
    let (id, fields) = &entries[0];
    let mut replaced = vec!["XADD", &log[0], id];
    replaced.extend(fields.iter().map(|field| if field == "2" { "66" } else { field.as_str() }));
    let _: u64 = env.redis(&["DEL", &log[0]]).await;
    let _: String = env.redis(&replaced).await;
    env.servers().kill_redis().await;
    env.servers().start_redis().await;
    eventually("the daemon is ready again", || daemon.is_ready(), |ready| *ready).await;
    let waiting = "try { echo getUnreadCount(66); } catch (ChatPush\\TimeoutException) { echo 'waits'; }";
    assert_eq!(env.php().with("chatpush.timeout_ms=2000").get(waiting).await, "waits");
    unlock(application).await;
    assert_eq!(php.get("echo getUnreadCount(66);").await, "1");
}

/// However many there are.
#[tokio::test]
async fn queries_that_wait_do_not_stop_others() {
    let env = TestEnv::new().await;
    env.users(&[2, 3]).await;
    let daemon = env.daemon().await;
    let application = lock(&env).await;
    block(&env, &queued(&env)).await;
    let log: Vec<String> = env.redis(&["KEYS", &format!("{}:*:log", env.name())]).await;
    let entries: Vec<(String, Vec<String>)> = env.redis(&["XRANGE", &log[0], "-", "+"]).await;
    let query = format!(r#"{} caller.1 {{"v":"1","query":{{"unread":{{"user":2}}}}}}"#, entries[0].0);
    let list = log[0].replace(":log", ":queries");
    let mut command = vec!["RPUSH", &list];
    command.extend([query.as_str(); 300]);
    let _: u64 = env.redis(&command).await;
    let taken = async || env.redis::<u64>(&["LLEN", &list]).await;
    eventually("the daemon has taken them", taken, |waiting| *waiting == 0).await;
    // They wait for ten seconds.
    let read = "echo getUnreadCount(3), count(getOfflineMessage(3));";
    assert_eq!(env.php().with("chatpush.timeout_ms=6000").get(read).await, "00");
    assert!(!daemon.log().contains("cannot read a query"), "{}", daemon.log());
    unlock(application).await;
}

/// Whoever connects while MySQL hangs or is away gets pushes, and stored messages when it is back.
#[tokio::test]
async fn pushes_go_on_while_mysql_is_away() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'stored');").await;
    env.servers().signal_mariadb("STOP").await;
    let mut client = daemon.connect_with(2, "chatpush.v1").await;
    for _ in 0..3 {
        push_when_online(&env, &mut client).await;
    }
    env.servers().signal_mariadb("CONT").await;
    assert_eq!(client.until_unread_count().await, (vec!["stored".to_owned()], 1));
    env.servers().kill_mariadb().await;
    let mut client = daemon.connect_with(2, "chatpush.v1").await;
    for _ in 0..3 {
        push_when_online(&env, &mut client).await;
    }
    env.servers().start_mariadb().await;
    // A writer that begins anew tells the count, too, maybe before the message.
    while client.json().await["data"] != "stored" {}
}

async fn push_when_online(env: &TestEnv, client: &mut Client) {
    let push = "var_dump(pushMessage(2, 'pushed', 'text'));";
    let php = env.php();
    eventually("a connection is reached", || php.get(push), |reached| reached.trim() == "bool(true)").await;
    assert_eq!(client.json().await["data"], "pushed");
}
