use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

/// The rules of an account in the documentation, for the prefix of a test.
pub(super) fn documented_rules(account: &str, prefix: &str) -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
    let text = std::fs::read_to_string(path).expect("the documentation is there");
    let start = text.split_once(&format!("redis-cli ACL SETUSER {account} ")).expect("it has the account").1;
    let mut rules = Vec::new();
    for line in start.lines() {
        let rest = line.strip_suffix('\\');
        let words = rest.unwrap_or(line).split_whitespace().map(|word| word.trim_matches('\''));
        rules.extend(words.map(|word| word.replace("chatpush:", &format!("{prefix}:"))));
        if rest.is_none() {
            break;
        }
    }
    rules
}

/// Redis denies nothing to a daemon and to PHP that use the documented accounts.
#[tokio::test]
async fn documented_accounts_of_redis_suffice() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    for account in ["chatpushd", "chatpush-php"] {
        let rules = documented_rules(account, env.name());
        let mut command = vec!["ACL", "SETUSER", account];
        command.extend(rules.iter().map(String::as_str));
        let _: () = env.redis(&command).await;
    }
    let socket = chatpush_stack::redis::socket(env.servers().folder());
    let url =
        |account: &str, password: &str| format!("unix://{}?user={account}&pass={password}", socket.display());
    let env = env.with("CHATPUSH_REDIS_URL", url("chatpushd", "DAEMON_PASSWORD"));
    // One of them stands by as the writer.
    let (daemon, _other) = (env.daemon().await, env.daemon().await);
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    browser.until_unread_count().await;
    let php = env.php().with(&format!("chatpush.redis_url=\"{}\"", url("chatpush-php", "PHP_PASSWORD")));
    let code = "storeOfflineMessage(1, 2, 'x'); ChatPush\\sendMessage(1, 2, 'y', 'text', 'once');
        ChatPush\\sendMessage(1, 2, 'y', 'text', 'once');
        var_dump(pushMessage(2, 'z', 'text'), ChatPush\\isOnline(2), getUnreadCount(2));
        $ids = array_column(getOfflineMessage(2), 'id'); ChatPush\\ackOfflineMessage(2, $ids);
        ChatPush\\clearUnreadCount(2);
        ini_set('chatpush.durability', 'replicated');
        ini_set('chatpush.timeout_ms', 1000);
        try { storeOfflineMessage(1, 2, 'no replica'); } catch (ChatPush\\TimeoutException) {}";
    assert_eq!(php.get(code).await.trim(), "bool(true)\nbool(true)\nint(2)");
    browser.send_text(r#"{"read":true}"#).await;
    let _: () = env.redis(&["CLIENT", "KILL", "TYPE", "PUBSUB"]).await;
    eventually("the daemon is ready again", || daemon.is_ready(), |ready| *ready).await;
    // What a Redis without its data or at its limit needs.
    let _: () = env.redis(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    browser.until_unread_count().await;
    env.execute("UPDATE `user` SET unread_count = 5 WHERE id = 2").await;
    browser.send_text(r#"{"read":true}"#).await;
    eventually("the counter is cleared", || env.unread(2), |unread| *unread == 0).await;
    let _: () = env.redis(&["CONFIG", "SET", "maxmemory", "0"]).await;
    let _: () = env.redis(&["FLUSHALL"]).await;
    let _: () = env.redis(&["CLIENT", "KILL", "TYPE", "PUBSUB"]).await;
    eventually("the daemon is ready again", || daemon.is_ready(), |ready| *ready).await;
    let denied: Vec<redis::Value> = env.redis(&["ACL", "LOG"]).await;
    assert!(denied.is_empty(), "{denied:?}");
}
