use chatpush_tests::daemon::token_of;
use chatpush_tests::eventually::eventually;
use chatpush_tests::grants::{connect_granted, grant, grant_of, next_of, send_grant};
use chatpush_tests::test_env::{SECRET, TestEnv};
use chatpush_wire::grant::sign;
use chatpush_wire::token::Secret;
use serde_json::{Value, json};

const USERS: &str = "$users = ChatPush\\getRoomUsers('team:1'); sort($users); echo json_encode($users);";

/// On every daemon, and nobody else.
#[tokio::test]
async fn push_to_room_reaches_the_connections_in_it() {
    let env = TestEnv::new().await;
    let (one, other) = (env.daemon().await, env.daemon().await);
    let mut members = [
        connect_granted(&one, 2, &[], &["team:1"]).await,
        connect_granted(&other, 3, &[], &["team:1", "b"]).await,
    ];
    let mut outsider = connect_granted(&one, 4, &[], &["b"]).await;
    let php = env.php();
    let push = |room: &str, text: &str| {
        let code = format!("var_dump(ChatPush\\pushToRoom('{room}', '{text}', 'chat'));");
        let php = php.clone();
        async move { php.get(&code).await.trim().to_owned() }
    };
    assert_eq!(push("team:1", "hello").await, "bool(true)");
    for member in &mut members {
        let frame = next_of(member, "chat").await;
        assert_eq!((&frame["data"], &frame["room"]), (&json!("hello"), &json!("team:1")));
        assert!(frame["id"].is_string() && frame["time"].is_u64() && frame["from"].is_null());
    }
    assert_eq!(push("b", "others").await, "bool(true)");
    assert_eq!(next_of(&mut outsider, "chat").await["data"], "others");
    assert_eq!(push("nobody", "lost").await, "bool(false)");
    assert_eq!(php.get(USERS).await, "[2,3]");
    let [first, second] = members;
    drop(first);
    eventually("it has left", || php.get(USERS), |users| users == "[3]").await;
    drop(second);
    eventually("all have left", || push("team:1", "late"), |pushed| pushed == "bool(false)").await;
    assert_eq!(php.get(USERS).await, "[]");
}

/// Also those without a subprotocol. Without a connection nobody is reached.
#[tokio::test]
async fn push_to_all_reaches_every_connection() {
    let env = TestEnv::new().await;
    let (one, other) = (env.daemon().await, env.daemon().await);
    let php = env.php();
    let push = "var_dump(ChatPush\\pushToAll('to all', 7));";
    assert_eq!(php.get(push).await.trim(), "bool(false)");
    let mut json = [one.connect(2).await, one.connect_with(2, "chatpush.v1").await, other.connect(3).await];
    let mut raw = other.connect_with(4, "chatpush.raw").await;
    for client in &mut json {
        client.until_unread_count().await;
    }
    assert_eq!(raw.json().await["type"], "unread_count");
    assert_eq!(php.get(push).await.trim(), "bool(true)");
    for client in &mut json {
        let frame = client.json().await;
        assert_eq!(
            (&frame["data"], &frame["type"], &frame["room"]),
            (&json!("to all"), &json!(7), &Value::Null)
        );
    }
    assert_eq!(raw.text().await, "to all");
    drop((json, raw));
    eventually("nobody is there", || php.get(push), |pushed| pushed.trim() == "bool(false)").await;
}

/// A grant of user 2 with these peers, whatever they are.
fn with_peers(peers: &[&str]) -> String {
    let secret = Secret::new(SECRET).expect("long enough");
    let now = std::time::UNIX_EPOCH.elapsed().expect("the clock is after 1970").as_secs();
    sign(&secret, 2, None, now, 60, peers, &[])
}

/// The reason is told, and the connection and the grant before it go on.
#[tokio::test]
async fn grant_that_is_no_good_is_refused_by_name() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let mut client = connect_granted(&daemon, 2, &[], &["kept"]).await;
    for (bad, reason) in [
        ("x.y.z".to_owned(), "token is malformed"),
        (
            grant_of(&"y".repeat(32), 2, &[], &["a"], 60),
            "token signature does not match: chatpush.secret in PHP and secret of chatpushd differ",
        ),
        (grant(2, &[], &["a"], 0), "token has expired"),
        (grant(3, &[], &["a"], 60), "grant is for another user than the connection"),
        (with_peers(&["3", "guest-1"]), "grant has no user id in peers[1] (user_id_type is int)"),
        (token_of(SECRET, 2, 60), "this is no grant: grantToken() makes one"),
    ] {
        send_grant(&mut client, &bad).await;
        assert_eq!(next_of(&mut client, "grant").await["error"], reason);
    }
    let php = env.php();
    php.get("ChatPush\\pushToRoom('kept', 'still here', 'chat');").await;
    assert_eq!(next_of(&mut client, "chat").await["data"], "still here");
    assert_eq!(php.get("var_dump(ChatPush\\pushToRoom('a', 'x', 'chat'));").await.trim(), "bool(false)");
    // A grant opens no connection.
    let refused = chatpush_tests::client::Client::connect(daemon.port(), &grant(2, &[], &[], 60), None).await;
    let refused = refused.expect_err("it is no connect token");
    assert_eq!(refused.status, 401);
    assert!(refused.reason.contains("this is a grant"), "{}", refused.reason);
}

/// A room in both grants is never left.
#[tokio::test]
async fn grant_replaces_the_one_before_and_ends_when_it_expires() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let mut client = connect_granted(&daemon, 2, &[], &["old", "both"]).await;
    send_grant(&mut client, &grant(2, &[], &["both", "new"], 4)).await;
    let until = next_of(&mut client, "grant").await["until"].as_u64();
    assert!(until.is_some_and(|until| until > 1_700_000_000));
    let php = env.php();
    let push =
        "foreach (['old', 'both', 'new'] as $room) echo (int) ChatPush\\pushToRoom($room, $room, 'chat');";
    eventually("it is in its rooms", || php.get(push), |pushed| pushed == "011").await;
    assert_eq!(next_of(&mut client, "grant").await["error"], "token has expired");
    eventually("it is in no room", || php.get(push), |pushed| pushed == "000").await;
    client.send_text(r#"{"ping":true}"#).await;
    while client.json().await["pong"] != true {}
}

/// Like a connect token that was issued before.
#[tokio::test]
async fn disconnect_user_revokes_grants() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let old = grant(2, &[], &["a"], 600);
    // Tokens of the second itself are not revoked.
    let later = "while (time() <= (int) $argv[1]) usleep(10000);";
    let now = std::time::UNIX_EPOCH.elapsed().expect("the clock is after 1970").as_secs();
    env.php().get(&format!("$argv = ['', '{now}']; {later} ChatPush\\disconnectUser(2);")).await;
    let mut client = daemon.connect_with(2, "chatpush.v1").await;
    send_grant(&mut client, &old).await;
    assert_eq!(next_of(&mut client, "grant").await["error"], "token was revoked");
    send_grant(&mut client, &grant(2, &[], &["a"], 600)).await;
    assert!(next_of(&mut client, "grant").await["until"].is_u64());
}

/// Their daemon asks nobody who is gone, and misses nobody who is there.
#[tokio::test]
async fn users_of_a_room_are_true_after_a_daemon_is_killed() {
    let env = TestEnv::new().await;
    let (killed, healthy) = (env.daemon().await, env.daemon().await);
    let _gone = connect_granted(&killed, 2, &[], &["team:1"]).await;
    let _there = connect_granted(&healthy, 3, &[], &["team:1"]).await;
    let php = env.php();
    assert_eq!(php.get(USERS).await, "[2,3]");
    killed.kill();
    eventually("the users of the killed daemon are gone", || php.get(USERS), |users| users == "[3]").await;
}

/// Whoever is in a room is in it again when the subscriptions were lost.
#[tokio::test]
async fn rooms_outlive_a_restart_of_redis() {
    let env = TestEnv::with_own_servers().await;
    let daemon = env.daemon().await;
    let mut client = connect_granted(&daemon, 2, &[], &["team:1"]).await;
    env.servers().kill_redis().await;
    env.servers().start_redis().await;
    let push =
        "echo (int) ChatPush\\pushToRoom('team:1', 'again', 'chat'), (int) ChatPush\\pushToAll('x', 'all');";
    let php = env.php();
    eventually("the room is there again", || php.run(push), |ran| ran.output == "11").await;
    assert_eq!(next_of(&mut client, "chat").await["data"], "again");
}
