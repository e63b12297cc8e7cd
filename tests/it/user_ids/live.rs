//! Rooms, presence and client events of users whose ids are texts.

use chatpush_tests::client::Client;
use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::grants::{next_of, send_grant};
use chatpush_tests::test_env::TestEnv;
use serde_json::{Value, json};

use super::sending::installation;

/// A client of a user, whose peers and rooms PHP has granted.
pub(super) async fn granted(env: &TestEnv, daemon: &Daemon, user: &str, peers: &str, rooms: &str) -> Client {
    let code = format!("echo ChatPush\\grantToken('{user}', {peers}, {rooms});");
    let mut client = daemon.connect_as(user).await;
    send_grant(&mut client, &env.php().get(&code).await).await;
    assert!(next_of(&mut client, "grant").await["until"].is_u64());
    client
}

#[tokio::test]
async fn rooms_list_and_reach_their_users() {
    let env = installation().await;
    let (one, other) = (env.daemon().await, env.daemon().await);
    let mut members = [
        granted(&env, &one, "bob@example.org", "[]", "['team@example.org']").await,
        granted(&env, &other, "Bob", "[]", "['team@example.org']").await,
    ];
    let _outsider = granted(&env, &one, "bob", "[]", "['Team@example.org']").await;
    let php = env.php();
    let users =
        "$users = ChatPush\\getRoomUsers('team@example.org'); sort($users); echo json_encode($users);";
    assert_eq!(php.get(users).await, r#"["Bob","bob@example.org"]"#);
    let push = "echo json_encode(ChatPush\\pushToRoom('team@example.org', 'hello', 'chat'));";
    assert_eq!(php.get(push).await, "true");
    for member in &mut members {
        let frame = next_of(member, "chat").await;
        assert_eq!((&frame["data"], &frame["room"]), (&json!("hello"), &json!("team@example.org")));
    }
    let [_, gone] = members;
    drop(gone);
    eventually("one has left", || php.get(users), |users| users == r#"["bob@example.org"]"#).await;
    assert_eq!(php.get("echo json_encode(ChatPush\\pushToAll('to all', 'chat'));").await, "true");
}

/// Until the frames of presence have said this of all peers.
pub(super) async fn until_told(client: &mut Client, expected: &Value) {
    let mut told = json!({});
    while told != *expected {
        let frame = next_of(client, "presence").await;
        for (user, online) in frame["users"].as_object().expect("an object") {
            told[user] = online.clone();
        }
    }
}

#[tokio::test]
async fn presence_and_events_tell_users_apart() {
    let env = installation().await;
    let (one, other) = (env.daemon().await, env.daemon().await);
    let mut upper = one.connect_as("Bob").await;
    assert_eq!(upper.until_unread_count().await.1, 0);
    let peers = "['Bob', 'bob', 'bob@example.org']";
    let mut ann = granted(&env, &one, "Ann", peers, "[]").await;
    until_told(&mut ann, &json!({"Bob": true, "bob": false, "bob@example.org": false})).await;
    let mut lower = granted(&env, &other, "bob", "['Ann']", "[]").await;
    until_told(&mut ann, &json!({"bob": true})).await;
    let online =
        "echo json_encode([ChatPush\\getOnlineUsers(['bob@example.org', 'bob', 'BOB', 'Bob', 'bob']),
        ChatPush\\isOnline('bob'), ChatPush\\isOnline('BOB')]);";
    assert_eq!(env.php().get(online).await, r#"[["bob","Bob"],true,false]"#);

    ann.send_text(r#"{"to":"bob","event":"typing","value":{"in":"team"}}"#).await;
    let event = next_of(&mut lower, "event").await;
    assert_eq!(event, json!({"type": "event", "event": "typing", "from": "Ann", "value": {"in": "team"}}));
    lower.send_text(r#"{"to":"Ann","event":"typing","value":1}"#).await;
    assert_eq!(next_of(&mut ann, "event").await["from"], "bob");
    drop(lower);
    until_told(&mut ann, &json!({"bob": false})).await;

    // The other Bob is online still, and has heard nothing.
    assert_eq!(env.php().get("echo json_encode(pushMessage('Bob', 'last', 'end'));").await, "true");
    assert_eq!(upper.json().await["type"], "end");
}
