//! One entry that fails with an error that otherwise concerns all: the others go on, and it is set aside.

use chatpush_stack::mariadb;
use chatpush_stack::proxy::Proxy;
use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

/// A trigger that takes ten minutes for one message.
const HANG: &str = "CREATE TRIGGER wait BEFORE INSERT ON offline_message FOR EACH ROW \
                    IF NEW.content = 'poison' THEN DO SLEEP(600); END IF";

/// Stores a message that a trigger refuses, others beside it, and one behind it.
async fn set_aside(env: &TestEnv, named: &str) {
    let patient = env.php().with("chatpush.timeout_ms=300000");
    let (poison, other) = (patient.clone(), patient.clone());
    let poison = tokio::spawn(async move {
        let code = "try { storeOfflineMessage(1, 2, 'poison'); echo 'stored'; }
                    catch (ChatPush\\Exception $e) { echo $e->getMessage(); }";
        poison.get(code).await
    });
    eventually("it waits", || env.log_length(2), |length| *length == 1).await;
    let stored = other.get("foreach ([3, 4] as $user) var_dump(storeOfflineMessage(1, $user, 'x'));").await;
    assert_eq!(stored, "bool(true)\nbool(true)\n", "other partitions go on");
    let message = poison.await.expect("PHP ran");
    assert!(message.contains("chatpush_dead") && message.contains(named), "{message}");
    let behind = patient.get("var_dump(storeOfflineMessage(1, 2, 'behind'));").await;
    assert_eq!((behind.trim(), env.stored(2).await), ("bool(true)", vec!["behind".to_owned()]));
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await, [1]);
}

/// The one who has made the trigger may not do what it does. MySQL says it as if chatpush's own account
/// lacked a privilege.
#[tokio::test]
async fn trigger_whose_definer_lacks_a_privilege_stops_one_entry() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2, 3, 4]).await;
    env.execute("CREATE TABLE secret (id int)").await;
    // Only an administrator may name another definer.
    let sql = format!(
        "USE {}; CREATE USER weak@localhost; \
         GRANT SELECT, UPDATE, TRIGGER ON offline_message TO weak@localhost; \
         \nDELIMITER //\n\
         CREATE DEFINER = weak@localhost TRIGGER note BEFORE INSERT ON offline_message FOR EACH ROW \
         IF NEW.content = 'poison' THEN INSERT INTO secret VALUES (1); END IF //",
        env.name()
    );
    env.servers().sql(&sql).await;
    let _daemon = env.daemon().await;
    set_aside(&env, "denied").await;
}

#[tokio::test]
async fn trigger_that_hangs_stops_one_entry() {
    let env = TestEnv::new().await;
    env.users(&[2, 3, 4]).await;
    env.execute(HANG).await;
    let _daemon = env.daemon().await;
    set_aside(&env, "longer than").await;
}

/// `KILL QUERY` does not reach the server, as behind a proxy that numbers connections itself; or the rollback
/// takes as long. Each try ends the term.
#[tokio::test]
async fn trigger_that_hangs_and_cannot_be_ended_stops_one_entry() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2, 3, 4]).await;
    env.execute(HANG).await;
    let address = env.servers().folder().join("proxy.sock");
    let proxy = Proxy::start(&address, mariadb::socket(env.servers().folder())).expect("the proxy listens");
    let env = env.clone().with("CHATPUSH_MYSQL_URL", mariadb::url(&address, env.name()));
    let _daemon = env.daemon().await;
    proxy.silence_senders_of(b"KILL QUERY");
    set_aside(&env, "longer than").await;
}

/// The state is that of a deadlock, after which a transaction is tried again.
#[tokio::test]
async fn trigger_that_signals_a_deadlock_stops_one_entry() {
    let env = TestEnv::new().await;
    env.users(&[2, 3, 4]).await;
    env.refuse_rows("NEW.content = 'poison'", "40001").await;
    let _daemon = env.daemon().await;
    set_aside(&env, "not here").await;
}

/// While a table is locked as a whole every statement takes too long, and none is to blame.
#[tokio::test]
async fn locked_table_sets_nothing_aside() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'first');").await;
    let mut application = env.mysql().await;
    mysql_async::prelude::Queryable::query_drop(&mut application, "LOCK TABLES offline_message READ")
        .await
        .expect("the table is locked");
    let terms = daemon.metric("chatpush_terms_total").await;
    let code =
        "try { storeOfflineMessage(1, 2, 'second'); } catch (ChatPush\\TimeoutException) { echo 'late'; }";
    // While it is tried three times alone, and longer.
    let patient = env.php().with("chatpush.timeout_ms=20000");
    assert_eq!(patient.get(code).await, "late", "longer than a statement may take");
    assert_eq!(daemon.metric("chatpush_terms_total").await, terms, "a lock ends no term");
    application.disconnect().await.expect("the lock is released");
    eventually("it is stored", || env.stored(2), |rows| *rows == ["first", "second"]).await;
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await, [0]);
}

/// A client has seen the message, and MySQL does not delete its row. It comes again with the next connection,
/// and is deleted once the confirmation is tried again.
#[tokio::test]
async fn refused_confirmation_keeps_its_row_and_stops_no_other() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    env.execute(
        "CREATE TRIGGER keep BEFORE DELETE ON offline_message FOR EACH ROW \
         IF OLD.content = 'poison' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'kept'; END IF",
    )
    .await;
    let daemon = env.daemon().await;
    let php = env.php();
    php.get("storeOfflineMessage(1, 2, 'poison');").await;
    let dead = async || env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await[0];
    let mut browser = daemon.connect(2).await;
    assert_eq!(browser.until_unread_count().await.0, ["poison"]);
    let reading = browser.keep_reading();
    eventually("the confirmation is set aside", dead, |dead| *dead == 1).await;
    php.get("storeOfflineMessage(1, 2, 'other');").await;
    eventually("the next one is confirmed", || env.stored(2), |rows| *rows == ["poison"]).await;
    reading.abort();

    let rows = "$ids = array_column(getOfflineMessage(2), 'id');
                try { ChatPush\\ackOfflineMessage(2, $ids); } catch (ChatPush\\Exception $e) { echo 'refused'; }";
    assert_eq!(php.get(rows).await, "refused", "the application's delete");
    assert_eq!(daemon.connect(2).await.until_unread_count().await.0, ["poison"], "it comes again");
    env.execute("DROP TRIGGER keep").await;
    let retried = Daemon::command(&env, &["dead", "retry", "--all"]).await;
    assert!(retried.status.success(), "{retried:?}");
    eventually("the row is deleted", || env.stored(2), Vec::is_empty).await;
}

#[tokio::test]
async fn refused_clear_keeps_the_counter_and_stops_no_other() {
    let env = TestEnv::new().await;
    env.users(&[2, 66]).await;
    env.execute(
        "CREATE TRIGGER keep BEFORE UPDATE ON `user` FOR EACH ROW \
         IF NEW.id = 2 AND NEW.unread_count = 0 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'kept'; END IF",
    )
    .await;
    let daemon = env.daemon().await;
    let php = env.php();
    let code = "storeOfflineMessage(1, 2, 'a'); storeOfflineMessage(1, 66, 'b');
                try { ChatPush\\clearUnreadCount(2); } catch (ChatPush\\Exception $e) { echo 'refused'; }";
    assert_eq!(php.get(code).await, "refused");
    let says_read = async || {
        let mut browser = daemon.connect_with(2, "chatpush.v1").await;
        browser.until_unread_count().await;
        browser.send_text(r#"{"read":true}"#).await;
        browser
    };
    let browser = says_read().await;
    let dead = async || env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await[0];
    eventually("the client's is set aside too", dead, |dead| *dead == 2).await;
    php.get("ChatPush\\clearUnreadCount(66);").await;
    assert_eq!((env.unread(2).await, env.unread(66).await), (1, 0));
    env.execute("DROP TRIGGER keep").await;
    drop(browser);
    let _browser = says_read().await;
    eventually("the next clear is applied", || env.unread(2), |unread| *unread == 0).await;
}

/// The other changes that delete rows. Who called hears why, and the term goes on.
#[tokio::test]
async fn refused_recall_and_forget_stop_no_other() {
    let env = TestEnv::new().await;
    env.users(&[2, 3]).await;
    env.execute(
        "CREATE TRIGGER keep BEFORE DELETE ON offline_message FOR EACH ROW \
         IF OLD.content = 'poison' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'kept'; END IF",
    )
    .await;
    let daemon = env.daemon().await;
    let php = env.php().with("chatpush.timeout_ms=180000");
    php.get("ChatPush\\sendMessage(1, 2, 'poison', 'text', 'p');").await;
    let terms = daemon.metric("chatpush_terms_total").await;
    for (dead, call) in [(1, "ChatPush\\recallMessage(1, 2, 'p')"), (2, "ChatPush\\forgetUser(2)")] {
        let code = format!(
            "try {{ {call}; echo 'done'; }} catch (ChatPush\\Exception $e) {{ echo $e->getMessage(); }}"
        );
        let refused = php.clone();
        let refused = tokio::spawn(async move { refused.get(&code).await });
        assert_eq!(php.get("var_dump(storeOfflineMessage(1, 3, 'x'));").await.trim(), "bool(true)");
        let text = refused.await.expect("PHP ran");
        assert!(text.contains("chatpush_dead") && text.contains("kept"), "{call}: {text}");
        assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await, [dead]);
    }
    assert_eq!((env.stored(2).await, env.stored_count(3).await), (vec!["poison".to_owned()], 2));
    assert_eq!(daemon.metric("chatpush_terms_total").await, terms);
}
