//! Messages that a client has confirmed before they became rows: Redis has lost them, or MySQL refused them.

use chatpush_tests::client::Client;
use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::grants::next_of;
use chatpush_tests::test_env::TestEnv;

use super::{installation, on, owned, rows};

/// Sends a message of user 1 with this id, and returns what PHP hears.
async fn send(env: &TestEnv, id: &str) -> String {
    let code = format!(
        "try {{ echo ChatPush\\sendMessage(1, 2, 'text of {id}', 'chat', '{id}')->value; }}
         catch (ChatPush\\Exception $e) {{ echo $e->getMessage(); }}"
    );
    env.php().get(&code).await
}

/// A client confirms a message that is in no log and no table.
async fn confirm(env: &TestEnv, user: u32, id: &str) {
    let (log, receiver) = (env.log(user), user.to_string());
    let entry = ["XADD", &log, "*", "v", "1", "k", "c", "r", &receiver, "i", id];
    let _: String = env.redis(&entry).await;
    eventually("it is applied", || env.log_length(user), |length| *length == 0).await;
    assert_eq!(remembered(env, id).await, 1);
}

async fn remembered(env: &TestEnv, id: &str) -> u64 {
    env.query(&format!("SELECT COUNT(*) FROM chatpush_confirmed WHERE message_id = '{id}'")).await[0]
}

/// Redis forgets which messages it has accepted.
async fn forget_accepted(env: &TestEnv) {
    for key in env.redis::<Vec<String>>(&["KEYS", &format!("{}:*:seen:*", env.name())]).await {
        let _: u64 = env.redis(&["DEL", &key]).await;
    }
}

/// The ids of the receipts that a sender gets up to a message that is pushed now.
async fn receipts(env: &TestEnv, sender: &mut Client) -> Vec<String> {
    env.php().get("pushMessage(1, 'last', 'end');").await;
    let mut ids = Vec::new();
    loop {
        let frame = sender.json().await;
        match frame["type"].as_str() {
            Some("end") => return ids,
            Some("delivered") => {
                ids.extend(frame["ids"].as_array().into_iter().flatten().map(ToString::to_string));
            }
            _ => {}
        }
    }
}

/// As a message that is confirmed is, whoever sends it how often.
#[tokio::test]
async fn it_becomes_one_row_and_counts_once() {
    let env = TestEnv::bare().await.with("CHATPUSH_UNREAD_BY_CONVERSATION", "true");
    let env = on(env.with("CHATPUSH_RECEIPTS", "true")).await;
    let daemon = env.daemon().await;
    let mut sender = daemon.connect_with(1, "chatpush.v1").await;
    sender.until_unread_count().await;
    confirm(&env, 2, "1:a").await;
    assert_eq!(receipts(&env, &mut sender).await, Vec::<String>::new());
    for is_forgotten in [true, false, true] {
        if is_forgotten {
            forget_accepted(&env).await;
        }
        assert_eq!(send(&env, "a").await, "stored");
        assert_eq!(rows(&env).await, owned(&[("text of a", true)]));
        let counts = "echo json_encode([getUnreadCount(2), ChatPush\\getUnreadCounts(2)]);";
        assert_eq!(env.php().get(counts).await, r#"[1,{"1":1}]"#);
    }
    assert_eq!(
        receipts(&env, &mut sender).await,
        [r#""1:a""#],
        "the sender hears once that it was delivered"
    );
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_message").await, [0], "no record is left");
    let recall = "echo json_encode(ChatPush\\recallMessage(1, 2, 'a'));";
    assert_eq!(env.php().get(recall).await, "false", "a client has confirmed it");
    // Another device confirms it late, which changes nothing.
    confirm(&env, 2, "1:a").await;
    forget_accepted(&env).await;
    assert_eq!(send(&env, "a").await, "stored");
    assert_eq!(daemon.connect(2).await.until_unread_count().await, (Vec::new(), 1));
    assert_eq!(rows(&env).await, owned(&[("text of a", true)]));
}

/// What the others get waits as ever.
#[tokio::test]
async fn one_of_many_receivers_has_confirmed_it() {
    let env = installation().await;
    env.execute("INSERT INTO `user` (id) VALUES (66)").await;
    let daemon = env.daemon().await;
    confirm(&env, 2, "1:a").await;
    for _ in 0..2 {
        let code = "foreach (ChatPush\\sendToUsers(1, [66, 2], 'to many', 'chat', 'a') as $id => $delivery)
            echo $id, $delivery->value;";
        assert_eq!(env.php().get(code).await, "66stored2stored");
        let of = "SELECT receiver_id, delivered_at IS NOT NULL FROM message ORDER BY receiver_id";
        assert_eq!(env.query::<(u32, bool)>(of).await, [(2, true), (66, false)]);
        assert_eq!((env.unread(2).await, env.unread(66).await), (1, 1));
        forget_accepted(&env).await;
    }
    assert_eq!(daemon.connect(66).await.until_unread_count().await, (vec!["to many".to_owned()], 1));
}

/// It waits for nobody, so it needs no room.
#[tokio::test]
async fn full_mailbox_does_not_refuse_it() {
    let env = installation().await.with("CHATPUSH_MAILBOX_MAX_MESSAGES", "1");
    let _daemon = env.daemon().await;
    confirm(&env, 2, "1:a").await;
    assert_eq!(send(&env, "b").await, "stored");
    assert_eq!(send(&env, "a").await, "stored");
    assert!(send(&env, "c").await.contains("mailbox of user 2 is full"));
    assert_eq!(rows(&env).await, owned(&[("text of b", false), ("text of a", true)]));
    assert_eq!(env.unread(2).await, 2);
}

/// Its sender hears the refusal, however often; what is retried then is a row that was delivered.
#[tokio::test]
async fn dead_letter_that_a_client_has_confirmed_becomes_a_row() {
    let env = installation().await;
    let guard = "CREATE TRIGGER guard BEFORE INSERT ON message FOR EACH ROW \
                 SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not here'";
    env.execute(guard).await;
    let daemon = env.daemon().await;
    let mut page = daemon.connect_with(2, "chatpush.v1").await;
    page.until_unread_count().await;
    let refused = send(&env, "a").await;
    assert!(refused.contains("not here"), "{refused}");
    assert_eq!(next_of(&mut page, "chat").await["id"], "1:a");
    page.send_text(r#"{"ack":["1:a"]}"#).await;
    eventually("it is confirmed", || remembered(&env, "1:a"), |count| *count == 1).await;
    assert_eq!(send(&env, "a").await, refused);
    forget_accepted(&env).await;
    assert_eq!(send(&env, "a").await, refused);
    env.execute("DROP TRIGGER guard").await;
    let retried = Daemon::command(&env, &["dead", "retry", "--all"]).await;
    assert!(retried.status.success(), "{retried:?}");
    let delivered = owned(&[("text of a", true)]);
    eventually("it is stored", || rows(&env), |rows| *rows == delivered).await;
    assert_eq!(env.unread(2).await, 1);
}

/// Nothing is kept of a user who is forgotten, so what is sent again is a new message.
#[tokio::test]
async fn message_to_a_user_who_was_forgotten_waits() {
    let env = installation().await;
    let _daemon = env.daemon().await;
    confirm(&env, 2, "1:a").await;
    env.php().get("ChatPush\\forgetUser(2);").await;
    assert_eq!(remembered(&env, "1:a").await, 0);
    assert_eq!(send(&env, "a").await, "stored");
    assert_eq!(rows(&env).await, owned(&[("text of a", false)]));
}

/// A queue has no row of what was confirmed.
#[tokio::test]
async fn a_queue_does_not_store_it() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let _daemon = env.daemon().await;
    confirm(&env, 2, "1:a").await;
    assert_eq!(send(&env, "a").await, "stored");
    assert_eq!((env.stored_count(2).await, env.unread(2).await), (0, 0));
}
