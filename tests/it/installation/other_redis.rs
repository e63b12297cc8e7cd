//! PHP or a daemon that looks in another Redis, or in another database of it.

use chatpush_stack::folder::Folder;
use chatpush_stack::redis::Redis;
use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

use super::{refusal, refused};

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
        for durability in ["committed", "queued", "replicated"] {
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
    for (call, nobody) in LIVE_CALLS.iter().zip(["false", "false", "[]", "[]", "false", "[]", "false"]) {
        assert_eq!(php.get(&refusal(call)).await, nobody, "{call}");
    }
}

/// Calls whose answer could be that nobody is connected.
const LIVE_CALLS: [&str; 7] = [
    "pushMessage(2, 'x', 'text')",
    "ChatPush\\isOnline(2)",
    "ChatPush\\pushToUsers([2], 'x', 'text')",
    "ChatPush\\getOnlineUsers([2])",
    "ChatPush\\pushToRoom('room', 'x', 'text')",
    "ChatPush\\getRoomUsers('room')",
    "ChatPush\\pushToAll('x', 'text')",
];

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
