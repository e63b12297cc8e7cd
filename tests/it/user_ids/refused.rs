use std::process::Stdio;

use chatpush_tests::client::Client;
use chatpush_tests::daemon::{Daemon, token_of};
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::{SECRET, TestEnv};
use chatpush_wire::id::UserIdType;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

/// What a daemon says that must not start, with exit code 78.
async fn start(env: &TestEnv) -> String {
    let env = env.clone().with("CHATPUSH_LISTEN", "127.0.0.1:0").with("CHATPUSH_ADMIN_LISTEN", "127.0.0.1:0");
    let output = Daemon::command(&env, &["run"]).await;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(78), "{text}");
    text
}

/// What `chatpushd check` finds wrong.
async fn check(env: &TestEnv, column: &str) -> String {
    let output = Daemon::command(env, &["check", "--json"]).await;
    assert_eq!(output.status.code(), Some(1));
    let findings: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let name = format!("column {column}");
    let found = findings.as_array().into_iter().flatten().find(|found| found["name"] == *name);
    let found = found.unwrap_or_else(|| panic!("{findings}"));
    assert_eq!(found["status"], "wrong", "{found}");
    found["text"].as_str().expect("a text").to_owned()
}

/// `Bob` and `bob` would be two users in Redis and one in the table.
#[tokio::test]
async fn column_that_ignores_case_is_refused() {
    let env = TestEnv::with_user_ids(UserIdType::Text).await;
    env.execute("ALTER TABLE `user` MODIFY id varchar(64) COLLATE utf8mb4_general_ci NOT NULL").await;
    for text in [start(&env).await, check(&env, "user.id").await] {
        assert!(text.contains("utf8mb4_general_ci takes Bob and bob for one user"), "{text}");
        assert!(
            text.contains("ALTER TABLE `user` MODIFY `id` varchar(64) CHARACTER SET ascii COLLATE ascii_bin")
        );
    }
    env.execute("ALTER TABLE `user` MODIFY id varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL")
        .await;
    env.daemon().await.stop();
}

#[tokio::test]
async fn column_of_another_type_is_named() {
    let env = TestEnv::with_user_ids(UserIdType::Text).await;
    env.execute("ALTER TABLE offline_message MODIFY receiver_id int NOT NULL").await;
    for text in [start(&env).await, check(&env, "offline_message.receiver_id").await] {
        assert!(text.contains("int must be one of varchar, char for user ids of type text"), "{text}");
    }
    let env = TestEnv::with_user_ids(UserIdType::BigInt).await;
    env.execute("ALTER TABLE offline_message MODIFY sender_id int NOT NULL").await;
    let text = check(&env, "offline_message.sender_id").await;
    assert!(text.contains("int must be one of bigint for user ids of type bigint"), "{text}");
    let env = TestEnv::new().await;
    env.execute("ALTER TABLE offline_message MODIFY sender_id varchar(64) NOT NULL").await;
    let text = check(&env, "offline_message.sender_id").await;
    assert!(
        text.contains("varchar must be one of int, bigint, mediumint for user ids of type int"),
        "{text}"
    );
    assert!(text.contains("set user_id_type = \"text\"") && !text.contains("ALTER"), "{text}");
}

/// MySQL refuses the statement while the keys are there; without them it mends both sides.
#[tokio::test]
async fn foreign_keys_are_named_with_the_statement_that_they_hinder() {
    let env = TestEnv::with_user_ids(UserIdType::Text).await;
    let login = "varchar(32) COLLATE utf8mb4_general_ci NOT NULL";
    for statement in [
        format!("ALTER TABLE `user` MODIFY id {login}"),
        format!("ALTER TABLE offline_message MODIFY receiver_id {login}"),
        "ALTER TABLE offline_message ADD CONSTRAINT fk_receiver FOREIGN KEY (receiver_id) REFERENCES `user` (id)"
            .to_owned(),
    ] {
        env.execute(&statement).await;
    }
    let keys = "(drop the foreign keys `fk_receiver` of `offline_message` first";
    assert!(start(&env).await.contains(keys));
    let fixes = [check(&env, "user.id").await, check(&env, "offline_message.receiver_id").await];
    env.execute("ALTER TABLE offline_message DROP FOREIGN KEY fk_receiver").await;
    for text in fixes {
        let (statement, rest) =
            text.split_once("; ").and_then(|(_, fix)| fix.split_once(" (")).expect("a fix");
        assert!(format!("({rest}").starts_with(keys), "{text}");
        env.execute(statement).await;
    }
    env.execute(
        "ALTER TABLE offline_message ADD CONSTRAINT fk_receiver FOREIGN KEY (receiver_id) REFERENCES `user` (id)",
    )
    .await;
    env.daemon().await.stop();
}

/// A name with a space is none.
#[tokio::test]
async fn ids_that_no_call_can_name_are_warned_of() {
    let env = TestEnv::with_user_ids(UserIdType::Text).await;
    env.execute("INSERT INTO `user` (id, username, password) VALUES ('tom 9', 'a', ''), ('mira.k', 'b', '')")
        .await;
    let output = Daemon::command(&env, &["check", "--json"]).await;
    let findings: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let ids: Vec<_> = findings
        .as_array()
        .into_iter()
        .flatten()
        .filter(|found| found["name"].as_str().is_some_and(|name| name.starts_with("ids in ")))
        .collect();
    assert_eq!(ids.len(), 1, "{findings}");
    assert_eq!((&ids[0]["name"], &ids[0]["status"]), (&"ids in user.id".into(), &"warning".into()));
    let text = ids[0]["text"].as_str().expect("a text");
    assert!(text.starts_with("\"tom 9\" can be no user id"), "{text}");
}

/// The installation keeps its type, in Redis and in the database.
#[tokio::test]
async fn another_type_on_an_installation_is_refused() {
    let env = TestEnv::new().await;
    let changed = env.clone().with("CHATPUSH_USER_ID_TYPE", "text");
    let text = start(&changed).await;
    assert!(
        text.contains("made for user ids of type int") && text.contains("CHATPUSH_USER_ID_TYPE"),
        "{text}"
    );
    let migrated = Daemon::command(&changed, &["migrate"]).await;
    assert!(!migrated.status.success(), "{migrated:?}");

    let env = TestEnv::bare().await.with("CHATPUSH_STORAGE", "none");
    env.daemon().await.stop();
    let text = start(&env.clone().with("CHATPUSH_USER_ID_TYPE", "bigint")).await;
    assert!(text.contains("user ids of type int and this daemon of type bigint"), "{text}");
    assert!(text.contains("(redis-cli DEL <prefix>:installation)") && text.contains("PHP-FPM"), "{text}");
}

/// A process of PHP that lives long reads the type again before it refuses an id.
#[tokio::test]
async fn php_notices_another_type_without_a_restart() {
    let env = TestEnv::bare().await.with("CHATPUSH_STORAGE", "none");
    env.daemon().await.stop();
    let text = env.clone().with("CHATPUSH_USER_ID_TYPE", "text");
    let code = "echo json_encode(pushMessage(5, 'x', 'chat')), \"\\n\";
        fgets(STDIN);
        foreach (['mira', ['mira', 5]] as $to) {
            try { echo json_encode(is_array($to) ? ChatPush\\pushToUsers($to, 'x', 'chat') : pushMessage($to, 'x', 'chat')); }
            catch (ValueError $error) { echo $error->getMessage(); }
        }";
    let mut php = env.php().program(["-r", code]);
    let mut php = php.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("php starts");
    let mut printed = BufReader::new(php.stdout.take().expect("a pipe"));
    let mut line = String::new();
    printed.read_line(&mut line).await.expect("it can be read");
    assert_eq!(line, "false\n");
    let _: u64 = env.redis(&["DEL", &env.prefix().installation()]).await;
    let daemon = text.daemon().await;
    let mut page = daemon.connect_as("mira").await;
    let online = || async { env.php().get("echo json_encode(ChatPush\\isOnline('mira'));").await };
    eventually("she is online", online, |online| online == "true").await;
    php.stdin.take().expect("a pipe").write_all(b"\n").await.expect("it reads");
    let mut rest = String::new();
    printed.read_to_string(&mut rest).await.expect("it can be read");
    assert_eq!(rest, "true[\"mira\"]");
    assert_eq!(page.json().await["data"], "x");
}

#[tokio::test]
async fn unknown_type_is_a_wrong_setting() {
    let env = TestEnv::bare().await.with("CHATPUSH_USER_ID_TYPE", "uuid");
    let output = Daemon::command(&env, &["check"]).await;
    assert_eq!(output.status.code(), Some(64));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("CHATPUSH_USER_ID_TYPE") && text.contains("must be int, bigint or text"), "{text}");
}

/// A `ValueError` that names the argument, before anything is sent; also where errors are warnings.
#[tokio::test]
async fn ids_of_another_type_are_value_errors() {
    let all = "$calls = [
        fn ($id) => pushMessage($id, 'x', 'chat'), fn ($id) => ChatPush\\isOnline($id),
        fn ($id) => ChatPush\\disconnectUser($id), fn ($id) => storeOfflineMessage($id, 1, 'x'),
        fn ($id) => storeOfflineMessage(1, $id, 'x'), fn ($id) => ChatPush\\sendMessage($id, 1, 'x'),
        fn ($id) => ChatPush\\sendMessage(1, $id, 'x'), fn ($id) => getOfflineMessage($id),
        fn ($id) => getUnreadCount($id), fn ($id) => ChatPush\\clearUnreadCount($id),
        fn ($id) => ChatPush\\ackOfflineMessage($id, [1]), fn ($id) => ChatPush\\getOnlineUsers(['k' => $id]),
        fn ($id) => ChatPush\\pushToUsers(['k' => $id], 'x', 'chat'),
    ];
    foreach ($calls as $at => $call) {
        foreach ($ids as $id) {
            try { $call($id); echo \"$at: \", json_encode($id), ' is accepted'; }
            catch (ValueError $error) { $texts[] = $error->getMessage(); }
        }
    }
    echo implode(\"\\n\", array_unique($texts));";
    let long = "str_repeat('x', 65)";
    for (ids, bad, rule) in [
        (UserIdType::Int, "[0, -1, 2147483648, 'Bob', '5.0', '']", "between 1 and 2147483647"),
        (UserIdType::BigInt, "[0, '9223372036854775808', 'Bob']", "a number of 64 bits other than 0"),
        (
            UserIdType::Text,
            "['a:b', 'a b', 'é', '', LONG]",
            "1 to 64 characters of A-Z, a-z, 0-9, and . _ @ -",
        ),
    ] {
        let env = TestEnv::with_user_ids(ids).await;
        let _daemon = env.daemon().await;
        let bad = bad.replace("LONG", long);
        for errors in ["exception", "warning"] {
            let php = env.php().with(&format!("chatpush.errors={errors}"));
            let texts = php.get(&format!("$ids = {bad}; {all}")).await;
            assert!(!texts.contains("is accepted"), "{ids}: {texts}");
            assert!(texts.contains("getUnreadCount(): Argument #1 ($user_id) must be "), "{texts}");
            assert!(texts.contains("sendMessage(): Argument #2 ($receiver_id) must be "), "{texts}");
            assert!(texts.contains("$receiver_ids['k']"), "{texts}");
            assert!(texts.contains(rule), "{rule}: {texts}");
            let hint = format!("(user_id_type is {ids}; for ids such as Bob set it to text)");
            let hints = texts.matches("set it to text").count();
            assert_eq!(texts.contains(&hint), ids != UserIdType::Text, "{texts}");
            assert_eq!(hints, texts.matches(&hint).count(), "no other id looks like a name: {texts}");
        }
        assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM offline_message").await, [0]);
    }
}

/// PHP does not know the type, and the daemon refuses.
#[tokio::test]
async fn token_of_another_type_is_refused() {
    let env = TestEnv::with_user_ids(UserIdType::BigInt).await;
    let daemon = env.daemon().await;
    let token = env.php().get("echo ChatPush\\connectToken('Bob');").await;
    let refused = Client::connect(daemon.port(), &token, None).await.expect_err("it is refused");
    let reason =
        "token subject must be a user id (user_id_type is bigint; for ids such as guest-1 set it to text)";
    assert_eq!((refused.status, refused.reason.as_str()), (401, reason));
    let printed = Daemon::command(&env, &["token", "Bob"]).await;
    assert!(!printed.status.success());
    let printed = Daemon::command(&env, &["token", "-7"]).await;
    let token = String::from_utf8_lossy(&printed.stdout).trim().to_owned();
    assert!(Client::connect(daemon.port(), &token, None).await.is_ok(), "{printed:?}");
    let number = token_of(SECRET, i64::MIN, 60);
    assert!(Client::connect(daemon.port(), &number, None).await.is_ok());
}

/// It is listed with both users, and retried.
#[tokio::test]
async fn dead_letters_name_users_of_any_type() {
    let env = TestEnv::with_user_ids(UserIdType::Text).await;
    env.execute("INSERT INTO `user` (id, username, password) VALUES ('Bob', 'Bob', '')").await;
    env.execute(
        "CREATE TRIGGER guard BEFORE INSERT ON offline_message FOR EACH ROW \
         IF NEW.content = 'poison' THEN SIGNAL SQLSTATE '77777' SET MESSAGE_TEXT = 'not here'; END IF",
    )
    .await;
    let _daemon = env.daemon().await;
    let code = "try { ChatPush\\sendMessage('ann', 'Bob', 'poison', 'chat', 'a'); echo 'stored'; }
                catch (ChatPush\\Exception $error) { echo $error->getMessage(); }";
    let refused = env.php().get(code).await;
    assert!(refused.contains("chatpush_dead") && refused.contains("not here"), "{refused}");
    assert_eq!(env.php().get(code).await, refused, "a repeated call is answered alike");
    let listed = Daemon::command(&env, &["dead", "list"]).await;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("message ann:a from ann to Bob, "), "{listed}");
    env.execute("DROP TRIGGER guard").await;
    let retried = Daemon::command(&env, &["dead", "retry", "--all"]).await;
    assert!(retried.status.success(), "{retried:?}");
    let stored = || env.query::<String>("SELECT content FROM offline_message WHERE receiver_id = 'Bob'");
    eventually("it is stored", stored, |rows| rows == &["poison"]).await;
}
