//! Redis, the database and the versions of an installation must belong together.

mod content;
mod entries;
mod interrupted;
mod other_redis;
mod tables;

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

/// Runs a daemon that must not start. Returns its exit code and output.
async fn refused(env: &TestEnv) -> (Option<i32>, String) {
    let output = Daemon::command(env, &["run"]).await;
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn second_prefix_on_one_database_is_refused() {
    let env = TestEnv::new().await;
    let other = env.clone().with("CHATPUSH_PREFIX", "another").with("CHATPUSH_LISTEN", "127.0.0.1:0");
    let (code, text) = refused(&other.with("CHATPUSH_ADMIN_LISTEN", "127.0.0.1:0")).await;
    assert_eq!(code, Some(78), "{text}");
    assert!(
        text.contains(env.name()) && text.contains("another") && text.contains("CHATPUSH_PREFIX"),
        "{text}"
    );
}

#[tokio::test]
async fn redis_of_another_database_is_refused() {
    let (env, other) = (TestEnv::new().await, TestEnv::new().await);
    let _daemon = env.daemon().await;
    let sql = format!("UPDATE chatpush_installation SET prefix = '{}'", env.name());
    other.execute(&sql).await;
    let wrong = other
        .with("CHATPUSH_PREFIX", env.name())
        .with("CHATPUSH_LISTEN", "127.0.0.1:0")
        .with("CHATPUSH_ADMIN_LISTEN", "127.0.0.1:0");
    let (code, text) = refused(&wrong).await;
    assert_eq!(code, Some(78), "{text}");
    assert!(text.contains("Redis belongs to the installation"), "{text}");
}

#[tokio::test]
async fn newer_tables_and_newer_entries_are_refused() {
    let env = TestEnv::new()
        .await
        .with("CHATPUSH_LISTEN", "127.0.0.1:0")
        .with("CHATPUSH_ADMIN_LISTEN", "127.0.0.1:0");
    let version: Vec<u16> = env.query("SELECT schema_version FROM chatpush_installation").await;
    env.execute("UPDATE chatpush_installation SET schema_version = 999").await;
    let (code, text) = refused(&env).await;
    assert!(code == Some(78) && text.contains("version 999") && text.contains("upgrade chatpushd"), "{text}");
    let migrated = Daemon::command(&env, &["migrate"]).await;
    assert!(!migrated.status.success());
    env.execute(&format!("UPDATE chatpush_installation SET schema_version = {}", version[0])).await;

    let daemon = env.daemon().await;
    let key = env.prefix().installation();
    let record: String = env.redis(&["GET", &key]).await;
    daemon.stop();
    let newer = record.replace("\"entries\":2", "\"entries\":3");
    assert_ne!(newer, record);
    let _: String = env.redis(&["SET", &key, &newer]).await;
    let (code, text) = refused(&env).await;
    assert!(code == Some(78) && text.contains("generation 3"), "{code:?} {text}");
}

/// Redis has lost its data. The daemon restores the record without a restart.
#[tokio::test]
async fn lost_record_is_restored() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let _daemon = env.daemon().await;
    let key = env.prefix().installation();
    let record: String = env.redis(&["GET", &key]).await;
    let _: u64 = env.redis(&["DEL", &key]).await;
    let found = async || env.redis::<Option<String>>(&["GET", &key]).await;
    eventually("it is there again", found, |found| found.as_ref() == Some(&record)).await;
    assert_eq!(env.php().get("var_dump(storeOfflineMessage(1, 2, 'x'));").await.trim(), "bool(true)");
}

/// Code that prints the result of a call as JSON, or why it was refused.
fn refusal(call: &str) -> String {
    format!(
        "try {{ echo json_encode({call}); }}
         catch (ChatPush\\Exception $e) {{
             echo get_class($e), ' ', $e->getOutcome()->name, ' ', $e->getMessage();
         }}"
    )
}
