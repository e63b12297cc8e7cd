use chatpush_tests::client::Client;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use mysql_async::prelude::Queryable as _;

async fn says_read(browser: &mut Client, times: usize) {
    for _ in 0..times {
        browser.send_text(r#"{"read":true}"#).await;
    }
    browser.send_text(r#"{"ping":true}"#).await;
    while browser.json().await["pong"] != true {}
}

/// However often a client says that everything is read, its user has one clear in the log until that is
/// applied, and it clears nothing that came later.
#[tokio::test]
async fn flood_of_reads_leaves_one_clear_in_the_log() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    assert_eq!(browser.until_unread_count().await.1, 0);
    env.php().get("storeOfflineMessage(1, 2, 'first');").await;
    assert_eq!(browser.until_unread_count().await, (vec!["first".to_owned()], 1));
    // Nothing of this user can be applied.
    let mut application = env.mysql().await;
    application.query_drop("START TRANSACTION").await.expect("MariaDB answers");
    application.query_drop("SELECT * FROM `user` WHERE id = 2 FOR UPDATE").await.expect("the row is free");
    says_read(&mut browser, 500).await;
    eventually("the clear waits", || env.log_length(2), |length| *length == 1).await;
    let queued = env.php().with("chatpush.durability=queued");
    queued.get("storeOfflineMessage(1, 2, 'second');").await;
    assert_eq!(browser.json().await["data"], "second");
    // The first clear does not do for what came behind it.
    says_read(&mut browser, 500).await;
    eventually("a second clear waits", || env.log_length(2), |length| *length == 3).await;
    queued.get("storeOfflineMessage(1, 2, 'third');").await;
    assert_eq!(browser.json().await["data"], "third");
    assert_eq!(env.log_length(2).await, 4);
    application.query_drop("COMMIT").await.expect("MariaDB answers");
    eventually("all is applied", || env.log_length(2), |length| *length == 0).await;
    assert_eq!(env.unread(2).await, 1, "the third was not read");
    // What the application counts itself is in no log.
    env.execute("UPDATE `user` SET unread_count = 7 WHERE id = 2").await;
    says_read(&mut browser, 2).await;
    eventually("the counter is cleared", || env.unread(2), |unread| *unread == 0).await;
}

/// A clear that is applied at once makes room for the next one, but not faster than four times a second. The
/// log holds the clears of the last five seconds, each with its time.
#[tokio::test]
async fn clears_of_one_user_are_at_least_250_ms_apart() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let browser = tokio::sync::Mutex::new(daemon.connect_with(2, "chatpush.v1").await);
    assert_eq!(browser.lock().await.until_unread_count().await.1, 0);
    let clears = async || {
        says_read(&mut *browser.lock().await, 1).await;
        let entries: Vec<(String, Vec<String>)> = env.redis(&["XRANGE", &env.log(2), "-", "+"]).await;
        let clears = entries.iter().filter(|(_, fields)| fields.windows(2).any(|pair| pair == ["k", "z"]));
        let times = clears.map(|(id, _)| id.split('-').next().unwrap_or_default().parse::<u64>());
        times.collect::<Result<Vec<_>, _>>().expect("an id begins with a time")
    };
    let times = eventually("there are several", clears, |times| times.len() >= 4).await;
    // The clock of Redis, which stands still during a command, is rounded down.
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 249), "{times:?}");
}
