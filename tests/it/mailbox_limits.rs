//! Limits on what waits for a user who is away: how many messages, and for how long.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use chatpush_wire::id::UserIdType;
use mysql_async::prelude::Queryable as _;
use serde_json::{Value, json};

/// Stores a message, and prints what PHP hears.
fn store(text: &str, id: &str) -> String {
    format!(
        "try {{ echo ChatPush\\sendMessage(1, 9, '{text}', message_id: '{id}')->value; }}
        catch (ChatPush\\UnavailableException $e) {{
            echo $e->getOutcome()->value, (int) $e->isRetryable(), ' ', $e->getMessage(); }}"
    )
}

const FULL: &str = "not_queued1 mailbox of user 9 is full";

async fn limited(most: &str) -> TestEnv {
    let env = TestEnv::new().await.with("CHATPUSH_MAILBOX_MAX_MESSAGES", most);
    env.users(&[2, 9, 73]).await;
    env
}

async fn dead_letters(env: &TestEnv) -> Vec<(String, String)> {
    env.query("SELECT JSON_UNQUOTE(JSON_EXTRACT(entry, '$[2][1]')), error FROM chatpush_dead ORDER BY id")
        .await
}

async fn refused(env: &TestEnv, text: &str, id: &str) {
    let heard = env.php().get(&store(text, id)).await;
    assert!(heard.starts_with(FULL), "{heard}");
}

/// The newest is refused, and kept nowhere. Once there is room, the same call stores it.
#[tokio::test]
async fn full_mailbox_refuses_the_newest_message() {
    let env = limited("3").await;
    let daemon = env.daemon().await;
    // The application's own row counts too.
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) VALUES (1, 9, 'theirs', NOW())",
    )
    .await;
    for id in ["a", "b"] {
        assert_eq!(env.php().get(&store(id, id)).await, "stored");
    }
    refused(&env, "c", "c").await;
    refused(&env, "c", "c").await;
    assert_eq!(env.php().get(&store("a", "a")).await, "stored", "it is there already");
    assert_eq!(env.php().get("var_dump(storeOfflineMessage(1, 73, 'other'));").await, "bool(true)\n");
    assert_eq!(
        (env.stored(9).await, env.unread(9).await),
        (["theirs", "a", "b"].map(str::to_owned).to_vec(), 2)
    );
    assert_eq!(dead_letters(&env).await, []);
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_message WHERE receiver_id = 9").await, [2]);

    let rows =
        "echo ChatPush\\ackOfflineMessage(9, array_slice(array_column(getOfflineMessage(9), 'id'), 0, 1));";
    assert_eq!(env.php().get(rows).await, "1");
    assert_eq!(env.php().get(&store("c", "c")).await, "stored");
    refused(&env, "d", "d").await;
    assert_eq!(env.php().get("echo (int) ChatPush\\recallMessage(1, 9, 'a');").await, "1");
    assert_eq!(env.php().get(&store("d", "d")).await, "stored");
    assert_eq!((env.stored(9).await, env.unread(9).await), (["b", "c", "d"].map(str::to_owned).to_vec(), 3));

    // A new writer counts again. Whoever is connected gets every message.
    let daemon = daemon.restart(&env).await;
    refused(&env, "e", "e").await;
    let mut page = daemon.connect(9).await;
    assert_eq!(page.until_unread_count().await, (["b", "c", "d"].map(str::to_owned).to_vec(), 3));
    let reading = page.keep_reading();
    eventually("they are confirmed", || env.stored_count(9), |count| *count == 0).await;
    assert_eq!(env.php().get(&store("e", "e")).await, "live");
    reading.abort();
}

/// The others get theirs, and the same call completes it.
#[tokio::test]
async fn full_mailbox_of_one_of_many_receivers() {
    let env = limited("1").await;
    let _daemon = env.daemon().await;
    assert_eq!(env.php().get(&store("first", "first")).await, "stored");
    let send = "try { $sent = ChatPush\\sendToUsers(1, [2, 9, 73], 'to all', message_id: 'all'); $why = ''; }
        catch (ChatPush\\PartialException $e) { $sent = $e->getDeliveries();
            $why = json_encode($e->getOutcomes()) . $e->getMessage(); }
        echo json_encode(array_keys($sent)), $why;";
    let heard = env.php().get(send).await;
    assert!(
        heard.starts_with(r#"[2,73]{"9":"not_queued"}"#) && heard.contains("mailbox of user 9 is full"),
        "{heard}"
    );
    for (user, stored) in [(2, "to all"), (9, "first"), (73, "to all")] {
        assert_eq!((env.stored(user).await, env.unread(user).await), (vec![stored.to_owned()], 1));
    }
    env.php().get("ChatPush\\ackOfflineMessage(9, array_column(getOfflineMessage(9), 'id'));").await;
    assert_eq!(env.php().get(send).await, "[2,9,73]");
    assert_eq!((env.stored(9).await, env.unread(9).await), (vec!["to all".to_owned()], 2));
    assert_eq!((env.stored_count(2).await, env.unread(2).await), (1, 1));
    assert_eq!(dead_letters(&env).await, []);
}

/// What was delivered does not count, and the same call completes what was missing.
#[tokio::test]
async fn full_mailbox_of_one_of_many_receivers_in_a_history() {
    let env = limited("1").await;
    env.execute("ALTER TABLE offline_message ADD done int NULL, ADD INDEX (receiver_id, done, id)").await;
    let env = env.with("CHATPUSH_MYSQL_HISTORY_COLUMN", "done").with("CHATPUSH_MYSQL_HISTORY_VALUE", "1");
    let _daemon = env.daemon().await;
    assert_eq!(env.php().get(&store("first", "first")).await, "stored");
    let send = "try { $sent = ChatPush\\sendToUsers(1, [2, 9, 73], 'to all', message_id: 'all');
            echo json_encode(array_keys($sent)); }
        catch (ChatPush\\PartialException $e) {
            echo json_encode([array_keys($e->getDeliveries()), $e->getOutcomes()]); }";
    assert_eq!(env.php().get(send).await, r#"[[2,73],{"9":"not_queued"}]"#);
    env.php().get("ChatPush\\ackOfflineMessage(9, array_column(getOfflineMessage(9), 'id'));").await;
    assert_eq!(env.php().get(send).await, "[2,9,73]");
    let rows: Vec<(u32, String, Option<u32>)> =
        env.query("SELECT receiver_id, content, done FROM offline_message ORDER BY receiver_id, id").await;
    let wanted = [(2, "to all", None), (9, "first", Some(1)), (9, "to all", None), (73, "to all", None)]
        .map(|(user, content, done)| (user, content.to_owned(), done));
    assert_eq!(rows, wanted);
    assert_eq!(dead_letters(&env).await, []);
}

/// The two differ in the case of a letter alone.
#[tokio::test]
async fn limits_tell_users_apart_whose_ids_are_texts() {
    let env = TestEnv::with_user_ids(UserIdType::Text).await.with("CHATPUSH_MAILBOX_MAX_MESSAGES", "2");
    env.execute("INSERT INTO `user` (id, username, password) VALUES ('Bob', '1', ''), ('bob', '2', '')")
        .await;
    let daemon = env.daemon().await;
    let fill = "foreach (['old 1', 'old 2'] as $text) storeOfflineMessage('ann', 'Bob', $text);
        storeOfflineMessage('ann', 'bob', 'new');";
    env.php().get(fill).await;
    let send = "try { $sent = ChatPush\\sendToUsers('ann', ['Bob', 'bob'], 'to both', message_id: 'b');
            echo json_encode(array_keys($sent)); }
        catch (ChatPush\\PartialException $e) {
            echo json_encode([array_keys($e->getDeliveries()), $e->getOutcomes()]), $e->getMessage(); }";
    let heard = env.php().get(send).await;
    assert!(heard.starts_with(r#"[["bob"],{"Bob":"not_queued"}]"#), "{heard}");
    assert!(heard.contains("mailbox of user Bob is full"), "{heard}");

    age(&env, "offline_message", "offline_id IN (SELECT id FROM offline_message WHERE content LIKE 'old%')")
        .await;
    let daemon = daemon.restart(&env.clone().with("CHATPUSH_MAILBOX_MAX_AGE_DAYS", "2")).await;
    expired(&daemon, 2).await;
    let counts = "echo json_encode([getUnreadCount('Bob'), getUnreadCount('bob')]);";
    assert_eq!(env.php().get(counts).await, "[0,2]");
    assert_eq!(env.php().get(send).await, r#"["Bob","bob"]"#);
    let rows: Vec<(String, String)> =
        env.query("SELECT receiver_id, content FROM offline_message ORDER BY receiver_id, id").await;
    let wanted = [("Bob", "to both"), ("bob", "new"), ("bob", "to both")];
    assert_eq!(rows, wanted.map(|(user, content)| (user.to_owned(), content.to_owned())));
}

/// Several senders at once, in batches of any size.
#[tokio::test]
async fn concurrent_senders_never_exceed_the_limit() {
    let env = limited("20").await;
    let _daemon = env.daemon().await;
    let send =
        "$stored = 0; for ($i = 0; $i < 10; $i++) try { storeOfflineMessage(1, 9, (string) $i); $stored++; }
        catch (ChatPush\\UnavailableException) {} echo $stored;";
    let senders: Vec<_> = (0..6)
        .map(|_| {
            let php = env.php();
            tokio::spawn(async move { php.get(send).await.parse::<u64>().expect("a number") })
        })
        .collect();
    let mut stored = 0;
    for sender in senders {
        stored += sender.await.expect("PHP ran");
    }
    assert_eq!((stored, env.stored_count(9).await, env.unread(9).await), (20, 20, 20));
}

/// The caller was told that it will be stored.
#[tokio::test]
async fn queued_message_for_a_full_mailbox_becomes_a_dead_letter() {
    let env = limited("1").await;
    env.users(&[137]).await;
    let _daemon = env.daemon().await;
    let queued = env.php().with("chatpush.durability=queued");
    queued.get("storeOfflineMessage(1, 9, 'first'); storeOfflineMessage(1, 9, 'second');").await;
    queued.get("ChatPush\\sendToUsers(1, [9, 73], 'third');").await;
    let full = ("9".to_owned(), "mailbox of user 9 is full".to_owned());
    eventually("both are set aside", || dead_letters(&env), |dead| *dead == [full.clone(), full.clone()])
        .await;
    assert_eq!(
        (env.stored(9).await, env.stored(73).await),
        (vec!["first".to_owned()], vec!["third".to_owned()])
    );

    // A call that has timed out.
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("SELECT * FROM `user` WHERE id = 137 FOR UPDATE").await.expect("the row is free");
    queued.get("storeOfflineMessage(1, 137, 'next');").await;
    let late = "try { ChatPush\\sendMessage(1, 9, 'late', message_id: 'late'); }
        catch (ChatPush\\TimeoutException $e) { echo $e->getOutcome()->value; }";
    assert_eq!(env.php().with("chatpush.timeout_ms=300").get(late).await, "queued");
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    eventually("it is set aside", || dead_letters(&env), |dead| dead.len() == 3).await;
    let repeated = "try { ChatPush\\sendMessage(1, 9, 'late', message_id: 'late'); }
        catch (ChatPush\\Exception $e) { echo $e->getMessage(); }";
    let heard = env.php().get(repeated).await;
    assert!(heard.contains("mailbox of user 9 is full") && heard.contains("chatpush_dead"), "{heard}");

    env.php().get("ChatPush\\ackOfflineMessage(9, array_column(getOfflineMessage(9), 'id'));").await;
    let id: Vec<u64> = env.query("SELECT MIN(id) FROM chatpush_dead").await;
    let retried = Daemon::command(&env, &["dead", "retry", &id[0].to_string()]).await;
    assert!(retried.status.success(), "{retried:?}");
    eventually("there is room for one", || env.stored(9), |stored| *stored == ["second"]).await;
}

/// Messages are counted after their transaction.
async fn expired(daemon: &Daemon, messages: u64) {
    let metric = async || daemon.metric("chatpush_expired_total").await;
    eventually("they are counted", metric, |count| *count == messages).await;
}

/// Makes messages three days old whose content begins with `old`, and what was cleared.
async fn age(env: &TestEnv, table: &str, condition: &str) {
    let day: u64 = 86_400_000;
    env.execute(&format!("UPDATE chatpush_message SET time_ms = time_ms - 3 * {day} WHERE {condition}"))
        .await;
    env.execute(&format!("UPDATE chatpush_cleared SET cleared_ms = cleared_ms - 3 * {day}")).await;
    env.execute(&format!(
        "UPDATE {table} SET send_time = send_time - INTERVAL 3 DAY WHERE content LIKE 'old%'"
    ))
    .await;
}

/// Ours, the application's, read ones and unread ones.
#[tokio::test]
async fn old_messages_go_with_their_counts() {
    let env = TestEnv::bare().await.with("CHATPUSH_UNREAD_BY_CONVERSATION", "true").set_up().await;
    env.users(&[2, 9]).await;
    let daemon = env.daemon().await;
    let fill = "storeOfflineMessage(1, 9, 'old and read'); ChatPush\\clearUnreadCount(9);
        ChatPush\\sendMessage(1, 9, 'old', message_id: 'o'); ChatPush\\sendMessage(1, 9, 'new', message_id: 'n');
        ChatPush\\sendMessage(1, 9, 'old too', conversation: 'team');
        storeOfflineMessage(1, 2, 'of another');";
    env.php().get(fill).await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         VALUES (1, 9, 'old, theirs', NOW()), (1, 9, 'theirs', NOW())",
    )
    .await;
    let counts = "echo json_encode([getUnreadCount(9), ChatPush\\getUnreadCounts(9)]);";
    assert_eq!(env.php().get(counts).await, r#"[3,{"1":2,"team":1}]"#);
    let rows = "offline_id IN (SELECT id FROM offline_message WHERE content LIKE 'old%')";
    age(&env, "offline_message", rows).await;
    assert_eq!(env.stored_count(9).await, 6, "without a limit they stay");
    let env = env.with("CHATPUSH_MAILBOX_MAX_AGE_DAYS", "2");
    let daemon = daemon.restart(&env).await;
    eventually("the old ones go", || env.stored(9), |stored| *stored == ["new", "theirs"]).await;
    assert_eq!(env.php().get(counts).await, r#"[1,{"1":1}]"#);
    assert_eq!(env.stored_count(2).await, 1);
    expired(&daemon, 4).await;
    let left = "SELECT COUNT(*) FROM chatpush_message WHERE receiver_id = 9";
    assert_eq!(env.query::<u64>(left).await, [1]);
    // A repeated call does not revive one, even if Redis has forgotten it.
    let seen: Vec<String> = env.redis(&["KEYS", &format!("{}:*:seen:*", env.name())]).await;
    for key in seen {
        let _: u64 = env.redis(&["DEL", &key]).await;
    }
    env.php().get("ChatPush\\sendMessage(1, 9, 'old', message_id: 'o');").await;
    assert_eq!(env.stored(9).await, ["new", "theirs"]);
}

/// After `adopt --keep --again` too, but not rows that are left alone.
#[tokio::test]
async fn rows_that_are_left_alone_do_not_expire() {
    let env = TestEnv::new().await.with("CHATPUSH_MAILBOX_MAX_AGE_DAYS", "2");
    env.users(&[9]).await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) VALUES (1, 9, 'old, theirs', NOW())",
    )
    .await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 9, 'old'); storeOfflineMessage(1, 9, 'new');").await;
    daemon.stop();
    let again = Daemon::command(&env, &["adopt", "--keep", "--again"]).await;
    assert!(again.status.success(), "{again:?}");
    age(&env, "offline_message", "offline_id IN (SELECT id FROM offline_message WHERE content LIKE 'old%')")
        .await;
    let daemon = env.daemon().await;
    eventually("ours goes", || env.stored(9), |stored| *stored == ["old, theirs", "new"]).await;
    expired(&daemon, 1).await;
}

/// In several steps. Other messages are stored meanwhile, and a user whose row is locked stops nobody else's.
#[tokio::test]
async fn large_mailbox_expires_in_steps() {
    let env = TestEnv::new().await.with("CHATPUSH_MAILBOX_MAX_AGE_DAYS", "2");
    env.users(&[2, 9, 73]).await;
    let first = env.daemon().await;
    let queued = env.php().with("chatpush.durability=queued");
    let fill = "for ($i = 0; $i < 5000; $i++) storeOfflineMessage(1, 9, 'old');
        storeOfflineMessage(1, 73, 'old'); storeOfflineMessage(1, 2, 'old'); storeOfflineMessage(1, 9, 'new');";
    queued.get(fill).await;
    eventually("all are stored", || env.stored_count(9), |count| *count == 5001).await;
    first.stop();
    age(&env, "offline_message", "offline_id IN (SELECT id FROM offline_message WHERE content = 'old')")
        .await;
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("SELECT * FROM `user` WHERE id = 73 FOR UPDATE").await.expect("the row is free");
    let daemon = env.daemon().await;
    eventually("they go", || env.stored(9), |stored| *stored == ["new"]).await;
    eventually("the other one goes too", || env.stored_count(2), |count| *count == 0).await;
    assert_eq!((env.unread(9).await, env.unread(2).await), (1, 0));
    assert_eq!(env.stored_count(73).await, 1);
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    eventually("and the last one", || env.stored_count(73), |count| *count == 0).await;
    assert_eq!(env.unread(73).await, 0);
    expired(&daemon, 5002).await;
}

/// In a history nothing is deleted, and what was delivered does not count against the limit.
#[tokio::test]
async fn history_is_marked_and_counts_what_waits() {
    let env = TestEnv::bare().await;
    env.execute(
        "CREATE TABLE message (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, sender_id int NOT NULL, \
         receiver_id int NOT NULL, content text NOT NULL, send_time datetime NOT NULL, delivered_at datetime NULL, \
         KEY waiting (receiver_id, delivered_at, id))",
    )
    .await;
    env.execute("CREATE TABLE `user` (id int PRIMARY KEY, unread_count int NOT NULL DEFAULT 0)").await;
    env.execute("INSERT INTO `user` (id) VALUES (1), (9)").await;
    // More delivered ones in front than one step looks at.
    env.execute(
        "INSERT INTO message (sender_id, receiver_id, content, send_time, delivered_at) \
         SELECT 1, 9, 'delivered', NOW() - INTERVAL 9 DAY, NOW() FROM seq_1_to_12000",
    )
    .await;
    let env = env
        .with("CHATPUSH_MYSQL_TABLES_OFFLINE_MESSAGE", "message")
        .with("CHATPUSH_MYSQL_HISTORY_COLUMN", "delivered_at")
        .with("CHATPUSH_MYSQL_HISTORY_VALUE", "now")
        .with("CHATPUSH_MAILBOX_MAX_MESSAGES", "2");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    let daemon = env.daemon().await;
    for id in ["old a", "b"] {
        assert_eq!(env.php().get(&store(id, &id[..1])).await, "stored");
    }
    refused(&env, "c", "c").await;
    age(&env, "message", "offline_id IN (SELECT id FROM message WHERE content LIKE 'old%')").await;
    let env = env.with("CHATPUSH_MAILBOX_MAX_AGE_DAYS", "2");
    let daemon = daemon.restart(&env).await;
    let waiting =
        async || env.query::<String>("SELECT content FROM message WHERE delivered_at IS NULL").await;
    eventually("the old one is marked", waiting, |waiting| *waiting == ["b"]).await;
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM message").await, [12_002]);
    assert_eq!(env.unread(9).await, 1);
    expired(&daemon, 1).await;
    assert_eq!(env.php().get(&store("c", "c")).await, "stored");
    let shown: Value = serde_json::from_str(
        &env.php().get("echo json_encode(array_column(getOfflineMessage(9), 'content'));").await,
    )
    .expect("a list");
    assert_eq!(shown, json!(["b", "c"]));

    // The next writer begins where nothing was found, and looks at the rows before once more.
    let passed = "SELECT nothing_waits_to FROM chatpush_adoption";
    eventually("it is recorded", || env.query::<u64>(passed), |to| *to == [10_000]).await;
    daemon.stop();
    env.execute("UPDATE message SET delivered_at = NULL WHERE id = 6000").await;
    let _daemon = env.daemon().await;
    eventually("it is marked again", waiting, |waiting| *waiting == ["b", "c"]).await;
}
