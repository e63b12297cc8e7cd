//! The column of contents, which stands in the record.

use chatpush_stack::folder::Folder;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use chatpush_wire::installation::{ContentColumn, Installation};

use super::refusal;

/// Changes the column of contents, and waits until the daemon has recorded it.
async fn change_content(env: &TestEnv, data_type: &str, charset: &str) -> ContentColumn {
    let modify = "ALTER TABLE offline_message MODIFY content";
    env.execute(&format!("{modify} {data_type} CHARACTER SET {charset} NOT NULL")).await;
    let key = env.prefix().installation();
    let recorded = async || {
        let record: String = env.redis(&["GET", &key]).await;
        Installation::decode(&record).expect("a record").content
    };
    // MySQL before 8.0.29 has another name for it.
    let is_recorded = |name: &str| name == charset || (name, charset) == ("utf8", "utf8mb3");
    eventually("it is recorded", recorded, |content| is_recorded(&content.charset)).await
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
