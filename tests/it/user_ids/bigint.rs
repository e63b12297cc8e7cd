use chatpush_tests::grants::next_of;
use chatpush_tests::test_env::TestEnv;
use chatpush_wire::id::UserIdType;
use serde_json::json;

use super::Chat;
use super::live::{granted, until_told};
use super::sending::installation_of;

/// The largest number, which JavaScript's numbers do not hold.
const LARGEST: &str = "9223372036854775807";

/// Three users, of whom the receivers are of one partition: 63.
async fn installation() -> TestEnv {
    installation_of(UserIdType::BigInt, &["-7", LARGEST, "-1"]).await
}

/// A number below 0, and one that JavaScript's numbers do not hold.
#[tokio::test]
async fn ids_of_64_bits_reach_every_corner() {
    let chat = Chat {
        env: TestEnv::with_user_ids(UserIdType::BigInt).await,
        sql: ["-7", "4611686018427387905"],
        php: ["'-7'", "4611686018427387905"],
        json: ["-7", "4611686018427387905"],
    };
    chat.goes_through_everything().await;
}

/// Numbers in PHP, texts in JSON: in copies, receipts, recalls and counters.
#[tokio::test]
async fn message_to_many_has_ids_of_64_bits_everywhere() {
    let env = installation().await;
    let daemon = env.daemon().await;
    let php = env.php();
    let mut sender = daemon.connect_as("-7").await;
    assert_eq!(sender.until_unread_count().await.1, 0);
    let send =
        "echo json_encode(ChatPush\\sendToUsers(-7, [PHP_INT_MAX, -1, '-1'], 'hi', 'chat', 'h1', 'team'));";
    let deliveries = r#"{"9223372036854775807":"stored","-1":"stored"}"#;
    assert_eq!(php.get(send).await, deliveries);
    let mut copy = next_of(&mut sender, "chat").await;
    assert!(copy["time"].take().is_u64());
    let expected = json!({"id": "-7:h1", "type": "chat", "data": "hi", "from": "-7", "to": [LARGEST, "-1"],
        "conversation": "team", "time": null});
    assert_eq!(copy, expected);

    let mut page = daemon.connect_as("-1").await;
    let frame = next_of(&mut page, "chat").await;
    assert_eq!((&frame["id"], &frame["from"]), (&json!("-7:h1"), &json!("-7")));
    assert_eq!(next_of(&mut page, "unread_count").await["by"], json!({"team": 1}));
    page.send_text(r#"{"ack":["-7:h1"]}"#).await;
    assert_eq!(
        next_of(&mut sender, "delivered").await,
        json!({"type": "delivered", "to": "-1", "ids": ["-7:h1"]})
    );
    let recall = "echo json_encode([ChatPush\\recallMessage(-7, -1, 'h1'),
        ChatPush\\recallMessage('-7', PHP_INT_MAX, '-7:h1'), getOfflineMessage(PHP_INT_MAX)]);";
    assert_eq!(php.get(recall).await, "[false,true,[]]", "the first was confirmed");
    assert_eq!(next_of(&mut page, "recall").await["ids"], json!(["-7:h1"]));

    // The conversation of a message without one is its sender.
    let counts = "storeOfflineMessage(-7, PHP_INT_MAX, 'x'); ChatPush\\sendMessage(-1, PHP_INT_MAX, 'y');
        $before = ChatPush\\getUnreadCounts(PHP_INT_MAX);
        ChatPush\\clearUnreadCount(PHP_INT_MAX, '-7');
        var_dump($before === [-1 => 1, -7 => 1], ChatPush\\getUnreadCounts(PHP_INT_MAX) === [-1 => 1],
            array_column(getOfflineMessage(PHP_INT_MAX), 'sender_id') === [-7, -1]);";
    assert_eq!(php.get(counts).await.matches("bool(true)").count(), 3);
    let mut page = daemon.connect_as(LARGEST).await;
    assert_eq!(next_of(&mut page, "unread_count").await["by"], json!({"-1": 1}));
    page.send_text(r#"{"read":{"conversation":"-1"}}"#).await;
    assert_eq!(next_of(&mut page, "unread_count").await["by"], json!({}));
}

#[tokio::test]
async fn rooms_presence_and_events_have_ids_of_64_bits() {
    let env = installation().await;
    let (one, other) = (env.daemon().await, env.daemon().await);
    let peers = format!("[-1, '{LARGEST}']");
    let mut page = granted(&env, &one, "-7", &peers, "['team']").await;
    until_told(&mut page, &json!({"-1": false, LARGEST: false})).await;
    let mut peer = granted(&env, &other, LARGEST, "[-7]", "['team']").await;
    until_told(&mut page, &json!({LARGEST: true})).await;
    until_told(&mut peer, &json!({"-7": true})).await;

    page.send_text(&json!({"to": LARGEST, "event": "typing", "value": 1}).to_string()).await;
    let event = json!({"type": "event", "event": "typing", "from": "-7", "value": 1});
    assert_eq!(next_of(&mut peer, "event").await, event);
    let live = "$in_room = ChatPush\\getRoomUsers('team');
        sort($in_room);
        var_dump($in_room === [-7, PHP_INT_MAX], ChatPush\\getOnlineUsers([-1, PHP_INT_MAX, '-7']) === [PHP_INT_MAX, -7],
            ChatPush\\pushToRoom('team', 'to the room', 'chat'));";
    assert_eq!(env.php().get(live).await.matches("bool(true)").count(), 3);
    for client in [&mut page, &mut peer] {
        assert_eq!(next_of(client, "chat").await["room"], "team");
    }
    drop(peer);
    until_told(&mut page, &json!({LARGEST: false})).await;
}
