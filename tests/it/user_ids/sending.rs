//! What users whose ids are texts send: to many, receipts, counters, copies, and what is taken back.

use chatpush_tests::client::Client;
use chatpush_tests::daemon::{Daemon, token_of};
use chatpush_tests::eventually::eventually;
use chatpush_tests::grants::next_of;
use chatpush_tests::test_env::{SECRET, TestEnv};
use chatpush_wire::id::UserIdType;
use serde_json::{Value, json};

/// Text ids, and four users, of whom two differ in the case of a letter alone.
pub(super) async fn installation() -> TestEnv {
    installation_of(UserIdType::Text, &["Ann", "Bob", "bob", "bob@example.org"]).await
}

/// Counters by conversation, receipts and copies, and these users.
pub(super) async fn installation_of(ids: UserIdType, users: &[&str]) -> TestEnv {
    let env = TestEnv::bare()
        .await
        .with("CHATPUSH_USER_ID_TYPE", ids.name())
        .with("CHATPUSH_UNREAD_BY_CONVERSATION", "true")
        .with("CHATPUSH_RECEIPTS", "true")
        .with("CHATPUSH_CARBONS", "true")
        .set_up()
        .await;
    for (number, id) in users.iter().enumerate() {
        let sql = format!("INSERT INTO `user` (id, username, password) VALUES ('{id}', '{number}', '')");
        env.execute(&sql).await;
    }
    env
}

/// A client without a subprotocol, which confirms by pong.
pub(super) async fn plain(daemon: &Daemon, user: &str) -> Client {
    Client::connect(daemon.port(), &token_of(SECRET, user, 3600), None).await.expect("it is let in")
}

/// Receivers and contents of what waits.
async fn waiting(env: &TestEnv) -> Vec<(String, String)> {
    env.query("SELECT receiver_id, content FROM offline_message ORDER BY receiver_id, id").await
}

fn owned(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter().map(|(receiver, content)| ((*receiver).to_owned(), (*content).to_owned())).collect()
}

/// Of each user `getUnreadCounts` and `getUnreadCount`.
async fn counts(env: &TestEnv) -> Value {
    let code = "foreach (['Bob', 'bob', 'bob@example.org'] as $id) {
            $counts[$id] = [(object) ChatPush\\getUnreadCounts($id), getUnreadCount($id)];
        }
        echo json_encode($counts);";
    serde_json::from_str(&env.php().get(code).await).expect("JSON")
}

const SEND: &str = "echo json_encode(ChatPush\\sendToUsers(
    'Ann', ['bob@example.org', 'Bob', 'bob', 'Bob'], 'hi', 'chat', 'h1', 'team@example.org'));";

/// Only the message of this sender to this receiver goes, and a repeated call does not bring it back.
#[tokio::test]
async fn recall_takes_the_message_of_one_sender_to_one_receiver() {
    let env = installation().await;
    let daemon = env.daemon().await;
    env.php().get(SEND).await;
    env.php().get("ChatPush\\sendMessage('ann', 'bob', 'of another', 'chat', 'h1');").await;
    let mut page = daemon.connect_as("bob").await;
    assert_eq!(page.until_unread_count().await.0, ["hi", "of another"]);
    let mut other = daemon.connect_as("Bob").await;
    assert_eq!(other.until_unread_count().await.0, ["hi"]);

    let recall = "foreach ([['ANN', 'bob', 'h1'], ['Ann', 'BOB', 'h1'], ['Ann', 'bob', 'h1'],
            ['Ann', 'bob', 'Ann:h1'], ['Ann', 'bob@example.org', 'Ann:h1']] as $message) {
            $recalled[] = ChatPush\\recallMessage(...$message);
        }
        echo json_encode($recalled);";
    assert_eq!(env.php().get(recall).await, "[false,false,true,false,true]");
    let told = json!({"type": "recall", "ids": ["Ann:h1"]});
    // An id of a message that was never sent may be told too.
    while next_of(&mut page, "recall").await != told {}
    let left = owned(&[("Bob", "hi"), ("bob", "of another")]);
    assert_eq!(waiting(&env).await, left);
    let expected = json!({
        "Bob": [{"team@example.org": 1}, 1], "bob": [{"ann": 1}, 1], "bob@example.org": [{}, 0],
    });
    assert_eq!(counts(&env).await, expected);
    env.php().get(SEND).await;
    assert_eq!(waiting(&env).await, left);
    env.php().get("pushMessage('Bob', 'last', 'end');").await;
    loop {
        let frame = other.json().await;
        assert_ne!(frame["type"], "recall", "{frame}");
        if frame["type"] == "end" {
            break;
        }
    }
}

/// A conversation without a name of its own is the sender's; reading it leaves that of the other.
#[tokio::test]
async fn conversations_are_named_by_senders_and_read_one_by_one() {
    let env = installation().await;
    let daemon = env.daemon().await;
    let send = "foreach (['bob', 'Bob', 'bob', 'bob@example.org'] as $from) ChatPush\\sendMessage($from, 'Ann', 'x');
        storeOfflineMessage('bob@example.org', 'Ann', 'y');";
    env.php().get(send).await;
    let mut page = daemon.connect_as("Ann").await;
    let mut by = async |read: Option<&str>| {
        if let Some(conversation) = read {
            page.send_text(&json!({"read": {"conversation": conversation}}).to_string()).await;
        }
        let frame = next_of(&mut page, "unread_count").await;
        (frame["by"].clone(), frame["data"].clone())
    };
    assert_eq!(by(None).await, (json!({"bob": 2, "Bob": 1, "bob@example.org": 2}), json!(5)));
    assert_eq!(by(Some("bob")).await, (json!({"Bob": 1, "bob@example.org": 2}), json!(3)));
    assert_eq!(by(Some("bob@example.org")).await, (json!({"Bob": 1}), json!(1)));
    let clear = "ChatPush\\clearUnreadCount('Ann', 'bob'); ChatPush\\clearUnreadCount('Ann', 'Bob');
        echo json_encode([ChatPush\\getUnreadCounts('Ann'), getUnreadCount('Ann')]);";
    assert_eq!(env.php().get(clear).await, "[[],0]");
}

/// Each receiver has a row and a counter of their own, and the sender a receipt that names who has got it.
#[tokio::test]
async fn message_to_many_is_each_receivers_own() {
    let env = installation().await;
    let daemon = env.daemon().await;
    let (mut sender, mut receiver) = (daemon.connect_as("Ann").await, daemon.connect_as("Bob").await);
    assert_eq!(sender.until_unread_count().await.1, 0);
    assert_eq!(receiver.until_unread_count().await.1, 0);
    assert_eq!(env.php().get(SEND).await, r#"{"bob@example.org":"stored","Bob":"live","bob":"stored"}"#);

    let mut frame = next_of(&mut receiver, "chat").await;
    assert!(frame["time"].take().is_u64());
    assert_eq!(
        frame,
        json!({"id": "Ann:h1", "type": "chat", "data": "hi", "from": "Ann", "time": null,
               "conversation": "team@example.org"})
    );
    let three = owned(&[("Bob", "hi"), ("bob", "hi"), ("bob@example.org", "hi")]);
    eventually("all rows are there", || waiting(&env), |rows| *rows == three).await;
    receiver.send_text(r#"{"ack":["Ann:h1"]}"#).await;
    let receipt = next_of(&mut sender, "delivered").await;
    assert_eq!(receipt, json!({"type": "delivered", "to": "Bob", "ids": ["Ann:h1"]}));
    let two = owned(&[("bob", "hi"), ("bob@example.org", "hi")]);
    eventually("one row is gone", || waiting(&env), |rows| *rows == two).await;

    env.php().get("ChatPush\\sendMessage('Ann', 'bob', 'to one', 'chat', 'h2');").await;
    let mut copy = next_of(&mut sender, "chat").await;
    while copy["id"] != "Ann:h2" {
        copy = next_of(&mut sender, "chat").await;
    }
    assert_eq!((&copy["from"], &copy["to"]), (&json!("Ann"), &json!("bob")), "{copy}");
    env.php().get("ChatPush\\recallMessage('Ann', 'bob', 'h2');").await;

    // A repeated call is the same message.
    assert_eq!(env.php().get(SEND).await, r#"{"bob@example.org":"stored","Bob":"live","bob":"stored"}"#);
    assert_eq!(waiting(&env).await, two);
    let one = json!([{"team@example.org": 1}, 1]);
    assert_eq!(counts(&env).await, json!({"Bob": one, "bob": one, "bob@example.org": one}));
}
