//! A `migrate` that was killed between two of its statements is repeated.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::test_env::TestEnv;
use mysql_async::prelude::Queryable as _;

/// What the database holds, without the installation's own UUID.
async fn schema(env: &TestEnv) -> Vec<(String, String)> {
    env.query(
        "SELECT CONCAT_WS(' ', table_name, column_name), CONCAT_WS(' ', column_type, is_nullable, column_default, \
         collation_name, column_key) FROM information_schema.columns WHERE table_schema = DATABASE() \
         ORDER BY table_name, column_name",
    )
    .await
}

async fn migrate(env: &TestEnv) {
    let migrated = Daemon::command(env, &["migrate"]).await;
    assert!(migrated.status.success(), "{migrated:?}");
}

fn from_hex(hex: &str) -> String {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits");
    String::from_utf8((0..hex.len()).step_by(2).map(byte).collect()).expect("UTF-8")
}

/// Whatever the statement was behind which it was killed.
#[tokio::test]
async fn interrupted_migrate_is_repeated() {
    let env = TestEnv::bare_with_own_servers().await.with("CHATPUSH_UNREAD_BY_CONVERSATION", "true");
    let servers = env.servers();
    servers.sql("SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = 1").await;
    migrate(&env).await;
    servers.sql("SET GLOBAL general_log = 0").await;
    let complete = schema(&env).await;
    let logged = "SELECT HEX(argument) FROM mysql.general_log WHERE command_type = 'Query' AND thread_id = \
                  (SELECT thread_id FROM mysql.general_log WHERE argument LIKE '%GET_LOCK(%' LIMIT 1) \
                  AND argument REGEXP '^(CREATE|INSERT|UPDATE|ALTER|SET @|PREPARE|EXECUTE|DEALLOCATE)' \
                  ORDER BY event_time";
    let statements: Vec<String> = servers.sql(logged).await.lines().map(from_hex).collect();
    let changes = |statement: &String| !statement.starts_with("SET @") && !statement.starts_with("PREPARE");
    assert!(statements.iter().filter(|statement| changes(statement)).count() > 30, "{statements:?}");
    for (at, _) in statements.iter().enumerate().filter(|(_, statement)| changes(statement)) {
        let tables: Vec<String> = env
            .query("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
            .await;
        env.execute(&format!("DROP TABLE `{}`", tables.join("`, `"))).await;
        let mut killed = env.mysql().await;
        for statement in &statements[..=at] {
            killed.query_drop(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        killed.disconnect().await.expect("MariaDB answers");
        let migrated = Daemon::command(&env, &["migrate"]).await;
        assert!(migrated.status.success(), "behind {}: {migrated:?}", statements[at]);
        assert_eq!(schema(&env).await, complete, "behind {}", statements[at]);
    }
    let _daemon = env.daemon().await;
}
