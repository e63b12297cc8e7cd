//! The setting is switched on and off.

use std::sync::atomic::{AtomicU64, Ordering};

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use serde_json::json;

use super::{counts, installation};

const SETTING: &str = "CHATPUSH_UNREAD_BY_CONVERSATION";

/// The names of the daemons that have sent a heartbeat.
async fn heartbeats(env: &TestEnv) -> Vec<String> {
    env.redis(&["HKEYS", &env.prefix().heartbeats()]).await
}

/// What `chatpushd check` says, and whether that is well.
async fn check(env: &TestEnv) -> (bool, String) {
    let check = Daemon::command(env, &["check"]).await;
    (check.status.success(), String::from_utf8_lossy(&check.stdout).into_owned())
}

/// All daemons count the same.
#[tokio::test]
async fn daemon_that_differs_is_refused_by_name() {
    let env = installation().await;
    let daemon = env.daemon().await;
    let running = eventually("it is there", || heartbeats(&env), |names| names.len() == 1).await;
    let other = env.clone().with(SETTING, "false");
    let ports =
        other.clone().with("CHATPUSH_LISTEN", "127.0.0.1:0").with("CHATPUSH_ADMIN_LISTEN", "127.0.0.1:0");
    let refused = Daemon::command(&ports, &["run"]).await;
    let text = String::from_utf8_lossy(&[refused.stdout, refused.stderr].concat()).into_owned();
    assert_eq!(refused.status.code(), Some(78), "{text}");
    let named = "unread_by_conversation = true and this daemon false: give all daemons the same";
    assert!(text.contains(named) && text.contains(&running[0]), "{text}");
    let (is_well, text) = check(&other).await;
    assert!(!is_well && text.contains(named) && text.contains(&running[0]), "{text}");
    assert!(check(&env).await.0);

    // It has stopped, and nobody waits for its heartbeat.
    daemon.stop();
    assert_eq!(heartbeats(&env).await, Vec::<String>::new());
    let (is_well, text) = check(&other).await;
    assert!(is_well && text.contains("unread_by_conversation is another one than before"), "{text}");
    let _other = other.daemon().await;
    assert!(check(&other).await.0);
}

/// One that was killed has left its heartbeat.
#[tokio::test]
async fn daemon_that_was_killed_is_not_waited_for_long() {
    let env = installation().await;
    let daemon = env.daemon().await;
    eventually("it is there", || heartbeats(&env), |names| names.len() == 1).await;
    daemon.kill();
    let other = env.clone().with(SETTING, "false");
    let _daemon = other.daemon().await;
    let (is_well, text) = check(&other).await;
    assert!(is_well, "{text}");
}

/// A running daemon that does not agree any more takes the record over when it is alone.
#[tokio::test]
async fn daemon_that_is_alone_changes_the_setting_while_it_runs() {
    let env = installation().await;
    let daemon = env.daemon().await;
    let key = env.prefix().installation();
    let record: String = env.redis(&["GET", &key]).await;
    let other = record.replace("\"unread_by_conversation\":true", "\"unread_by_conversation\":false");
    assert_ne!(other, record);
    let _: String = env.redis(&["SET", &key, &other]).await;
    // Another daemon runs.
    let time = AtomicU64::new(99_999_999_999_000);
    let refused = async || {
        let heartbeat = format!("{} 1 2", time.fetch_add(1, Ordering::Relaxed));
        let _: u64 = env.redis(&["HSET", &env.prefix().heartbeats(), "other", &heartbeat]).await;
        daemon.is_ready().await
    };
    eventually("it gives up its subscriptions", refused, |ready| !ready).await;
    assert_eq!(env.redis::<String>(&["GET", &key]).await, other);
    // It is gone.
    eventually("it serves again", || daemon.is_ready(), |ready| *ready).await;
    assert_eq!(env.redis::<String>(&["GET", &key]).await, record);
}

/// What was counted before is wrong by all that came meanwhile. It goes, and messages from then do not count for
/// conversations when they are taken back.
#[tokio::test]
async fn conversations_begin_anew_when_they_are_switched_on() {
    let env = installation().await;
    let daemon = env.daemon().await;
    let send = |id: char| format!("ChatPush\\sendMessage(1, 2, 'text', 'chat', '{id}', 'team');");
    let recall = |id: char| format!("ChatPush\\recallMessage(1, 2, '{id}');");
    env.php().get(&send('a')).await;
    env.php().get(&send('b')).await;
    assert_eq!(counts(&env, 2).await, (json!({"team": 2}), 2));
    daemon.stop();
    let off = env.clone().with(SETTING, "false");
    let daemon = off.daemon().await;
    off.php().get(&send('c')).await;
    off.php().get(&recall('a')).await;
    daemon.stop();
    // It waits in the log, and is counted.
    env.php().with("chatpush.durability=queued").get(&send('d')).await;
    let daemon = env.daemon().await;
    eventually("it is counted", || counts(&env, 2), |found| *found == (json!({"team": 1}), 3)).await;
    env.php().get(&recall('b')).await;
    assert_eq!(counts(&env, 2).await, (json!({"team": 1}), 2), "it counted for no conversation");
    env.php().get(&recall('d')).await;
    assert_eq!(counts(&env, 2).await, (json!({}), 1));
    // Another start is no switch.
    env.php().get(&send('e')).await;
    let _daemon = daemon.restart(&env).await;
    assert_eq!(counts(&env, 2).await, (json!({"team": 1}), 2));
}

/// An old message that no conversation has counted takes nothing from one when it goes.
#[tokio::test]
async fn expired_message_from_before_takes_nothing_from_its_conversation() {
    let env = installation().await.with("CHATPUSH_MAILBOX_MAX_AGE_DAYS", "2");
    let off = env.clone().with(SETTING, "false");
    let daemon = off.daemon().await;
    let send = |text: &str| format!("ChatPush\\sendMessage(1, 2, '{text}', conversation: 'team');");
    off.php().get(&send("old, from before")).await;
    daemon.stop();
    let daemon = env.daemon().await;
    env.php().get(&[send("old"), send("new"), send("new")].concat()).await;
    assert_eq!(counts(&env, 2).await, (json!({"team": 3}), 4));
    daemon.stop();
    let day: u64 = 86_400_000;
    env.execute(&format!(
        "UPDATE chatpush_position SET parts_since_ms = parts_since_ms - 3 * {day} WHERE parts_since_ms > 0"
    ))
    .await;
    env.execute(&format!(
        "UPDATE chatpush_message SET time_ms = time_ms - 3 * {day} WHERE offline_id IN \
         (SELECT id FROM offline_message WHERE content LIKE 'old%')"
    ))
    .await;
    let _daemon = env.daemon().await;
    eventually("the old ones go", || counts(&env, 2), |found| *found == (json!({"team": 2}), 2)).await;
    assert_eq!(env.stored(2).await, ["new", "new"]);
}

/// Nothing of a user is left, whatever the setting is now, and however much it is.
#[tokio::test]
async fn forgotten_user_has_no_conversations_whatever_the_setting() {
    let env = installation().await;
    let daemon = env.daemon().await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'a'); ChatPush\\sendMessage(1, 3, 'a');").await;
    daemon.stop();
    for (table, number) in [("chatpush_unread", "unread"), ("chatpush_conversation_cleared", "cleared_ms")] {
        for user in [2, 3] {
            let table = format!("{table} (user_id, conversation, {number})");
            let many = format!("INSERT INTO {table} SELECT {user}, CONCAT('c', seq), 1 FROM seq_1_to_1200");
            env.execute(&many).await;
        }
    }
    env.execute("UPDATE `user` SET unread_count = 1200").await;
    let off = env.clone().with(SETTING, "false");
    let _daemon = off.daemon().await;
    off.php().with("chatpush.timeout_ms=10000").get("ChatPush\\forgetUser(2);").await;
    for table in ["chatpush_unread", "chatpush_conversation_cleared"] {
        let left = off.query::<u64>(&format!("SELECT DISTINCT user_id FROM {table}")).await;
        assert_eq!(left, [3], "{table}");
    }
}
