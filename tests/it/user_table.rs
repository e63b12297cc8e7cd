//! What the users' table and the account in MySQL must have: without it no message could be stored.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

/// An installation whose account has these privileges on all tables, and its name.
async fn with_account(env: &TestEnv, privileges: &str) -> (TestEnv, String) {
    let database = env.name();
    let account = format!("a_{}@localhost", &database[3..]);
    let sql =
        format!("CREATE USER {account} IDENTIFIED BY 'pw'; GRANT {privileges} ON {database}.* TO {account}");
    env.servers().sql(&sql).await;
    let name = account.trim_end_matches("@localhost");
    let url = env.servers().mysql_url(database).replace("chatpush:pw", &format!("{name}:pw"));
    (env.clone().with("CHATPUSH_MYSQL_URL", url), account)
}

/// What a daemon says that does not start.
async fn refused(env: &TestEnv) -> String {
    let run = env.clone().with("CHATPUSH_LISTEN", "127.0.0.1:0").with("CHATPUSH_ADMIN_LISTEN", "127.0.0.1:0");
    let ran = Daemon::command(&run, &["run"]).await;
    let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    assert_eq!(ran.status.code(), Some(78), "{said}");
    said
}

#[tokio::test]
async fn a_column_of_users_that_is_missing_is_named_at_the_start() {
    for (variable, named) in [
        ("CHATPUSH_MYSQL_COLUMNS_UNREAD_COUNT", "user.other is missing (mysql.columns.unread_count)"),
        ("CHATPUSH_MYSQL_COLUMNS_USER_ID", "user.other is missing (mysql.columns.user_id)"),
    ] {
        let env = TestEnv::new().await.with(variable, "other");
        let said = refused(&env).await;
        assert!(said.contains(named), "{said}");
    }
}

/// On tables that `migrate` has just made, the account may only read.
#[tokio::test]
async fn missing_privileges_are_named_at_the_start() {
    let env = TestEnv::bare().await;
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    let (env, account) = with_account(&env, "SELECT").await;
    let said = refused(&env).await;
    assert!(said.contains("GRANT UPDATE, INSERT, DELETE ON `offline_message`"), "{said}");
    for (table, privileges) in
        [("offline_message", "INSERT, UPDATE, DELETE"), ("user", "UPDATE (unread_count)")]
    {
        let said = refused(&env).await;
        assert!(said.contains("GRANT UPDATE") && said.contains(&format!("ON `{table}`")), "{said}");
        env.servers().sql(&format!("GRANT {privileges} ON {}.{table} TO {account}", env.name())).await;
    }
    let own: Vec<String> = env.query("SHOW TABLES LIKE 'chatpush%'").await;
    for table in own {
        let sql = format!("GRANT INSERT, UPDATE, DELETE ON {}.{table} TO {account}", env.name());
        env.servers().sql(&sql).await;
    }
    let _daemon = env.daemon().await;
    env.users(&[2]).await;
    assert_eq!(env.php().get("var_dump(storeOfflineMessage(1, 2, 'x'));").await.trim(), "bool(true)");
    assert_eq!((env.stored(2).await, env.unread(2).await), (vec!["x".to_owned()], 1));
}

/// What an application does to its table while the daemon runs stops stores until it is mended, and no push.
#[tokio::test]
async fn pushes_go_on_while_the_counter_column_is_missing() {
    let env = TestEnv::new().await;
    env.users(&[2, 3]).await;
    let daemon = env.daemon().await;
    let mut before = daemon.connect_with(2, "chatpush.v1").await;
    before.until_unread_count().await;
    env.execute("ALTER TABLE `user` DROP COLUMN unread_count").await;
    let store = "try { storeOfflineMessage(1, 3, 'x'); } catch (ChatPush\\TimeoutException $e) {
        echo $e->getOutcome()->name; }";
    assert_eq!(env.php().with("chatpush.timeout_ms=3000").get(store).await, "Queued");
    let names =
        |ready: &String| ready.starts_with("HTTP/1.1 503") && ready.contains("user.unread_count is missing");
    eventually("the cause is named", || daemon.get("/ready"), names).await;

    let php = env.php();
    let mut after = daemon.connect_with(3, "chatpush.v1").await;
    for (client, user) in [(&mut before, 2), (&mut after, 3)] {
        let push = format!("var_dump(pushMessage({user}, 'pushed', 'text'));");
        let reached = |output: &String| output.trim() == "bool(true)";
        eventually("the client is reached", || php.get(&push), reached).await;
        assert_eq!(client.json().await["data"], "pushed");
    }

    env.execute("ALTER TABLE `user` ADD COLUMN unread_count int unsigned NOT NULL DEFAULT 0").await;
    eventually("it is stored", || env.stored(3), |rows| *rows == ["x"]).await;
    // The counter may come before the message, and again behind it.
    while after.json().await["data"] != "x" {}
    assert_eq!(env.unread(3).await, 1);
    eventually("the daemon is ready", || daemon.is_ready(), |ready| *ready).await;
}

/// A privilege that goes while the daemon runs stops every store, and `/ready` names it.
#[tokio::test]
async fn ready_names_why_nothing_is_stored() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let (env, account) = with_account(&env, "ALL").await;
    let daemon = env.daemon().await;
    let database = env.name();
    // A privilege on one table cannot be taken from those on all of them.
    let mut sql = vec![format!("REVOKE ALL ON {database}.* FROM {account}")];
    let tables: Vec<String> = env.query("SHOW TABLES").await;
    for table in &tables {
        let privileges = if table == "user" { "SELECT" } else { "SELECT, INSERT, UPDATE, DELETE" };
        sql.push(format!("GRANT {privileges} ON {database}.{table} TO {account}"));
    }
    env.servers().sql(&sql.join(";")).await;
    // A connection keeps what it had on the database.
    env.servers().end_connections_of(&account).await;
    let code = "try { storeOfflineMessage(1, 2, 'x'); } catch (ChatPush\\TimeoutException) { echo 'late'; }";
    assert_eq!(env.php().with("chatpush.timeout_ms=200").get(code).await, "late");
    let names = |ready: &String| {
        ready.starts_with("HTTP/1.1 503")
            && ready
                .lines()
                .any(|line| line.starts_with("mysql: a privilege is missing") && line.contains("user"))
            && ready.contains("redis: ok")
    };
    eventually("the cause is named", || daemon.get("/ready"), names).await;
    // Also while the next try is under way.
    let grown = daemon.metric("chatpush_terms_total").await + 2;
    eventually("it is tried again", || daemon.metric("chatpush_terms_total"), |terms| *terms >= grown).await;
    let ready = daemon.get("/ready").await;
    assert!(names(&ready), "{ready}");
    env.servers().sql(&format!("GRANT UPDATE ON {database}.user TO {account}")).await;
    eventually("it is stored", || env.stored(2), |rows| *rows == ["x"]).await;
    eventually("the daemon is ready", || daemon.is_ready(), |ready| *ready).await;
}
