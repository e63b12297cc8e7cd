//! Redis, the database and the versions of an installation must belong together.

use chatpush_stack::folder::Folder;
use chatpush_stack::redis::Redis;
use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use chatpush_wire::installation::{ContentColumn, Installation};

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

/// A new kind of entry is written only when every daemon reads it.
#[tokio::test]
async fn generation_of_entries_rises_when_every_daemon_reads_it() {
    let env = TestEnv::new().await;
    let key = env.prefix().installation();
    let heartbeats = env.prefix().heartbeats();
    let daemon = env.daemon().await;
    let record: String = env.redis(&["GET", &key]).await;
    daemon.stop();
    let older = record.replace("\"entries\":2", "\"entries\":1");
    let _: String = env.redis(&["SET", &key, &older]).await;
    // A daemon of an older version lives: its heartbeat says what it reads.
    let _: u64 = env.redis(&["DEL", &heartbeats]).await;
    let _: u64 = env.redis(&["HSET", &heartbeats, "older", "99999999999999 1 1"]).await;
    let _daemon = env.daemon().await;
    let judged = async || env.redis::<Option<String>>(&["HGET", &heartbeats, "silent"]).await;
    let _: u64 = env.redis(&["HSET", &heartbeats, "silent", "1 1 1"]).await;
    eventually("the daemon judges the others", judged, Option::is_none).await;
    assert_eq!(env.redis::<String>(&["GET", &key]).await, older);
    let _: u64 = env.redis(&["HDEL", &heartbeats, "older"]).await;
    let found = async || env.redis::<String>(&["GET", &key]).await;
    eventually("it rises", found, |found| *found == record).await;
}

/// What a daemon writes by itself keeps to that, too.
#[tokio::test]
async fn new_entries_of_daemons_wait_until_every_daemon_reads_them() {
    let env = TestEnv::bare().await.with("CHATPUSH_UNREAD_BY_CONVERSATION", "true").set_up().await;
    // Both are of one partition.
    env.users(&[2, 66]).await;
    let (key, heartbeats) = (env.prefix().installation(), env.prefix().heartbeats());
    let daemon = env.daemon().await;
    env.execute(REFUSE_DELETES).await;
    let code = "ChatPush\\sendMessage(1, 2, 'to a team', message_id: 'a', conversation: 'team');
                storeOfflineMessage(1, 66, 'to one');
                try { ChatPush\\recallMessage(1, 2, 'a'); } catch (ChatPush\\Exception $e) { echo 'refused'; }";
    assert_eq!(env.php().get(code).await, "refused");
    let record: String = env.redis(&["GET", &key]).await;
    daemon.stop();
    env.execute("DROP TRIGGER keep").await;
    let older = record.replace("\"entries\":2", "\"entries\":1");
    let _: String = env.redis(&["SET", &key, &older]).await;
    let _: u64 = env.redis(&["DEL", &heartbeats]).await;
    let _: u64 = env.redis(&["HSET", &heartbeats, "older", "99999999999999 1 1"]).await;

    let daemon = env.daemon().await;
    let (mut team, mut other) =
        (daemon.connect_with(2, "chatpush.v1").await, daemon.connect_with(66, "chatpush.v1").await);
    team.until_unread_count().await;
    other.until_unread_count().await;
    let read_team = r#"{"read":{"conversation":"team"}}"#;
    team.send_text(read_team).await;
    other.send_text(r#"{"read":true}"#).await;
    eventually("the clear of every generation is applied", || env.unread(66), |unread| *unread == 0).await;
    assert_eq!((env.log_length(2).await, env.unread(2).await), (0, 1));
    let retry = async || Daemon::command(&env, &["dead", "retry", "--all"]).await;
    let refused = retry().await;
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && text.contains("an older version is running"), "{text}");
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await, [1]);

    let _: u64 = env.redis(&["HDEL", &heartbeats, "older"]).await;
    let found = async || env.redis::<String>(&["GET", &key]).await;
    eventually("every daemon reads them", found, |found| *found == record).await;
    let again = tokio::sync::Mutex::new(daemon.connect_with(2, "chatpush.v1").await);
    again.lock().await.until_unread_count().await;
    let cleared = async || {
        again.lock().await.send_text(read_team).await;
        env.unread(2).await
    };
    eventually("the conversation is cleared", cleared, |unread| *unread == 0).await;
    let retried = retry().await;
    assert!(retried.status.success(), "{retried:?}");
    eventually("the message is recalled", || env.stored_count(2), |count| *count == 0).await;
}

/// A trigger that lets no row of user 2 go.
const REFUSE_DELETES: &str = "CREATE TRIGGER keep BEFORE DELETE ON offline_message FOR EACH ROW \
    IF OLD.receiver_id = 2 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'kept'; END IF";

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
async fn tables_of_a_development_version_are_named() {
    let env = TestEnv::bare().await;
    env.execute("CREATE TABLE chatpush_position (partition_id tinyint unsigned NOT NULL PRIMARY KEY)").await;
    let output = Daemon::command(&env, &["migrate"]).await;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("drop the tables chatpush_*"), "{text}");
}

/// PHP and the daemon use different database numbers of one Redis. Channels ignore the number, so the daemon
/// seems to be there, and so do its clients.
#[tokio::test]
async fn php_on_another_database_number_is_refused() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let _client = daemon.connect(2).await.keep_reading();
    let php = env.php();
    let online = async || php.get("var_dump(ChatPush\\isOnline(2));").await;
    eventually("the user is connected", online, |text| text.trim() == "bool(true)").await;

    let other = env.php().with(&format!("chatpush.redis_url=\"{}?db=3\"", env.servers().redis_url()));
    for call in
        ["storeOfflineMessage(1, 2, 'x')", "ChatPush\\sendToUsers(1, [2], 'x')"].iter().chain(&LIVE_CALLS)
    {
        for durability in ["committed", "queued"] {
            let text =
                other.clone().with(&format!("chatpush.durability={durability}")).get(&refusal(call)).await;
            assert!(
                text.starts_with("ChatPush\\UnavailableException NotQueued ")
                    && text.contains("database 3")
                    && text.contains("nothing was queued"),
                "{call}: {text}"
            );
        }
    }
    assert_eq!(php.get("var_dump(storeOfflineMessage(1, 2, 'x'));").await.trim(), "bool(true)");
}

/// Redis has lost the record, and the daemon has not restored it yet. Nobody seems to be absent meanwhile.
#[tokio::test]
async fn nobody_counts_as_absent_while_the_record_is_lost() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let mut client = daemon.connect(2).await;
    client.until_unread_count().await;
    daemon.process().signal("STOP");
    let _: u64 = env.redis(&["DEL", &env.prefix().installation()]).await;
    let php = env.php();
    for call in LIVE_CALLS {
        let text = php.get(&refusal(call)).await;
        assert!(
            text.starts_with("ChatPush\\UnavailableException NotQueued ") && text.contains("no installation"),
            "{call}: {text}"
        );
    }
    daemon.process().signal("CONT");
    let pushed = async || php.get(&refusal("pushMessage(2, 'back', 'text')")).await;
    eventually("it is restored", pushed, |text| text == "true").await;
    assert_eq!(client.json().await["data"], "back");

    // Without a daemon nobody is connected.
    drop(client);
    daemon.stop();
    let _: u64 = env.redis(&["DEL", &env.prefix().installation()]).await;
    for (call, nobody) in LIVE_CALLS.iter().zip(["false", "false", "[]", "[]"]) {
        assert_eq!(php.get(&refusal(call)).await, nobody, "{call}");
    }
}

/// Calls whose answer could be that nobody is connected.
const LIVE_CALLS: [&str; 4] = [
    "pushMessage(2, 'x', 'text')",
    "ChatPush\\isOnline(2)",
    "ChatPush\\pushToUsers([2], 'x', 'text')",
    "ChatPush\\getOnlineUsers([2])",
];

/// Code that prints the result of a call as JSON, or why it was refused.
fn refusal(call: &str) -> String {
    format!(
        "try {{ echo json_encode({call}); }}
         catch (ChatPush\\Exception $e) {{
             echo get_class($e), ' ', $e->getOutcome()->name, ' ', $e->getMessage();
         }}"
    )
}

/// Two daemons that each found no record would each write one, and end each other's writer for ever.
#[tokio::test]
async fn daemon_on_another_redis_is_refused_while_one_writes() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let folder = Folder::new().expect("a folder is created");
    let second = Redis::start(folder.path()).await.expect("Redis starts");
    let other =
        env.clone().with("CHATPUSH_LISTEN", "127.0.0.1:0").with("CHATPUSH_ADMIN_LISTEN", "127.0.0.1:0");
    let other_number = format!("{}?db=3", env.servers().redis_url());
    for url in [second.url(), other_number] {
        let wrong = other.clone().with("CHATPUSH_REDIS_URL", url);
        let (code, text) = refused(&wrong).await;
        assert!(code == Some(78) && text.contains("does not use this Redis"), "{code:?} {text}");
        let check = Daemon::command(&wrong, &["check"]).await;
        let text = String::from_utf8_lossy(&check.stdout).into_owned();
        assert!(!check.status.success() && text.contains("does not use this Redis"), "{text}");
    }
    assert_eq!(env.php().get("var_dump(storeOfflineMessage(1, 2, 'x'));").await.trim(), "bool(true)");

    // The installation moves to the other Redis once nobody writes.
    daemon.stop();
    let moved = env.clone().with("CHATPUSH_REDIS_URL", second.url());
    let moved = moved.daemon().await;
    assert!(moved.is_ready().await);
}

/// Changes the column of contents, and waits until the daemon has recorded it.
async fn change_content(env: &TestEnv, data_type: &str, charset: &str) -> ContentColumn {
    let modify = "ALTER TABLE offline_message MODIFY content";
    env.execute(&format!("{modify} {data_type} CHARACTER SET {charset} NOT NULL")).await;
    let key = env.prefix().installation();
    let recorded = async || {
        let record: String = env.redis(&["GET", &key]).await;
        Installation::decode(&record).expect("a record").content
    };
    eventually("it is recorded", recorded, |content| content.charset == charset).await
}

/// The receiver must not see what is then refused and sent again.
#[tokio::test]
async fn content_that_the_column_cannot_hold_is_refused_before_it_is_seen() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let mut client = daemon.connect(2).await;
    client.until_unread_count().await;
    let php = env.php();
    let calls = [
        "ChatPush\\sendMessage(1, 2, TEXT)",
        "storeOfflineMessage(1, 2, TEXT)",
        "ChatPush\\sendToUsers(1, [2], TEXT)",
    ];
    let send = |call: &str, text: &str| format!("{};", refusal(&call.replace("TEXT", text)));
    for (charset, held) in [("utf8mb3", "é 消"), ("latin1", "é €"), ("gbk", "é 消")] {
        change_content(&env, "varchar(20)", charset).await;
        for call in calls {
            for (text, named) in [("'hi 😀'", "U+1F600"), ("str_repeat('x', 21)", "20 characters")] {
                let refused = php.get(&send(call, text)).await;
                assert!(
                    refused.starts_with("ChatPush\\Exception NotQueued ") && refused.contains(named),
                    "{charset}, {call}: {refused}"
                );
            }
        }
        if charset == "latin1" {
            assert!(php.get(&send(calls[0], "'消'")).await.contains("U+6D88"));
        }
        assert_eq!(php.get(&send(calls[0], &format!("'{held}'"))).await, "\"live\"");
        let shown = loop {
            let frame = client.json().await;
            if frame["type"] != "unread_count" {
                break frame;
            }
        };
        assert_eq!(shown["data"], held, "nothing was shown before");
        assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_dead").await, [0]);
        // The next character set cannot hold it.
        env.execute("DELETE FROM offline_message").await;
    }

    // The column is changed under running daemons and workers.
    env.execute("ALTER TABLE offline_message MODIFY content text CHARACTER SET utf8mb4 NOT NULL").await;
    let stored = async || php.get(&send(calls[0], "'hi 😀'")).await;
    eventually("it is taken", stored, |text| text == "\"live\"").await;
}

/// What is refused beforehand is what the server would refuse, and nothing else.
#[tokio::test]
async fn characters_of_a_column_are_those_of_its_server() {
    let env = TestEnv::new().await;
    let _daemon = env.daemon().await;
    for charset in ["latin1", "gbk", "big5", "swe7"] {
        let known = change_content(&env, "text", charset).await.characters.expect("they are known");
        // The server itself stores them one by one, as far as it can.
        env.execute(&format!("CREATE TABLE {charset} (c char(1) CHARACTER SET {charset} NOT NULL)")).await;
        let tried = format!(
            "INSERT IGNORE INTO {charset} SELECT CONVERT(UNHEX(LPAD(HEX(seq), 8, '0')) USING utf32) \
             FROM seq_64_to_55295"
        );
        env.execute(&tried).await;
        let stored = format!("SELECT COUNT(*) FROM {charset} WHERE HEX(c) <> '3F'");
        let held = ('@'..='\u{d7ff}').filter(|one| known.contains(*one)).count();
        assert_eq!(env.query::<u64>(&stored).await, [held as u64], "{charset}");
        assert!(known.contains('a') && known.contains('?'), "{charset}");
    }
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

/// A worker that lives on notices a column that holds less than when its connection was opened.
#[tokio::test]
async fn column_that_is_narrowed_is_noticed_by_a_worker_that_lives_on() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let _daemon = env.daemon().await;
    let folder = Folder::new().expect("a folder is created");
    let started = folder.path().join("started");
    // MySQL refuses what is sent before the worker knows.
    let code = format!(
        "ChatPush\\sendMessage(1, 2, 'hi 😀'); touch('{}');
         for ($end = time() + 60; time() < $end; usleep(100000)) {{
             try {{ ChatPush\\sendMessage(1, 2, 'hi 😀'); }}
             catch (ChatPush\\Exception $e) {{ if (str_contains($e->getMessage(), 'U+1F600')) exit('noticed'); }}
         }}",
        started.display()
    );
    let php = env.php();
    let worker = tokio::spawn(async move { php.get(&code).await });
    eventually("the worker runs", async || started.exists(), |started| *started).await;
    // No message may come in between: the column could not be narrowed then.
    let narrow = "LOCK TABLES offline_message WRITE; DELETE FROM offline_message; \
                  ALTER TABLE offline_message MODIFY content varchar(20) CHARACTER SET utf8mb3 NOT NULL";
    env.servers().sql(&format!("USE {}; {narrow}", env.name())).await;
    assert_eq!(worker.await.expect("PHP ran"), "noticed");
}
