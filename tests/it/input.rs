use chatpush_tests::test_env::TestEnv;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// The connection stays open.
#[tokio::test]
async fn unknown_text_is_ignored() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let mut client = daemon.connect(2).await;
    client.until_unread_count().await;
    for text in ["ping", "", "{", "[1,2]", r#"{"ack":["x"]}"#, "\u{0}"] {
        client.send_text(text).await;
    }
    // A text in two fragments (RFC 6455 section 5.4).
    client
        .send(Message::Frame(Frame::message("hel".as_bytes().to_vec(), OpCode::Data(Data::Text), false)))
        .await;
    client
        .send(Message::Frame(Frame::message("lo".as_bytes().to_vec(), OpCode::Data(Data::Continue), true)))
        .await;
    assert_eq!(env.php().get("var_dump(pushMessage(2, 'still here', 'text'));").await.trim(), "bool(true)");
    assert_eq!(client.json().await["data"], "still here");
}

#[tokio::test]
async fn a_binary_frame_is_closed_with_1003() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let mut client = daemon.connect(2).await;
    client.until_unread_count().await;
    client.send(Message::binary(vec![0, 1, 2])).await;
    assert_eq!(client.close_code().await, Some(1003));
}

#[tokio::test]
async fn a_huge_message_is_closed_with_1009() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let mut client = daemon.connect(2).await;
    client.until_unread_count().await;
    client.send(Message::text("x".repeat(64 * 1024 + 1))).await;
    assert_eq!(client.close_code().await, Some(1009));
}

#[tokio::test]
async fn a_flood_is_closed_with_1008() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let mut client = daemon.connect(2).await;
    client.until_unread_count().await;
    for _ in 0..3_000 {
        client.send(Message::text("x")).await;
    }
    assert_eq!(client.close_code().await, Some(1008));
}
