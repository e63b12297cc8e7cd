use std::fmt::Write as _;

use chatpush_stack::folder::Folder;
use chatpush_stack::redis::Redis;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

use super::Report;

const OPERATIONS: &str = include_str!("../../../docs/operations.md");

/// The rules of an account as docs/operations.md prints them, for the prefix of `env`.
fn documented_rules(account: &str, env: &TestEnv) -> Vec<String> {
    let start = format!("redis-cli ACL SETUSER {account} ");
    let (_, rest) = OPERATIONS.split_once(&start).expect("the account is documented");
    let mut rules = String::new();
    for line in rest.lines() {
        let continued = line.strip_suffix('\\');
        write!(rules, " {}", continued.unwrap_or(line)).expect("a text grows");
        if continued.is_none() {
            break;
        }
    }
    let of_env = |rule: &str| {
        let rule = rule.trim_matches('\'').replace("chatpush:*", &format!("{}:*", env.name()));
        if rule.starts_with('>') { ">pw".to_owned() } else { rule }
    };
    rules.split_whitespace().map(of_env).collect()
}

/// Makes the documented account and returns its URL.
async fn with_documented_account(env: &TestEnv, account: &str) -> (String, String) {
    let name = format!("{account}-{}", env.name());
    let rules = documented_rules(account, env);
    let mut command = vec!["ACL", "SETUSER", &name];
    command.extend(rules.iter().map(String::as_str));
    let _: String = env.redis(&command).await;
    let url = format!("{}?user={name}&pass=pw", env.servers().redis_url());
    (name, url)
}

/// The documented rules are enough, and each one that is taken away is named.
#[tokio::test]
async fn each_missing_rule_of_the_account_is_named() {
    let env = TestEnv::new().await;
    let (name, url) = with_documented_account(&env, "chatpushd").await;
    let limited = env.clone().with("CHATPUSH_REDIS_URL", url);
    let report = Report::of(&limited).await;
    assert_eq!((report.problems(), report.code), (Vec::new(), Some(0)), "{report:?}");

    // Without the first three nobody can log in, and `check` and the metrics alone need INFO and CONFIG GET.
    let untried = ["+auth", "+hello", "+select", "+info", "+config|get"];
    let rules = documented_rules("chatpushd", &env);
    let commands: Vec<_> =
        rules.iter().filter(|rule| rule.starts_with('+') && !untried.contains(&rule.as_str())).collect();
    assert!(commands.len() > 20, "{commands:?}");
    for rule in commands {
        let command = rule.trim_start_matches('+');
        let _: String = env.redis(&["ACL", "SETUSER", &name, &format!("-{command}")]).await;
        // It is needed with that setting alone.
        let with_replicas = limited.clone().with("CHATPUSH_REDIS_REPLICAS", "1");
        let report = Report::of(if command == "wait" { &with_replicas } else { &limited }).await;
        let named = |(_, status, text): &(String, String, String)| status != "ok" && text.contains(command);
        assert!(report.findings.iter().any(named), "{command}: {report:?}");
        let _: String = env.redis(&["ACL", "SETUSER", &name, rule]).await;
    }
    for (rule, pattern) in [("resetkeys", '~'), ("resetchannels", '&')] {
        let _: String = env.redis(&["ACL", "SETUSER", &name, rule]).await;
        let report = Report::of(&limited).await;
        let pattern = format!("{pattern}{}:*", env.name());
        let (status, text) = report.finding("Redis account");
        assert!(status == "wrong" && text.contains(&pattern), "{text}");
        let _: String = env.redis(&["ACL", "SETUSER", &name, &pattern]).await;
    }
}

/// Stores, deliveries, confirmations, queries, a takeover and a retried dead letter under the documented
/// accounts of both sides: Redis refuses nothing.
#[tokio::test]
async fn the_documented_accounts_are_enough() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2, 3]).await;
    let (_, daemon_url) = with_documented_account(&env, "chatpushd").await;
    let (_, php_url) = with_documented_account(&env, "chatpush-php").await;
    let limited = env.clone().with("CHATPUSH_REDIS_URL", daemon_url);
    let (first, second) = (limited.daemon().await, limited.daemon().await);
    let php = env.php().with(&format!("chatpush.redis_url=\"{php_url}\""));
    php.get("storeOfflineMessage(1, 2, 'one'); ChatPush\\sendMessage(1, 2, 'two');").await;
    let mut browser = second.connect(2).await;
    assert_eq!(browser.until_unread_count().await.1, 2);
    let reading = browser.keep_reading();
    eventually("the rows are deleted", || env.stored(2), Vec::is_empty).await;
    let all = "pushMessage(2, 'x', 'text'); ChatPush\\isOnline(2); getUnreadCount(2); getOfflineMessage(3); \
               ChatPush\\clearUnreadCount(2); ChatPush\\disconnectUser(2);";
    php.get(all).await;
    reading.abort();
    first.kill();
    assert_eq!(php.get("var_dump(storeOfflineMessage(1, 2, 'three'));").await.trim(), "bool(true)");
    let refused: Vec<redis::Value> = env.redis(&["ACL", "LOG"]).await;
    assert!(refused.is_empty(), "{refused:?}");
}

/// The version needs no INFO.
#[tokio::test]
async fn the_version_is_known_without_info() {
    let env = TestEnv::new().await;
    let (name, url) = with_documented_account(&env, "chatpushd").await;
    let _: String = env.redis(&["ACL", "SETUSER", &name, "-info", "-config|get"]).await;
    let report = Report::of(&env.with("CHATPUSH_REDIS_URL", url)).await;
    let (status, text) = report.finding("Redis version");
    assert!(status == "ok" && text.contains('.'), "{text}");
    assert_eq!(report.finding("Redis persistence").0, "warning");
}

#[tokio::test]
async fn a_cluster_node_and_a_replica_are_wrong() {
    let env = TestEnv::new().await;
    for (arguments, name, problem) in [
        (["--cluster-enabled", "yes"], "Redis role", "a node of a Redis Cluster"),
        (["--replicaof", "127.0.0.1 1"], "Redis answers", "Redis is a replica"),
    ] {
        let folder = Folder::new().expect("a folder can be made");
        let redis = Redis::start_with(folder.path(), &arguments).await.expect("Redis starts");
        let report = Report::of(&env.clone().with("CHATPUSH_REDIS_URL", redis.url())).await;
        let (status, text) = report.finding(name);
        assert!(status == "wrong" && text.contains(problem), "{text}");
        assert_eq!(report.code, Some(1));
        redis.kill();
    }
}
