use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

/// The order stays too.
#[tokio::test]
async fn closed_subscription_loses_no_stored_message() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let mut browser = daemon.connect(2).await;
    browser.until_unread_count().await;
    let php = env.php();
    let storing = tokio::spawn(async move {
        // A store is refused while the only daemon is not subscribed; PHP's connection, which has a subscription
        // of its own, may be closed in the middle of a call. Either may be repeated.
        let send = "function send($i) {
                        try { ChatPush\\sendMessage(1, 2, \"m$i\", message_id: \"$i\"); return true; }
                        catch (ChatPush\\Exception $e) { return $e->isRetryable() ? false : throw $e; }
                    }
                    foreach (range(1, 600) as $i) while (!send($i)) usleep(1000);";
        php.get(send).await;
    });
    let mut shown = Vec::new();
    while shown.len() < 600 {
        let frame = browser.json().await;
        if frame["type"] != "unread_count" {
            shown.push(frame["data"].as_str().expect("a content").to_owned());
            if shown.len() % 100 == 0 {
                // Redis does the same to a subscriber that is too slow.
                let _: u64 = env.redis(&["CLIENT", "KILL", "TYPE", "PUBSUB"]).await;
            }
        }
    }
    assert_eq!(shown, (1..=600).map(|i| format!("m{i}")).collect::<Vec<_>>());
    storing.await.expect("PHP ran");
    let reading = browser.keep_reading();
    eventually("the rows are deleted", || env.stored_count(2), |count| *count == 0).await;
    assert_eq!(env.unread(2).await, 600);
    assert_eq!(daemon.metric("chatpush_gaps_total").await, 6);
    assert_eq!(daemon.metric("chatpush_connections").await, 1);
    daemon.stop();
    let late = reading.await.expect("the client reads to the end");
    assert!(late.iter().all(|frame| frame.contains("unread_count")), "a message came twice: {late:?}");
}

/// Stored messages are delivered on its next connection.
#[tokio::test]
async fn slow_client_is_closed_with_4000() {
    let env = TestEnv::new().await;
    env.users(&[2, 3]).await;
    let daemon = env.daemon().await;
    let (mut slow, mut quick) = (daemon.connect(2).await, daemon.connect(3).await);
    slow.until_unread_count().await;
    quick.until_unread_count().await;
    let php = env.php();
    php.get("ChatPush\\sendMessage(1, 2, 'kept');").await;
    let flood = "foreach (range(1, 1500) as $i) pushMessage(2, str_repeat('x', 60000), 'flood');";
    let flooding = tokio::spawn(async move { php.get(flood).await });
    let too_slow = |text: &String| text.contains("\nchatpush_closes_total{code=\"4000\"} 1\n");
    eventually("the client is too slow", || daemon.get("/metrics"), too_slow).await;
    // The daemon waits two seconds for the client to take the close frame.
    assert_eq!(slow.close_code().await, Some(4000));
    flooding.await.expect("PHP ran");
    env.php().get("pushMessage(3, 'still quick', 'text');").await;
    assert_eq!(quick.json().await["data"], "still quick");
    let mut again = daemon.connect(2).await;
    let (messages, _) = again.until_unread_count().await;
    assert!(messages.is_empty() || messages == ["kept"], "{messages:?}");
    let reading = again.keep_reading();
    eventually("the row is deleted", || env.stored(2), Vec::is_empty).await;
    reading.abort();
}

/// A client that confirms nothing gets at most as many messages as a session can track.
#[tokio::test]
async fn replay_stops_at_the_limit_of_unconfirmed_messages() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    env.execute(
        "INSERT INTO offline_message (sender_id, receiver_id, content, send_time) \
         SELECT 1, 2, seq, NOW() FROM seq_1_to_9000",
    )
    .await;
    let daemon = env.daemon().await;
    let mut page = daemon.connect_with(2, "chatpush.v1").await;
    let mut shown = 0;
    while shown < 4_096 {
        assert!(page.json().await["data"].is_string());
        shown += 1;
    }
    let rest = page.frames_within(std::time::Duration::from_millis(500)).await;
    assert!(shown + rest.len() <= 6_000, "{} more came", rest.len());
    assert_eq!(env.stored_count(2).await, 9_000, "a row was confirmed");
    page.send_text("{\"read\":true}").await;
    eventually("frames of the client are still read", || env.unread(2), |count| *count == 0).await;
}

/// With `auto_increment_increment` above 1, each row still gets its own record.
#[tokio::test]
async fn auto_increment_steps_are_supported() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[2]).await;
    env.servers().sql("SET GLOBAL auto_increment_increment = 7; SET GLOBAL auto_increment_offset = 3").await;
    let daemon = env.daemon().await;
    let queued = env.php().with("chatpush.durability=queued");
    queued.get("foreach (range(1, 200) as $i) ChatPush\\sendMessage(1, 2, \"m$i\", \"t$i\");").await;
    eventually("they are stored", || env.stored_count(2), |count| *count == 200).await;
    let apart = "SELECT COUNT(*) FROM offline_message o JOIN chatpush_message m ON m.offline_id = o.id \
                 AND m.type = CONCAT('s:t', SUBSTRING(o.content, 2))";
    assert_eq!(env.query::<u64>(apart).await, [200], "each row has its own record");
    let reading = daemon.connect(2).await.keep_reading();
    eventually("the rows are deleted", || env.stored_count(2), |count| *count == 0).await;
    reading.abort();
}
