//! Unread messages by conversation.

mod application;
mod costs;
mod locks;
mod sweeping;
mod switching;
mod takeover;

use chatpush_tests::client::Client;
use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use mysql_async::prelude::Queryable as _;
use serde_json::{Value, json};

/// An installation that counts conversations, with the users 1 to 3.
async fn installation() -> TestEnv {
    let env = TestEnv::bare().await.with("CHATPUSH_UNREAD_BY_CONVERSATION", "true").set_up().await;
    env.users(&[1, 2, 3]).await;
    env
}

/// What PHP gets, as JSON; and the total.
async fn counts(env: &TestEnv, user: u32) -> (Value, u64) {
    let code =
        format!("echo json_encode([(object) ChatPush\\getUnreadCounts({user}), getUnreadCount({user})]);");
    let printed = env.php().get(&code).await;
    let list: Vec<Value> = serde_json::from_str(&printed).unwrap_or_else(|_| panic!("{printed}"));
    (list[0].clone(), list[1].as_u64().expect("a number"))
}

/// Waits until there is a writer. Before its first batch it deletes what conversations have counted, if they have
/// just begun to.
async fn begun(env: &TestEnv, sender: &str, receiver: &str) {
    env.php().get(&format!("ChatPush\\sendMessage({sender}, {receiver}, 'first of all');")).await;
}

/// The next unread counter: its `by` and its total.
async fn next_unread(client: &mut Client) -> (Value, u64) {
    loop {
        let frame = client.json().await;
        if frame["type"] == "unread_count" {
            return (frame["by"].clone(), frame["data"].as_u64().expect("a number"));
        }
    }
}

const SEND: &str = "ChatPush\\sendMessage(1, 2, 'a'); ChatPush\\sendMessage(3, 2, 'b');
    ChatPush\\sendMessage(1, 2, 'c', conversation: 'team'); storeOfflineMessage(1, 2, 'd');";

/// Without a conversation, the sender is it. A clear of one takes away as much from the total.
#[tokio::test]
async fn messages_count_for_their_conversation() {
    let env = installation().await;
    let daemon = env.daemon().await;
    assert_eq!(counts(&env, 2).await, (json!({}), 0));
    env.php().get(SEND).await;
    assert_eq!(counts(&env, 2).await, (json!({"1": 2, "3": 1, "team": 1}), 4));
    let keys = "var_dump(array_keys(ChatPush\\getUnreadCounts(2)) === [1, 3, 'team']);";
    assert_eq!(env.php().get(keys).await.trim(), "bool(true)");

    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    assert_eq!(next_unread(&mut browser).await, (json!({"1": 2, "3": 1, "team": 1}), 4));
    let clear = "ChatPush\\clearUnreadCount(2, array_key_first(ChatPush\\getUnreadCounts(2)));
        try { ChatPush\\clearUnreadCount(2, []); } catch (TypeError $e) { echo $e->getMessage(); }";
    let text = env.php().get(clear).await;
    assert!(text.ends_with("must be of type string|int|null, array given"), "{text}");
    assert_eq!(next_unread(&mut browser).await, (json!({"3": 1, "team": 1}), 2));
    browser.send_text(r#"{"read":{"conversation":"team"}}"#).await;
    assert_eq!(next_unread(&mut browser).await, (json!({"3": 1}), 1));
    env.php().get("ChatPush\\clearUnreadCount(2, 'nothing');").await;
    assert_eq!(next_unread(&mut browser).await, (json!({"3": 1}), 1));
    env.php().get("ChatPush\\sendMessage(3, 2, 'live');").await;
    assert_eq!(next_unread(&mut browser).await, (json!({"3": 2}), 2));
    browser.send_text(r#"{"read":true}"#).await;
    assert_eq!(next_unread(&mut browser).await, (json!({}), 0));
    assert_eq!(counts(&env, 2).await, (json!({}), 0));
}

/// However often a page says that it has read a conversation, nothing that comes later is cleared.
#[tokio::test]
async fn what_comes_behind_a_read_stays_unread() {
    let env = installation().await;
    let daemon = env.daemon().await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    assert_eq!(next_unread(&mut browser).await, (json!({}), 0));
    env.php().get("ChatPush\\sendMessage(1, 2, 'first', conversation: 'team');").await;
    assert_eq!(next_unread(&mut browser).await, (json!({"team": 1}), 1));
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("SELECT * FROM `user` WHERE id = 2 FOR UPDATE").await.expect("the row is free");
    for _ in 0..500 {
        browser.send_text(r#"{"read":{"conversation":"team"}}"#).await;
    }
    for number in 0..500 {
        browser.send_text(&json!({"read": {"conversation": number.to_string()}}).to_string()).await;
    }
    browser.send_text(r#"{"ping":true}"#).await;
    while browser.json().await["pong"] != true {}
    eventually("as many wait as may", || env.log_length(2), |length| *length == 64).await;
    let queued = env.php().with("chatpush.durability=queued");
    queued.get("ChatPush\\sendMessage(1, 2, 'second', conversation: 'team');").await;
    assert_eq!(env.log_length(2).await, 65, "a flood is bounded");
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    eventually("all is applied", || env.log_length(2), |length| *length == 0).await;
    assert_eq!(counts(&env, 2).await, (json!({"team": 1}), 1), "the second was not read");
}

/// A page that shows a conversation says so after each message. However many come, the last is read too.
#[tokio::test]
async fn every_message_of_an_open_conversation_is_read() {
    const MESSAGES: usize = 150;
    let env = installation().await;
    let daemon = env.daemon().await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    assert_eq!(next_unread(&mut browser).await, (json!({}), 0));
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("SELECT * FROM `user` WHERE id = 2 FOR UPDATE").await.expect("the row is free");
    let send = format!(
        "for ($i = 0; $i < {MESSAGES}; $i++) {{ ChatPush\\sendMessage(1, 2, \"$i\", conversation: 'team'); }}"
    );
    let php = env.php().with("chatpush.durability=queued");
    let reads = async {
        let mut received = 0;
        while received < MESSAGES {
            if browser.json().await["conversation"] == "team" {
                received += 1;
                browser.send_text(r#"{"read":{"conversation":"team"}}"#).await;
            }
        }
        browser.send_text(r#"{"ping":true}"#).await;
        while browser.json().await["pong"] != true {}
    };
    tokio::join!(php.get(&send), reads);
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    eventually("all is read", || counts(&env, 2), |found| *found == (json!({}), 0)).await;
}

/// The application sets its own column. Its 0 empties the parts; a smaller total stays what it is.
#[tokio::test]
async fn a_total_that_the_application_clears_empties_the_parts() {
    let env = installation().await;
    let _daemon = env.daemon().await;
    env.php().get(SEND).await;
    env.execute("UPDATE `user` SET unread_count = 0 WHERE id = 2").await;
    assert_eq!(counts(&env, 2).await, (json!({}), 0));
    env.php().get("ChatPush\\sendMessage(3, 2, 'new');").await;
    assert_eq!(counts(&env, 2).await, (json!({"3": 1}), 1));
    env.php().get(SEND).await;
    env.execute("UPDATE `user` SET unread_count = 1 WHERE id = 2").await;
    env.php().get("ChatPush\\clearUnreadCount(2, '1');").await;
    assert_eq!(counts(&env, 2).await, (json!({}), 0), "the total is never below 0, and 0 empties the rest");
}

/// Each receiver has it in the conversation that was given.
#[tokio::test]
async fn message_to_many_counts_for_each_receiver() {
    let env = installation().await;
    let _daemon = env.daemon().await;
    let send =
        "ChatPush\\sendToUsers(1, [2, 3], 'a', 'text', 'h1', 'team'); ChatPush\\sendToUsers(1, [2, 3], 'b');";
    env.php().get(send).await;
    env.php().get("ChatPush\\sendToUsers(1, [2, 3], 'a', 'text', 'h1', 'team');").await;
    for user in [2, 3] {
        assert_eq!(
            counts(&env, user).await,
            (json!({"1": 1, "team": 1}), 2),
            "a repeated call counts nothing"
        );
    }
}

/// A message that is taken back counts no more for its conversation, unless that was read before.
#[tokio::test]
async fn recalled_message_is_taken_from_its_conversation() {
    let env = installation().await;
    let daemon = env.daemon().await;
    let php = env.php();
    let send = |id: &str, conversation: &str| {
        format!("ChatPush\\sendMessage(1, 2, 'text', 'chat', '{id}', {conversation});")
    };
    let recall = |id: &str| format!("echo json_encode(ChatPush\\recallMessage(1, 2, '{id}'));");
    let messages = [("a", "'team'"), ("b", "'team'"), ("c", "null"), ("d", "'Team'")];
    for (id, conversation) in messages {
        php.get(&send(id, conversation)).await;
    }
    assert_eq!(counts(&env, 2).await, (json!({"1": 1, "Team": 1, "team": 2}), 4));
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    assert_eq!(next_unread(&mut browser).await, (json!({"1": 1, "Team": 1, "team": 2}), 4));
    assert_eq!(php.get(&recall("a")).await, "true");
    assert_eq!(next_unread(&mut browser).await, (json!({"1": 1, "Team": 1, "team": 1}), 3));
    assert_eq!(php.get(&recall("c")).await, "true");
    assert_eq!(next_unread(&mut browser).await, (json!({"Team": 1, "team": 1}), 2));
    // What was read before it is taken back does not count twice.
    php.get("ChatPush\\clearUnreadCount(2, 'team');").await;
    php.get(&send("e", "'team'")).await;
    assert_eq!(counts(&env, 2).await, (json!({"Team": 1, "team": 1}), 2));
    assert_eq!(php.get(&recall("b")).await, "true");
    assert_eq!(counts(&env, 2).await, (json!({"Team": 1, "team": 1}), 2));
    assert_eq!(php.get(&recall("e")).await, "true");
    assert_eq!(counts(&env, 2).await, (json!({"Team": 1}), 1));
    // A page names what it likes, and nothing is kept of that.
    php.get("ChatPush\\clearUnreadCount(2, 'nobody');").await;
    let cleared = "SELECT conversation FROM chatpush_conversation_cleared";
    assert_eq!(env.query::<String>(cleared).await, ["team"]);
    php.get("ChatPush\\clearUnreadCount(2);").await;
    assert_eq!(env.query::<String>(cleared).await, Vec::<String>::new());
    assert_eq!(php.get(&recall("d")).await, "true");
    assert_eq!(counts(&env, 2).await, (json!({}), 0));
}

#[tokio::test]
async fn forgotten_user_has_no_conversations() {
    let env = installation().await;
    let _daemon = env.daemon().await;
    for user in [2, 3] {
        let fill = format!(
            "ChatPush\\sendMessage(1, {user}, 'a');
            ChatPush\\sendMessage(1, {user}, 'b', conversation: 'team');
            ChatPush\\clearUnreadCount({user}, 'team');"
        );
        env.php().get(&fill).await;
    }
    env.php().get("ChatPush\\forgetUser(2);").await;
    for table in ["chatpush_unread", "chatpush_conversation_cleared"] {
        let left = env.query::<u64>(&format!("SELECT DISTINCT user_id FROM {table}")).await;
        assert_eq!(left, [3], "{table}");
    }
    assert_eq!(counts(&env, 2).await, (json!({}), 0));
    assert_eq!(counts(&env, 3).await, (json!({"1": 1}), 1));
}

/// Users and senders are texts in every table, and the keys are them.
#[tokio::test]
async fn users_may_be_texts() {
    let env = TestEnv::bare().await.with("CHATPUSH_UNREAD_BY_CONVERSATION", "true");
    let env = env.with("CHATPUSH_USER_ID_TYPE", "text").set_up().await;
    env.execute("INSERT INTO `user` (id, username, password) VALUES ('bob', 'one', ''), ('Bob', 'two', '')")
        .await;
    env.execute("ALTER TABLE offline_message MODIFY sender_id varchar(80) COLLATE utf8mb4_bin NOT NULL")
        .await;
    let _daemon = env.daemon().await;
    let send =
        "ChatPush\\sendMessage('7', 'bob', 'a', 'chat', 'a'); ChatPush\\sendMessage('Ann', 'bob', 'b');
        ChatPush\\sendMessage('ann', 'bob', 'c', 'chat', 'c'); ChatPush\\sendMessage('7', 'Bob', 'd');
        echo json_encode([ChatPush\\getUnreadCounts('bob'), ChatPush\\getUnreadCounts('Bob')]);";
    assert_eq!(env.php().get(send).await, r#"[{"7":1,"Ann":1,"ann":1},{"7":1}]"#);
    let clear = "ChatPush\\clearUnreadCount('bob', 'Ann'); ChatPush\\recallMessage('7', 'bob', 'a');
        echo json_encode([ChatPush\\getUnreadCounts('bob'), getUnreadCount('bob'), getUnreadCount('Bob')]);";
    assert_eq!(env.php().get(clear).await, r#"[{"ann":1},1,1]"#);
}

/// Every message meets it: nobody's is the reason.
#[tokio::test]
async fn what_fails_for_every_conversation_sets_nothing_aside() {
    let env = installation().await;
    env.execute("CREATE TABLE audit (id int)").await;
    env.execute(
        "CREATE TRIGGER note BEFORE INSERT ON chatpush_unread FOR EACH ROW INSERT INTO audit VALUES (1)",
    )
    .await;
    env.execute("RENAME TABLE audit TO away").await;
    let _daemon = env.daemon().await;
    let late = "try { ChatPush\\sendMessage(1, 2, 'a', conversation: 'team'); }
        catch (ChatPush\\TimeoutException) { echo 'late'; }
        catch (ChatPush\\Exception $e) { echo $e->getMessage(); }";
    assert_eq!(env.php().with("chatpush.timeout_ms=8000").get(late).await, "late");
    env.execute("RENAME TABLE away TO audit").await;
    eventually("it is stored", || env.stored_count(2), |count| *count == 1).await;
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await, [0]);
    assert_eq!(counts(&env, 2).await, (json!({"team": 1}), 1));
}

/// Without a table of users, the totals stand beside the parts.
#[tokio::test]
async fn totals_and_parts_may_both_be_ours() {
    let env = TestEnv::bare().await.with("CHATPUSH_UNREAD_BY_CONVERSATION", "true");
    let env = env.with("CHATPUSH_MYSQL_TABLES_USER", "").set_up().await;
    let check = Daemon::command(&env, &["check"]).await;
    assert!(check.status.success(), "{check:?}");
    let _daemon = env.daemon().await;
    env.php().get(SEND).await;
    assert_eq!(counts(&env, 2).await, (json!({"1": 2, "3": 1, "team": 1}), 4));
    env.php().get("ChatPush\\clearUnreadCount(2, '1'); ChatPush\\sendMessage(3, 2, 'x');").await;
    assert_eq!(counts(&env, 2).await, (json!({"3": 2, "team": 1}), 3));
    env.php().get("ChatPush\\clearUnreadCount(2);").await;
    assert_eq!(counts(&env, 2).await, (json!({}), 0));
}

#[tokio::test]
async fn without_the_setting_it_is_named() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let code =
        "$calls = [fn () => ChatPush\\getUnreadCounts(2), fn () => ChatPush\\clearUnreadCount(2, 'team')];
        foreach ($calls as $call) {
            try { $call(); echo \"done\\n\"; }
            catch (ChatPush\\Exception $e) {
                echo get_class($e), ' ', $e->getOutcome()->name, ' ', $e->getMessage(), \"\\n\";
            }
        }";
    let text = env.php().get(code).await;
    let named = |line: &str| {
        line.starts_with("ChatPush\\Exception NotQueued ") && line.contains("unread_by_conversation")
    };
    assert!(text.lines().count() == 2 && text.lines().all(named), "{text}");
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    assert_eq!(next_unread(&mut browser).await, (Value::Null, 0), "no `by` where nothing is counted");
    let env = env.with("CHATPUSH_UNREAD_BY_CONVERSATION", "true").with("CHATPUSH_COUNT_UNREAD", "false");
    assert_eq!(Daemon::command(&env, &["check"]).await.status.code(), Some(64));
}
