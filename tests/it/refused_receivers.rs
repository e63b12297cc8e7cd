//! A message to many receivers that MySQL refuses: who of them is refused, and what repeated calls hear.

use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use chatpush_wire::id::{MessageId, UserId};

/// Sends one message with an id of its own, and prints who got it, and who not.
fn send(receivers: &str) -> String {
    format!(
        "try {{ $sent = ChatPush\\sendToUsers(1, [{receivers}], 'hello', message_id: 'm'); $failed = []; }}
        catch (ChatPush\\PartialException $e) {{ $sent = $e->getDeliveries(); $failed = $e->getOutcomes(); }}
        catch (ChatPush\\Exception $e) {{ exit('all: ' . $e->getMessage()); }}
        echo implode(' ', array_keys($sent)), ' but ', implode(' ', array_keys($failed));"
    )
}

/// Where Redis remembers that the message was accepted for a user.
fn seen(env: &TestEnv, user: u32) -> String {
    let user = UserId::try_from(i64::from(user)).expect("a user id");
    env.prefix().seen(&user, &MessageId::try_from("1:m".to_owned()).expect("a message id"))
}

async fn dead_letters(env: &TestEnv) -> u64 {
    env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await[0]
}

/// Receiver 130 is refused. While that is found out, a row that meets the condition fails for a while.
async fn passing_failure_refuses_nobody(condition: &str, failure: &str) {
    let env = TestEnv::new().await;
    env.users(&[2, 66, 130, 194]).await;
    env.execute("CREATE TABLE failing (id int)").await;
    env.execute("INSERT INTO failing VALUES (1)").await;
    // A transaction that is taken back leaves its rows here.
    env.execute("CREATE TABLE tries (id int) ENGINE=MyISAM").await;
    env.execute(&format!(
        "CREATE TRIGGER guard BEFORE INSERT ON offline_message FOR EACH ROW BEGIN \
         IF NEW.receiver_id = 130 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not here'; END IF; \
         IF {condition} AND EXISTS (SELECT 1 FROM failing) THEN \
         INSERT INTO tries VALUES (1); {failure}; END IF; END"
    ))
    .await;
    let _daemon = env.daemon().await;
    let php = env.php().with("chatpush.timeout_ms=180000");
    let sent = tokio::spawn(async move { php.get(&send("130, 2, 66, 194")).await });
    let tries = async || env.query::<u64>("SELECT COUNT(*) FROM tries").await[0];
    eventually("it has failed", tries, |tries| *tries > 0).await;
    env.execute("DELETE FROM failing").await;
    assert_eq!(sent.await.expect("PHP ran"), "2 66 194 but 130", "{failure}");
    for user in [2, 66, 194] {
        assert_eq!((env.stored_count(user).await, env.unread(user).await), (1, 1), "{failure}");
    }
    assert_eq!(dead_letters(&env).await, 1);
}

#[tokio::test]
async fn slow_statement_during_the_search_refuses_nobody() {
    passing_failure_refuses_nobody("NEW.receiver_id = 2", "DO SLEEP(600)").await;
}

#[tokio::test]
async fn passing_error_during_the_search_refuses_nobody() {
    passing_failure_refuses_nobody("NEW.receiver_id = 2", "SIGNAL SQLSTATE '77777'").await;
}

/// It meets the transaction that stores the messages of the others.
#[tokio::test]
async fn passing_error_after_the_search_refuses_nobody() {
    let all = "NEW.receiver_id = 194 AND EXISTS (SELECT 1 FROM offline_message WHERE receiver_id = 2)";
    passing_failure_refuses_nobody(all, "SIGNAL SQLSTATE '77777'").await;
}

/// An error that does not pass must not stop the partition.
#[tokio::test]
async fn error_that_repeats_during_the_search_refuses_its_receiver() {
    let env = TestEnv::new().await;
    env.users(&[2, 66, 130, 194]).await;
    env.execute(
        "CREATE TRIGGER guard BEFORE INSERT ON offline_message FOR EACH ROW BEGIN \
         IF NEW.receiver_id = 130 THEN SIGNAL SQLSTATE '45000'; END IF; \
         IF NEW.receiver_id = 2 THEN SIGNAL SQLSTATE '77777'; END IF; END",
    )
    .await;
    let _daemon = env.daemon().await;
    assert_eq!(env.php().get(&send("130, 2, 66, 194")).await, "66 194 but 130 2");
    assert_eq!(env.php().get("var_dump(storeOfflineMessage(1, 66, 'next'));").await, "bool(true)\n");
}

/// Redis has forgotten the call that stored it for receiver 2. MySQL accepts each of the others alone, and not
/// both together.
#[tokio::test]
async fn receiver_whose_message_is_stored_is_not_refused() {
    let env = TestEnv::new().await;
    env.users(&[2, 66, 130]).await;
    env.refuse_rows(
        "NEW.receiver_id = 130 AND EXISTS (SELECT 1 FROM offline_message WHERE receiver_id = 66)",
        "45000",
    )
    .await;
    let _daemon = env.daemon().await;
    assert_eq!(env.php().get(&send("2")).await, "2 but ");
    let _: u64 = env.redis(&["DEL", &seen(&env, 2)]).await;
    assert_eq!(env.php().get(&send("2, 66, 130")).await, "2 but 66 130");
    assert_eq!((env.stored_count(2).await, env.unread(2).await), (1, 1));
    assert_eq!(dead_letters(&env).await, 2);
}

/// As if a later version had written the entry. The repeated call is answered from Redis first, then by the
/// writer: Redis has forgotten the refusal, and a new term reads it from the dead letters.
#[tokio::test]
async fn repeated_call_hears_that_its_malformed_entry_was_refused() {
    for (kind, receivers, marks) in [("g", "2\n66", "00"), ("m", "2", "0")] {
        let env = TestEnv::new().await;
        env.users(&[2, 66]).await;
        let daemon = env.daemon().await;
        let accepted = async || {
            for user in [2, 66] {
                let _: String = env.redis(&["SET", &seen(&env, user), "0"]).await;
            }
        };
        accepted().await;
        let _: String = env
            .redis(&[
                "XADD",
                &env.log(2),
                "*",
                "v",
                "1",
                "k",
                kind,
                "r",
                receivers,
                "i",
                "1:m",
                "s",
                "1",
                "c",
                "hello",
                "o",
                "no conversation",
                "l",
                marks,
            ])
            .await;
        eventually("it is refused", || dead_letters(&env), |dead| *dead == 1).await;
        let repeated = if kind == "g" {
            send("2, 66")
        } else {
            "try { var_dump(ChatPush\\sendMessage(1, 2, 'hello', message_id: 'm')); }
             catch (ChatPush\\Exception $e) { echo 'all: ', $e->getMessage(); }"
                .to_owned()
        };
        let hears = async |when: &str| {
            let text = env.php().get(&repeated).await;
            assert!(
                text.starts_with("all: ") && text.contains("\"o\" is missing or invalid"),
                "{when}: {text}"
            );
        };
        hears("at once").await;
        accepted().await;
        hears("after Redis forgot").await;
        let _daemon = daemon.restart(&env).await;
        accepted().await;
        hears("in a new term").await;
    }
}
