use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chatpush_tests::client::Client;
use chatpush_tests::eventually::eventually;
use chatpush_tests::grants::{connect_granted, grant, next_of, send_grant};
use chatpush_tests::test_env::TestEnv;
use serde_json::{Value, json};

/// Reads frames until a peer is told to be offline. How long that may take is in the unit tests of
/// `fanout/presence.rs`.
async fn until_offline(client: &mut Client, user: &str) {
    while next_of(client, "presence").await["users"][user] != false {}
}

/// Reads presence frames until a client was told this of each peer, whatever it was told before.
async fn until_told(client: &mut Client, expected: &[(u32, bool)]) {
    let expected: BTreeMap<_, _> =
        expected.iter().map(|(user, online)| (user.to_string(), *online)).collect();
    let mut told = BTreeMap::new();
    while told != expected {
        let frame = next_of(client, "presence").await;
        for (user, online) in frame["users"].as_object().expect("an object") {
            told.insert(user.clone(), online.as_bool().expect("a truth"));
        }
    }
}

/// All peers once, then what changes, on whichever daemon they connect.
#[tokio::test]
async fn peers_are_told_once_and_then_their_changes() {
    let env = TestEnv::new().await;
    let (one, other) = (env.daemon().await, env.daemon().await);
    let peer = one.connect(9).await;
    let mut client = connect_granted(&one, 2, &[9, 12, 2], &[]).await;
    let first = next_of(&mut client, "presence").await;
    assert_eq!(first["users"], json!({ "9": true, "12": false, "2": true }));
    assert_eq!(first.get("id"), None);

    let far = other.connect(12).await;
    assert_eq!(next_of(&mut client, "presence").await["users"], json!({ "12": true }));
    // A second connection of a user changes nothing, and neither does the end of one of two.
    let second = other.connect(9).await;
    drop(peer);
    drop(far);
    assert_eq!(next_of(&mut client, "presence").await["users"], json!({ "12": false }));
    drop(second);
    assert_eq!(next_of(&mut client, "presence").await["users"], json!({ "9": false }));
}

/// A new grant tells all of its peers again; without peers nothing is told.
#[tokio::test]
async fn new_grant_tells_its_own_peers() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let mut client = connect_granted(&daemon, 2, &[9, 12], &[]).await;
    until_told(&mut client, &[(9, false), (12, false)]).await;
    send_grant(&mut client, &grant(2, &[12, 13], &[], 600)).await;
    assert_eq!(next_of(&mut client, "presence").await["users"], json!({ "12": false, "13": false }));
    send_grant(&mut client, &grant(2, &[], &["a"], 600)).await;
    next_of(&mut client, "grant").await;
    let _peer = daemon.connect(12).await;
    client.send_text(r#"{"ping":true}"#).await;
    loop {
        let frame = client.json().await;
        assert_ne!(frame["type"], "presence");
        if frame["pong"] == true {
            break;
        }
    }
}

/// However often peers come and go, a connection is sent no more than a frame a second, the last of which is
/// true.
#[tokio::test]
async fn changes_are_merged() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let mut client = connect_granted(&daemon, 2, &[9, 12], &[]).await;
    until_told(&mut client, &[(9, false), (12, false)]).await;
    let began = Instant::now();
    let mut kept = Vec::new();
    for round in 0..40 {
        let mut peer = daemon.connect(9).await;
        peer.until_unread_count().await;
        if round == 39 {
            kept.push(peer);
        }
    }
    kept.push(daemon.connect(12).await);
    let mut frames = 0;
    let mut told = json!({ "9": false, "12": false });
    while told != json!({ "9": true, "12": true }) {
        let frame = next_of(&mut client, "presence").await;
        for (user, online) in frame["users"].as_object().expect("an object") {
            told[user] = online.clone();
        }
        frames += 1;
    }
    assert!(frames <= began.elapsed().as_secs() + 1, "{frames} frames in {:?}", began.elapsed());
}

/// Nobody announces the end of a daemon that was killed.
#[tokio::test]
async fn killed_daemon_leaves_no_ghost() {
    let env = TestEnv::new().await;
    let (killed, healthy) = (env.daemon().await, env.daemon().await);
    let _ghost = killed.connect(9).await;
    let mut client = connect_granted(&healthy, 2, &[9], &[]).await;
    assert_eq!(next_of(&mut client, "presence").await["users"], json!({ "9": true }));
    killed.kill();
    until_offline(&mut client, "9").await;
}

/// A daemon that is stopped by its operator closes its connections. Nobody connects again here.
#[tokio::test]
async fn stopped_daemon_leaves_no_ghost() {
    let env = TestEnv::new().await;
    let (stopped, healthy) = (env.daemon().await, env.daemon().await);
    let _ghost = stopped.connect(9).await;
    let mut client = connect_granted(&healthy, 2, &[9], &[]).await;
    assert_eq!(next_of(&mut client, "presence").await["users"], json!({ "9": true }));
    let stopping = tokio::task::spawn_blocking(move || stopped.stop());
    until_offline(&mut client, "9").await;
    assert_eq!(stopping.await.expect("the daemon stops"), Some(0));
}

/// A daemon that hangs keeps its connection to Redis; its users are online again when it wakes up.
#[tokio::test]
async fn paused_daemon_leaves_no_ghost() {
    let env = TestEnv::new().await;
    let (paused, healthy) = (env.daemon().await, env.daemon().await);
    let mut peer = paused.connect(9).await;
    peer.until_unread_count().await;
    let reading = peer.keep_reading();
    let mut client = connect_granted(&healthy, 2, &[9], &[]).await;
    assert_eq!(next_of(&mut client, "presence").await["users"], json!({ "9": true }));
    paused.process().signal("STOP");
    until_offline(&mut client, "9").await;
    paused.process().signal("CONT");
    assert_eq!(next_of(&mut client, "presence").await["users"], json!({ "9": true }));
    reading.abort();
}

/// How often Redis has executed a command, by its name in `INFO commandstats`.
async fn calls(env: &TestEnv, command: &str) -> u64 {
    let stats: String = env.redis(&["INFO", "commandstats"]).await;
    let start = format!("cmdstat_{command}:calls=");
    let line = stats.lines().find_map(|line| line.strip_prefix(&start));
    line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or_default()
}

/// While nothing changes a daemon looks every three seconds which daemons there are, and asks about nobody. A change is
/// one question, however many watch.
#[tokio::test]
async fn nobody_is_polled_while_nothing_changes() {
    let env = TestEnv::with_own_servers().await;
    let daemon = env.daemon().await;
    let peers: Vec<u32> = (1_001..=1_500).collect();
    let mut clients = Vec::new();
    for user in 2..6 {
        let mut client = connect_granted(&daemon, user, &peers, &[]).await;
        let told = next_of(&mut client, "presence").await["users"].as_object().map(serde_json::Map::len);
        assert_eq!(told, Some(500));
        clients.push(client);
    }
    let looks = async || calls(&env, "hgetall").await;
    let asked = async || calls(&env, "pubsub|shardnumsub").await;
    let (looked, before) = (looks().await, asked().await);
    eventually("it has looked for daemons", looks, |looks| *looks >= looked + 3).await;
    assert_eq!(asked().await, before, "nobody was asked about");

    let _peer = daemon.connect(1_001).await;
    for client in &mut clients {
        assert_eq!(next_of(client, "presence").await["users"], json!({ "1001": true }));
    }
    assert_eq!(asked().await, before + 1);
}

/// Users who leave while their daemon has no subscriptions are not announced.
#[tokio::test]
async fn presence_is_true_after_a_restart_of_redis() {
    let env = TestEnv::with_own_servers().await;
    let daemon = env.daemon().await;
    let leaving = daemon.connect(9).await;
    let staying = daemon.connect(12).await;
    let mut client = connect_granted(&daemon, 2, &[9, 12], &[]).await;
    until_told(&mut client, &[(9, true), (12, true)]).await;
    env.servers().kill_redis().await;
    drop(leaving);
    env.servers().start_redis().await;
    while next_of(&mut client, "presence").await["users"]["9"] != false {}
    let php = env.php();
    eventually(
        "the other is online",
        || php.run("echo (int) ChatPush\\isOnline(12);"),
        |ran| ran.output == "1",
    )
    .await;
    drop(staying);
    while next_of(&mut client, "presence").await["users"]["12"] != false {}
}

/// The name, the sender and the value arrive as they were sent, on other daemons too.
#[tokio::test]
async fn event_reaches_every_v1_connection_of_a_peer() {
    let env = TestEnv::new().await;
    let (one, other) = (env.daemon().await, env.daemon().await);
    let mut sender = connect_granted(&one, 7, &[9], &[]).await;
    let mut phone = one.connect_with(9, "chatpush.v1").await;
    let mut desk = other.connect_with(9, "chatpush.v1").await;
    let mut old = other.connect(9).await;
    for client in [&mut phone, &mut desk, &mut old] {
        client.until_unread_count().await;
    }
    sender.send_text(r#"{"to":9,"event":"typing","value":{"in":"a","n":[1,2.50]}}"#).await;
    for client in [&mut phone, &mut desk] {
        let text = client.text().await;
        assert_eq!(text, r#"{"type":"event","event":"typing","from":7,"value":{"in":"a","n":[1,2.50]}}"#);
    }
    env.php().get("pushMessage(9, 'after', 'text');").await;
    assert_eq!(old.json().await["data"], "after", "a client without chatpush.v1 gets no event");
}

async fn dropped(daemon: &chatpush_tests::daemon::Daemon, reason: &str) -> u64 {
    daemon.metric(&format!("chatpush_events_dropped_total{{reason=\"{reason}\"}}")).await
}

/// Only to peers of the grant, and no more than `limits.events` a second. What is dropped is counted, and the
/// connection lives.
#[tokio::test]
async fn events_beyond_the_grant_and_the_limit_are_dropped_and_counted() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_EVENTS", "3");
    let daemon = env.daemon().await;
    let mut sender = daemon.connect_with(7, "chatpush.v1").await;
    sender.send_text(r#"{"to":9,"event":"typing","value":0}"#).await;
    eventually("it has no grant", || dropped(&daemon, "peer"), |count| *count == 1).await;
    send_grant(&mut sender, &grant(7, &[9], &[], 600)).await;
    next_of(&mut sender, "grant").await;
    let began = Instant::now();
    sender.send_text(r#"{"to":12,"event":"typing","value":0}"#).await;
    eventually("the receiver is no peer", || dropped(&daemon, "peer"), |count| *count == 2).await;

    let mut receiver = daemon.connect_with(9, "chatpush.v1").await;
    receiver.until_unread_count().await;
    for number in 1..=500 {
        sender.send_text(&format!(r#"{{"to":9,"event":"typing","value":{number}}}"#)).await;
    }
    sender.send_text(r#"{"ping":true}"#).await;
    while sender.json().await["pong"] != true {}
    // A second begins with the first event after the one before. The event to nobody counts too.
    let most = 3 * (began.elapsed().as_secs() + 1);
    let allowed = 500 - dropped(&daemon, "rate").await;
    assert!((2..=most).contains(&allowed), "{allowed} events were allowed, and {most} are");
    let mut last = 0;
    for _ in 0..allowed {
        let event = next_of(&mut receiver, "event").await;
        let number = event["value"].as_u64().expect("a number");
        assert!(event["from"] == 7 && number > last, "{event} after {last}");
        last = number;
    }
    env.php().get("pushMessage(9, 'the end', 'chat');").await;
    assert_eq!(receiver.json().await["data"], "the end", "what was dropped does not come");
    assert_eq!(dropped(&daemon, "rate").await, 500 - allowed);
    env.php().get("pushMessage(7, 'still here', 'chat');").await;
    assert_eq!(next_of(&mut sender, "chat").await["data"], "still here");
}

/// Whose grant has expired is told of nobody any more, and sends nothing.
#[tokio::test]
async fn presence_and_events_end_with_the_grant() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let mut client = daemon.connect_with(2, "chatpush.v1").await;
    send_grant(&mut client, &grant(2, &[9], &[], 4)).await;
    assert!(next_of(&mut client, "grant").await["until"].is_u64());
    assert_eq!(next_of(&mut client, "presence").await["users"], json!({ "9": false }));
    assert_eq!(next_of(&mut client, "grant").await["error"], "token has expired");

    // Somebody else is told of two changes, which come a second apart. Both watched the same peer.
    let mut witness = connect_granted(&daemon, 3, &[9], &[]).await;
    until_told(&mut witness, &[(9, false)]).await;
    let peer = daemon.connect(9).await;
    until_told(&mut witness, &[(9, true)]).await;
    drop(peer);
    until_told(&mut witness, &[(9, false)]).await;
    let mut receiver = daemon.connect_with(9, "chatpush.v1").await;
    receiver.until_unread_count().await;
    until_told(&mut witness, &[(9, true)]).await;

    client.send_text(r#"{"to":9,"event":"typing","value":1}"#).await;
    client.send_text(r#"{"ping":true}"#).await;
    loop {
        let frame = client.json().await;
        assert_ne!(frame["type"], "presence", "{frame}");
        if frame["pong"] == true {
            break;
        }
    }
    assert_eq!(dropped(&daemon, "peer").await, 1);
    // A grant that is in force again tells and allows the same as before.
    send_grant(&mut client, &grant(2, &[9], &[], 600)).await;
    assert_eq!(next_of(&mut client, "presence").await["users"], json!({ "9": true }));
    client.send_text(r#"{"to":9,"event":"typing","value":2}"#).await;
    assert_eq!(next_of(&mut receiver, "event").await["value"], 2);
}

/// What is no event by its name or its value is counted too, and the connection lives.
#[tokio::test]
async fn events_that_are_not_allowed_are_dropped_and_counted() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let mut sender = connect_granted(&daemon, 7, &[9], &[]).await;
    let mut receiver = daemon.connect_with(9, "chatpush.v1").await;
    receiver.until_unread_count().await;
    let long = "v".repeat(1_023);
    for (name, value) in
        [("Typing", "1"), ("", "1"), (&"n".repeat(33), "1"), ("typing", &format!("\"{long}\""))]
    {
        sender.send_text(&format!(r#"{{"to":9,"event":"{name}","value":{value}}}"#)).await;
    }
    sender.send_text(r#"{"to":9,"event":"typing","value":"allowed"}"#).await;
    assert_eq!(next_of(&mut receiver, "event").await["value"], "allowed");
    assert_eq!((dropped(&daemon, "name").await, dropped(&daemon, "value").await), (3, 1));
}

/// Sending the grant again does not begin the second anew.
#[tokio::test]
async fn grant_that_is_sent_again_allows_no_more_events() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_EVENTS", "3");
    let daemon = env.daemon().await;
    let mut sender = connect_granted(&daemon, 7, &[9], &[]).await;
    let again = grant(7, &[9], &[], 600);
    for number in 1..=500 {
        sender.send_text(&format!(r#"{{"to":9,"event":"typing","value":{number}}}"#)).await;
        send_grant(&mut sender, &again).await;
    }
    sender.send_text(r#"{"ping":true}"#).await;
    while sender.json().await["pong"] != true {}
    assert!(dropped(&daemon, "rate").await > 0);
}

/// What is said of a grant comes in order, also while stored messages cannot be read.
#[tokio::test]
async fn refusal_of_a_grant_follows_the_confirmation_of_the_last_one() {
    let env = TestEnv::with_own_servers().await;
    let daemon = env.daemon().await;
    env.servers().signal_mariadb("STOP").await;
    let mut client = daemon.connect_with(2, "chatpush.v1").await;
    send_grant(&mut client, &grant(2, &[], &["a"], 600)).await;
    let said =
        async || daemon.metric("chatpush_outbox_bytes").await + daemon.metric("chatpush_frames_total").await;
    eventually("the grant is confirmed", said, |said| *said > 0).await;
    send_grant(&mut client, "no grant").await;
    assert_eq!(next_of(&mut client, "grant").await["error"], Value::Null);
    assert!(next_of(&mut client, "grant").await["error"].is_string());
    env.servers().signal_mariadb("CONT").await;
}

/// A receiver that does not read loses events, and neither its connection nor its messages.
#[tokio::test]
async fn event_never_closes_its_receiver() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_EVENTS", "100000");
    let env = env.with("CHATPUSH_LIMITS_MESSAGES", "100000").with("CHATPUSH_LIMITS_BYTES", "1000000000");
    let daemon = env.daemon().await;
    let mut sender = connect_granted(&daemon, 7, &[9], &[]).await;
    let mut receiver = daemon.connect_with(9, "chatpush.v1").await;
    receiver.until_unread_count().await;
    let value = "v".repeat(1_000);
    // More than the socket buffers and half of the outbox hold.
    let mut sent = 0;
    while dropped(&daemon, "receiver").await == 0 {
        for _ in 0..500 {
            sender.send_text(&format!(r#"{{"to":9,"event":"typing","value":"{value}"}}"#)).await;
        }
        sent += 500;
        assert!(sent < 100_000, "nothing is dropped");
    }
    env.php().get("pushMessage(9, 'important', 'chat');").await;
    let message = tokio::time::timeout(Duration::from_secs(20), next_of(&mut receiver, "chat")).await;
    assert_eq!(message.map(|frame: Value| frame["data"].clone()).ok(), Some(json!("important")));
}
