use chatpush_tests::daemon::Daemon;
use chatpush_tests::test_env::TestEnv;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn migrate_alters_no_existing_table() {
    let env = TestEnv::bare().await;
    let first = Daemon::command(&env, &["migrate"]).await;
    assert!(first.status.success() && text(&first.stdout).contains("offline_message: created"));
    let again = Daemon::command(&env, &["migrate"]).await;
    assert!(again.status.success() && !text(&again.stdout).contains("created"), "{}", text(&again.stdout));

    let other = TestEnv::bare().await;
    other.execute("CREATE TABLE offline_message (id int) ENGINE=MyISAM").await;
    assert!(Daemon::command(&other, &["migrate"]).await.status.success());
    let kept: Vec<(String, String)> = other.query("SHOW CREATE TABLE offline_message").await;
    assert!(kept[0].1.contains("MyISAM") && !kept[0].1.contains("sender_id"), "the table was altered");
}

/// Whoever maps a table or column has a table of users, so none is made. The queue is made.
#[tokio::test]
async fn migrate_makes_no_table_of_users_beside_mapped_ones() {
    let env = TestEnv::bare().await;
    for (variable, value, missing) in [
        ("CHATPUSH_MYSQL_TABLES_OFFLINE_MESSAGE", "mailbox", "user"),
        ("CHATPUSH_MYSQL_TABLES_USER", "members", "members"),
        ("CHATPUSH_MYSQL_COLUMNS_USER_ID", "uid", "user"),
    ] {
        let migrated = Daemon::command(&env.clone().with(variable, value), &["migrate"]).await;
        assert_eq!(migrated.status.code(), Some(1), "{variable}");
        assert!(text(&migrated.stdout).contains(&format!("{missing}: is missing")), "{variable}");
        assert!(text(&migrated.stderr).contains("mysql.tables.user"), "{}", text(&migrated.stderr));
    }
    let made: Vec<String> = env.query("SHOW TABLES").await;
    assert!(made.contains(&"mailbox".to_owned()), "{made:?}");
    assert!(!made.contains(&"user".to_owned()) && !made.contains(&"members".to_owned()), "{made:?}");

    env.execute("CREATE TABLE members (id int PRIMARY KEY, unread_count int NOT NULL DEFAULT 0)").await;
    let migrated = Daemon::command(&env.with("CHATPUSH_MYSQL_TABLES_USER", "members"), &["migrate"]).await;
    assert!(migrated.status.success() && text(&migrated.stdout).contains("members: is there, left as it is"));
}

#[tokio::test]
async fn invalid_configuration_reports_all_errors_and_exits_64() {
    let env = TestEnv::bare()
        .await
        .with("CHATPUSH_LISTEN", "nowhere")
        .with("CHATPUSH_SECRET", "too-short-a-secret")
        .with("CHATPUSH_COUNT_UNREAD", "maybe");
    for command in ["run", "check", "migrate"] {
        let output = Daemon::command(&env, &[command]).await;
        let report = text(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{report}");
        for name in ["CHATPUSH_LISTEN", "CHATPUSH_SECRET", "CHATPUSH_COUNT_UNREAD"] {
            assert!(report.contains(name), "{report}");
        }
        assert!(!report.contains("too-short-a-secret"), "the report shows a secret");
    }
    let defaults = Daemon::command(&env, &["default-config"]).await;
    assert_eq!(text(&defaults.stdout), include_str!("../../chatpush.toml.example"), "needs no configuration");
    assert_eq!(Daemon::command(&env, &["dance"]).await.status.code(), Some(64));
    assert_eq!(Daemon::command(&env, &["--help"]).await.status.code(), Some(0));
    assert_eq!(Daemon::command(&env, &["--version"]).await.status.code(), Some(0));
}

/// The functions in memory would stay unused, and a test would meet the real ones.
#[tokio::test]
async fn the_functions_in_memory_say_that_the_extension_is_loaded() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../php/testing/chatpush.php");
    let code =
        format!("try {{ require '{file}'; }} catch (LogicException $error) {{ echo $error->getMessage(); }}");
    let said = TestEnv::bare().await.php().get(&code).await;
    assert!(said.contains("the extension chatpush is loaded"), "{said}");
}

/// A reader such as `head` closes the pipe, and the command ends its work.
#[tokio::test]
async fn commands_end_their_work_without_a_reader() {
    let env = TestEnv::bare().await;
    let without_reader = async |arguments: &[&str]| {
        let mut command =
            std::process::Command::new(chatpush_stack::artifacts::daemon().expect("it is built"));
        command.args(arguments).envs(env.environment());
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        command.stdout(writer.try_clone().expect("a pipe")).stderr(writer);
        tokio::task::spawn_blocking(move || command.status())
            .await
            .expect("it ends")
            .expect("it starts")
            .code()
    };
    assert_eq!(without_reader(&["migrate"]).await, Some(0));
    let again = Daemon::command(&env, &["migrate"]).await;
    assert!(!text(&again.stdout).contains("created"), "{}", text(&again.stdout));
    for arguments in
        [&["check"][..], &["check", "--json"], &["dead", "list"], &["token", "2"], &["default-config"]]
    {
        assert_eq!(without_reader(arguments).await, Some(0), "{arguments:?}");
    }
    // What is refused is refused.
    assert_eq!(without_reader(&["adopt", "--mark"]).await, Some(64));
}

#[tokio::test]
async fn port_in_use_is_reported() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address").to_string();
    let env = TestEnv::bare().await.with("CHATPUSH_LISTEN", address.clone());
    let output = Daemon::command(&env, &["run"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains(&format!("cannot listen on {address} (CHATPUSH_LISTEN)")));
}
