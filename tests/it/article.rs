use std::time::Duration;

use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

#[tokio::test]
async fn a_stored_message_is_committed_delivered_on_connect_and_gone_once_confirmed() {
    let env = TestEnv::new().await;
    env.users(&[1, 2]).await;
    let daemon = env.daemon().await;
    let php = env.php();

    for (text, unread) in [("one", 1), ("two", 2), ("three", 3)] {
        let sent = php.file("article.php", &["send", "1", "2", text]).await;
        assert_eq!(sent.output, "stored");
        assert_eq!(
            env.stored(2).await.last().map(String::as_str),
            Some(text),
            "the row is there when it returns"
        );
        assert_eq!(env.unread(2).await, unread);
    }

    let mut browser = daemon.connect(2).await;
    assert_eq!(browser.flushed().await, (vec!["one".to_owned(), "two".to_owned(), "three".to_owned()], 3));
    let reading = browser.keep_reading();
    eventually("the rows are gone", || env.stored(2), Vec::is_empty).await;
    assert_eq!(env.unread(2).await, 3, "delivered is not read");
    assert_eq!(php.file("article.php", &["view", "2"]).await.output, "0");
    assert_eq!(env.unread(2).await, 0);
    let records: Vec<u64> = env.query("SELECT COUNT(*) FROM chatpush_message").await;
    assert_eq!(records, [0], "nothing is left behind");
    reading.abort();
}

#[tokio::test]
async fn a_message_to_somebody_online_is_pushed_and_not_stored() {
    let env = TestEnv::new().await;
    env.users(&[1, 2]).await;
    let daemon = env.daemon().await;
    let mut browser = daemon.connect(2).await;
    browser.flushed().await;
    assert_eq!(env.php().file("article.php", &["send", "1", "2", "hello"]).await.output, "pushed");
    let frame = browser.json().await;
    assert_eq!((frame["data"].as_str(), frame["type"].as_str()), (Some("hello"), Some("chat")));
    assert!(frame["id"].is_string() && frame["time"].is_u64());
    assert!(env.stored(2).await.is_empty());
}

#[tokio::test]
async fn the_sign_in_loop_shows_each_message_once_beside_the_flush() {
    let env = TestEnv::new().await;
    env.users(&[1, 2]).await;
    let daemon = env.daemon().await;
    let php = env.php();
    for text in ["same", "same", "other"] {
        php.file("article.php", &["send", "1", "2", text]).await;
    }
    // The page connects first and the sign-in hook runs while its rows are still there.
    let held = daemon.connect(2).await;
    let ran = php.file("article.php", &["signin", "2"]).await;
    assert!(ran.output.ends_with(" 3"), "{}", ran.output);
    let reading = held.keep_reading();
    eventually("the rows are gone", || env.stored(2), Vec::is_empty).await;
    daemon.stop();
    let texts = reading.await.expect("the client reads to the end");
    let shown =
        |text: &str| texts.iter().filter(|frame| frame.contains(&format!("\"data\":\"{text}\""))).count();
    assert_eq!((shown("same"), shown("other")), (2, 1), "{texts:?}");
    assert!(
        texts.iter().any(|frame| frame.contains(r#"{\"type\":\"unread_count\",\"data\":3}"#)),
        "{texts:?}"
    );
}

#[tokio::test]
async fn the_loop_alone_delivers_when_the_flush_is_left_to_it() {
    let env = TestEnv::new().await.with("CHATPUSH_FLUSH_ON_CONNECT", "false");
    env.users(&[1, 2]).await;
    let daemon = env.daemon().await;
    let php = env.php();
    php.file("article.php", &["send", "1", "2", "kept"]).await;
    let mut browser = daemon.connect(2).await;
    assert_eq!(browser.flushed().await, (Vec::new(), 1));
    assert!(browser.quiet(Duration::from_millis(200)).await.is_empty());
    assert_eq!(env.stored(2).await, ["kept"]);

    assert_eq!(php.file("article.php", &["signin", "2"]).await.output, "1 1");
    let frame = browser.json().await;
    assert_eq!((frame["data"].as_str(), frame["offline"].as_bool()), (Some("kept"), Some(true)));
    let reading = browser.keep_reading();
    eventually("the row is gone", || env.stored(2), Vec::is_empty).await;
    reading.abort();
}
