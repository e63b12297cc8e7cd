//! `forgetUser`: everything that is kept of a user is removed, and nothing of others.

use chatpush_tests::client::Client;
use chatpush_tests::daemon::{Daemon, token, token_of};
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::{SECRET, TestEnv};
use chatpush_wire::id::UserIdType;
use chatpush_wire::partition::Partition;

use crate::takeover::writer_and_standby;

/// How many rows each of our tables has for a user.
async fn kept(env: &TestEnv, user: u32) -> Vec<u64> {
    let mut counts = Vec::new();
    for (table, condition) in [
        ("offline_message", "receiver_id"),
        ("chatpush_message", "receiver_id"),
        ("chatpush_confirmed", "receiver_id"),
        ("chatpush_cleared", "user_id"),
        ("chatpush_dead", "JSON_UNQUOTE(JSON_EXTRACT(entry, '$[2][1]'))"),
    ] {
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE {condition} = '{user}'");
        counts.extend(env.query::<u64>(&sql).await);
    }
    counts
}

/// In several steps. The other user is in the same partition.
#[tokio::test]
async fn everything_of_a_user_goes_and_nothing_of_another() {
    let env = TestEnv::new().await;
    env.users(&[2, 66]).await;
    env.refuse_rows("NEW.content = 'poison'", "45000").await;
    let daemon = env.daemon().await;
    let fill = "foreach ([2, 66] as $user) {
        ChatPush\\sendMessage(1, $user, 'confirmed', message_id: 'c');
        ChatPush\\ackOfflineMessage($user, array_column(getOfflineMessage($user), 'id'));
        ChatPush\\clearUnreadCount($user);
        try { storeOfflineMessage(1, $user, 'poison'); } catch (ChatPush\\Exception) {}
        storeOfflineMessage(1, $user, 'ours');
    }";
    env.php().get(fill).await;
    let queued = env.php().with("chatpush.durability=queued");
    queued.get("for ($i = 0; $i < 1200; $i++) storeOfflineMessage(1, 2, (string) $i);").await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         VALUES (1, 2, 'theirs', NOW())",
    )
    .await;
    let old = token(2);
    let page = Client::connect(daemon.port(), &old, Some("chatpush.v1")).await.expect("it is let in");
    env.php()
        .get("usleep(1000000 - (int) (microtime(true) * 1e6) % 1000000); ChatPush\\forgetUser(2);")
        .await;
    assert_eq!(page.close_code().await, Some(4403));
    let refused = Client::connect(daemon.port(), &old, None).await.expect_err("the token is revoked");
    assert_eq!(refused.status, 401);
    assert_eq!(kept(&env, 2).await, [0, 0, 0, 0, 0]);
    assert_eq!(env.unread(2).await, 0);
    assert_eq!(kept(&env, 66).await, [1, 1, 1, 1, 1]);
    assert_eq!(env.unread(66).await, 1);
    // The id is used again.
    env.php().get("storeOfflineMessage(1, 2, 'new');").await;
    let new = token_of(SECRET, 2, 3600);
    let mut page = Client::connect(daemon.port(), &new, None).await.expect("a new token is accepted");
    assert_eq!(page.until_unread_count().await, (vec!["new".to_owned()], 1));
}

/// What a feature has stored goes too, although it is off now: it may be on again when the id is another user's.
#[tokio::test]
async fn what_a_feature_that_is_off_has_stored_goes_too() {
    let env = TestEnv::new().await;
    let printed = Daemon::command(&env, &["vapid"]).await;
    let table = String::from_utf8(printed.stdout).expect("text");
    let key = |name: &str| {
        let line = table.lines().find_map(|line| line.strip_prefix(&format!("{name} = \"")));
        line.and_then(|line| line.split('"').next()).expect("it is in the table").to_owned()
    };
    let on = env
        .clone()
        .with("CHATPUSH_NOTIFY_AFTER", "1")
        .with("CHATPUSH_WEB_PUSH_PUBLIC_KEY", key("public_key"))
        .with("CHATPUSH_WEB_PUSH_PRIVATE_KEY", key("private_key"))
        .with("CHATPUSH_WEB_PUSH_SUBJECT", "mailto:admin@chat.example")
        .with("CHATPUSH_WEBHOOK_URL", "http://127.0.0.1:1/")
        .with("CHATPUSH_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        .with("CHATPUSH_WEBHOOK_EVENTS", "message.delivered user.online");
    assert!(Daemon::command(&on, &["migrate"]).await.status.success());
    let tables = ["chatpush_notified", "chatpush_online", "chatpush_push", "chatpush_webhook"];
    let fill = |user: u32| {
        [
            format!("INSERT INTO chatpush_notified (user_id, told_at) VALUES ({user}, 1)"),
            format!(
                "INSERT INTO chatpush_online (user_id, since_ms, connected_ms, mark) VALUES ({user}, 1, 1, 1)"
            ),
            format!(
                "INSERT INTO chatpush_push (endpoint_hash, user_id, endpoint, p256dh, auth, created_at) \
                 VALUES (UNHEX(SHA2('{user}', 256)), {user}, 'https://a.example/', '', '', 1)"
            ),
            format!(
                "INSERT INTO chatpush_webhook (event, user_id, time_ms) VALUES ('user.online', {user}, 1)"
            ),
        ]
    };
    for statement in [fill(2), fill(66)].iter().flatten() {
        env.execute(statement).await;
    }
    let _daemon = env.daemon().await;
    env.php().get("ChatPush\\forgetUser(2);").await;
    for table in tables {
        assert_eq!(env.query::<u32>(&format!("SELECT user_id FROM {table}")).await, [66], "{table}");
    }
}

/// Two users whose ids differ in their case alone, of one partition.
#[tokio::test]
async fn dead_letters_of_a_user_whose_id_differs_in_case_stay() {
    let partition = |id: &str| Partition::of(&UserIdType::Text.text(id).expect("a user id"));
    let other = "bobbybobby".to_owned();
    let capitals = |mask: u32| {
        let letters = other.chars().enumerate();
        let one = letters
            .map(|(at, letter)| if mask >> at & 1 == 1 { letter.to_ascii_uppercase() } else { letter });
        one.collect::<String>()
    };
    let same = |one: &String| partition(one) == partition(&other);
    let one = (1..1024).map(capitals).find(same).expect("CRC-32 is linear: ten bits become six");
    let env = TestEnv::with_user_ids(UserIdType::Text).await;
    env.refuse_rows("NEW.content = 'poison'", "45000").await;
    let _daemon = env.daemon().await;
    let code = format!(
        "foreach (['{one}', '{other}'] as $user)
            try {{ storeOfflineMessage('ann', $user, 'poison'); }} catch (ChatPush\\Exception) {{}}
        ChatPush\\forgetUser('{other}');"
    );
    env.php().get(&code).await;
    let left: Vec<String> =
        env.query("SELECT JSON_UNQUOTE(JSON_EXTRACT(entry, '$[2][1]')) FROM chatpush_dead").await;
    assert_eq!(left, [one]);
}

/// A step takes longer than one row may take.
#[tokio::test]
async fn mailbox_whose_rows_go_slowly_is_forgotten() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let _daemon = env.daemon().await;
    let queued = env.php().with("chatpush.durability=queued");
    queued.get("for ($i = 0; $i < 600; $i++) storeOfflineMessage(1, 2, (string) $i);").await;
    env.php().get("getUnreadCount(2);").await;
    env.execute("CREATE TRIGGER slow BEFORE DELETE ON offline_message FOR EACH ROW DO SLEEP(0.008)").await;
    let php = env.php().with("chatpush.timeout_ms=180000");
    assert_eq!(php.get("ChatPush\\forgetUser(2); echo 'done';").await, "done");
    assert_eq!(kept(&env, 2).await, [0; 5]);
}

/// The application has a row of the second step locked until the writer of the first one is killed and has a successor,
/// which has ended its connection: MySQL goes on with a transaction that waits for a lock.
#[tokio::test]
async fn successor_of_a_killed_writer_forgets_the_rest() {
    use mysql_async::prelude::Queryable as _;
    let env = TestEnv::new().await;
    env.users(&[2, 66]).await;
    let (writer, standby) = writer_and_standby(&env, env.daemon().await, env.daemon().await).await;
    let queued = env.php().with("chatpush.durability=queued");
    queued.get("for ($i = 0; $i < 2000; $i++) storeOfflineMessage(1, 2, (string) $i);").await;
    env.php().get("storeOfflineMessage(1, 66, 'of another');").await;
    assert_eq!(env.stored_count(2).await, 2000);
    let row = env.query::<u64>("SELECT id FROM offline_message WHERE content = '700'").await[0];
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    let lock = format!("SELECT * FROM offline_message WHERE id = {row} FOR UPDATE");
    application.query_drop(lock).await.expect("the row is free");
    let php = env.php().with("chatpush.timeout_ms=180000");
    let forgotten = tokio::spawn(async move { php.get("ChatPush\\forgetUser(2); echo 'done';").await });
    eventually("a step is done", || env.stored_count(2), |count| *count < 2000).await;
    writer.kill();
    assert_eq!(env.stored_count(2).await, 1500, "it was killed in the middle");
    eventually("it has a successor", || standby.metric("chatpush_terms_total"), |terms| *terms == 1).await;
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    assert_eq!(forgotten.await.expect("PHP ran"), "done");
    assert_eq!(kept(&env, 2).await, [0; 5]);
    assert_eq!(env.unread(2).await, 0);
    assert_eq!((kept(&env, 66).await, env.unread(66).await), (vec![1, 1, 0, 0, 0], 1));
}
