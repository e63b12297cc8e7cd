//! The tables of chatpush, and their versions.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

use super::refused;

/// A daemon that was started too early begins by itself.
#[tokio::test]
async fn daemon_waits_for_its_tables() {
    let env = TestEnv::bare().await;
    let daemon = Daemon::launch(&env);
    eventually(
        "it says what is missing",
        || daemon.get("/ready"),
        |text| text.contains("503") && text.contains("the tables of chatpush are missing"),
    )
    .await;
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    eventually("it is ready", || daemon.is_ready(), |ready| *ready).await;
}

#[tokio::test]
async fn tables_without_their_installation_are_named() {
    let env = TestEnv::bare().await;
    env.execute("CREATE TABLE chatpush_position (partition_id tinyint unsigned NOT NULL PRIMARY KEY)").await;
    let output = Daemon::command(&env, &["migrate"]).await;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("is there without chatpush_installation"), "{text}");
}

/// Each change of the tables may have been interrupted, and starts again.
#[tokio::test]
async fn changes_of_the_tables_are_applied_once() {
    let env = TestEnv::new().await;
    let columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() \
                   AND table_name = 'chatpush_message' ORDER BY ordinal_position";
    let all: Vec<String> = env.query(columns).await;
    assert!(all.contains(&"conversation".to_owned()), "{all:?}");
    let older = "ALTER TABLE chatpush_message DROP COLUMN conversation; \
                 ALTER TABLE chatpush_dead DROP INDEX entry_id, ADD UNIQUE INDEX entry_id (partition_id, log_id)";
    for change in [older, "DO 0"] {
        env.execute(change).await;
        env.execute("UPDATE chatpush_installation SET schema_version = 1").await;
        let upgraded = Daemon::command(&env, &["migrate"]).await;
        assert!(upgraded.status.success(), "{upgraded:?}");
        assert!(String::from_utf8_lossy(&upgraded.stdout).contains("version 2: added the conversation"));
        assert_eq!(env.query::<String>(columns).await, all);
    }
}

/// A table that an older version has made gets what later versions have added.
#[tokio::test]
async fn table_of_users_who_are_due_is_upgraded() {
    let env = TestEnv::bare().await.with("CHATPUSH_NOTIFY_AFTER", "600");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    let made = "SHOW CREATE TABLE chatpush_notified";
    let all: Vec<(String, String)> = env.query(made).await;
    env.execute("ALTER TABLE chatpush_notified DROP KEY exit_offer_at, DROP COLUMN `exit`").await;
    env.execute("UPDATE chatpush_installation SET schema_version = 11").await;
    let upgraded = Daemon::command(&env, &["migrate"]).await;
    assert!(upgraded.status.success(), "{upgraded:?}");
    let now: Vec<(String, String)> = env.query(made).await;
    // The column stands last now, so the lines are in another order.
    let sorted = |table: &[(String, String)]| {
        let mut lines: Vec<_> =
            table[0].1.lines().map(|line| line.trim_end_matches(',').to_owned()).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&now), sorted(&all));
}

/// The tables of one version before are upgraded step by step: no data is lost, and daemons of each version
/// refuse the tables of another by name.
#[tokio::test]
async fn tables_are_upgraded_with_their_data() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let version = "SELECT schema_version FROM chatpush_installation";
    let latest = env.query::<u16>(version).await[0];
    let set = async |version: u16| {
        env.execute(&format!("UPDATE chatpush_installation SET schema_version = {version}")).await;
    };
    let daemon = env.daemon().await;
    env.php().get("ChatPush\\sendMessage(1, 2, 'confirmed', 'image', 'a');").await;
    let client = daemon.connect(2).await.keep_reading();
    eventually("it is confirmed", || env.stored(2), Vec::is_empty).await;
    client.abort();
    env.php().get("ChatPush\\sendMessage(1, 2, 'kept', 'sticker', 'b');").await;
    daemon.stop();
    let data = async || {
        let mut rows = Vec::new();
        for table in ["chatpush_position", "chatpush_message", "chatpush_confirmed", "chatpush_dead"] {
            rows.push(
                env.servers().sql(&format!("USE {}; SELECT * FROM {table} ORDER BY 1, 2", env.name())).await,
            );
        }
        let uuid: Vec<String> = env.query("SELECT uuid FROM chatpush_installation").await;
        (rows, uuid)
    };
    let before = data().await;
    assert!(before.0[..3].iter().all(|rows| !rows.is_empty()), "{before:?}");

    for older in 0..latest {
        set(older).await;
        let daemon = Daemon::launch(&env);
        let named = format!("version {older} and this chatpushd needs {latest}");
        let ready = async || daemon.get("/ready").await;
        eventually("it names what is missing", ready, |text| text.contains(&named)).await;
        let migrated = Daemon::command(&env, &["migrate"]).await;
        let text = String::from_utf8_lossy(&migrated.stdout).into_owned();
        assert!(migrated.status.success(), "{migrated:?}");
        for step in 1..=latest {
            assert_eq!(text.contains(&format!("\nversion {step}: ")), step > older, "{text}");
        }
        assert_eq!(env.query::<u16>(version).await, [latest]);
        assert_eq!(data().await, before);
        eventually("it goes on by itself", || daemon.is_ready(), |ready| *ready).await;
        daemon.stop();
    }

    let daemon = env.daemon().await;
    let frame = daemon.connect_with(2, "chatpush.v1").await.json().await;
    assert_eq!((frame["data"].as_str(), frame["type"].as_str()), (Some("kept"), Some("sticker")));
    daemon.stop();
    set(latest + 1).await;
    let named = format!("version {} and this chatpushd knows {latest}: upgrade chatpushd", latest + 1);
    let older =
        env.clone().with("CHATPUSH_LISTEN", "127.0.0.1:0").with("CHATPUSH_ADMIN_LISTEN", "127.0.0.1:0");
    let (code, text) = refused(&older).await;
    assert!(code == Some(78) && text.contains(&named), "{code:?} {text}");
    let migrated = Daemon::command(&env, &["migrate"]).await;
    let text = String::from_utf8_lossy(&migrated.stderr).into_owned();
    assert!(!migrated.status.success() && text.contains(&named), "{text}");
}
