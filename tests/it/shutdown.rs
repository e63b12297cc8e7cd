use std::time::{Duration, Instant};

use chatpush_tests::client::{Client, Event};
use chatpush_tests::daemon::token;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

#[tokio::test]
async fn sigterm_closes_clients_with_1012_and_exits_in_time() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let mut browser = daemon.connect(2).await;
    browser.until_unread_count().await;
    let closing = tokio::spawn(browser.close_code());
    let start = Instant::now();
    let code = tokio::task::spawn_blocking(move || daemon.stop()).await.expect("the daemon stops");
    assert_eq!(code, Some(0));
    assert!(start.elapsed() < Duration::from_secs(10), "it took {:?}", start.elapsed());
    assert_eq!(closing.await.expect("the client reads to the end"), Some(1012));
}

/// A client that does not answer the close frame delays nothing.
#[tokio::test]
async fn shutdown_does_not_wait_for_unresponsive_clients() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let unresponsive = daemon.connect(2).await;
    let code = tokio::task::spawn_blocking(move || daemon.stop()).await.expect("the daemon stops");
    assert_eq!(code, Some(0));
    drop(unresponsive);
}

#[tokio::test]
async fn queries_succeed_during_a_rolling_restart() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let mut daemon = env.daemon().await;
    let end = env.servers().folder().join(format!("{}-end", env.name()));
    let callers = (0..4).map(|_| {
        let (php, end) = (env.php(), end.display().to_string());
        tokio::spawn(async move {
            php.get(&format!("while (!file_exists('{end}')) getUnreadCount(2); echo 'answered';")).await
        })
    });
    let callers: Vec<_> = callers.collect();
    for _ in 0..5 {
        let next = env.daemon().await;
        let old = std::mem::replace(&mut daemon, next);
        let code = tokio::task::spawn_blocking(move || old.stop()).await.expect("the daemon stops");
        assert_eq!(code, Some(0));
    }
    std::fs::write(end, "").expect("a file can be written");
    for caller in callers {
        assert_eq!(caller.await.expect("PHP ran"), "answered");
    }
}

/// Tries the daemons in turn until one accepts, as a load balancer does.
async fn connect_to_any(ports: [u16; 2], user: u32) -> Client {
    let mut attempt = user as usize;
    loop {
        attempt += 1;
        if let Some(client) = Client::try_connect(ports[attempt % 2], &token(user)).await {
            return client;
        }
    }
}

#[tokio::test]
async fn rolling_restart_loses_no_message_and_spreads_reconnects() {
    const USERS: std::ops::Range<u32> = 100..200;
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_ADMISSIONS", "100");
    env.users(&USERS.collect::<Vec<_>>()).await;
    let (first, second) = (env.daemon().await, env.daemon().await);
    let ports = [first.port(), second.port()];
    let crowd = futures_util::future::join_all(USERS.map(|user| connect_to_any(ports, user))).await;
    let browsers = crowd.into_iter().zip(USERS).map(|(mut client, user)| {
        tokio::spawn(async move {
            let (mut seen, mut ended) = (Vec::new(), Vec::new());
            loop {
                match client.event().await {
                    Event::Text(text) => {
                        let frame: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                        let data = frame["data"].as_str().unwrap_or_default().to_owned();
                        if data == "end" {
                            return (seen, ended);
                        }
                        // A message is sent again, with the same id, if its confirmation was lost.
                        let id = frame["id"].as_str().unwrap_or_default().to_owned();
                        if frame["type"] == "text" && !seen.iter().any(|(known, _)| *known == id) {
                            seen.push((id, data));
                        }
                    }
                    Event::Closed(code) => {
                        ended.push((Instant::now(), code));
                        client = connect_to_any(ports, user).await;
                    }
                }
            }
        })
    });
    let browsers: Vec<_> = browsers.collect();
    let php = env.php().with("chatpush.timeout_ms=20000");
    let sending = tokio::spawn(async move {
        php.get(
            "for ($round = 0; $round < 20; $round++)
                 for ($user = 100; $user < 200; $user++) ChatPush\\sendMessage(1, $user, (string) $round);
             for ($user = 100; $user < 200; $user++) ChatPush\\sendMessage(1, $user, 'end');",
        )
        .await
    });
    eventually("messages flow", || first.get("/metrics"), |text| count(text, "chatpush_frames_total") > 200)
        .await;
    let first_again = first.restart(&env).await;
    let _second_again = second.restart(&env).await;
    assert_eq!(sending.await.expect("PHP ran"), "");
    let wanted: Vec<_> = (0..20).map(|round| round.to_string()).collect();
    let mut closes = Vec::new();
    for browser in browsers {
        let (seen, ended) = browser.await.expect("it received the last message");
        assert_eq!(seen.into_iter().map(|(_, data)| data).collect::<Vec<_>>(), wanted);
        assert!(ended.iter().all(|(_, code)| *code == Some(1012)), "{ended:?}");
        closes.extend(ended.into_iter().map(|(at, _)| at));
    }
    assert!(closes.len() >= USERS.len(), "each client was closed at least once");
    // At a hundred a second, one daemon cannot close all its clients at once.
    closes.sort();
    let moments = closes.chunk_by(|one, next| *next - *one < Duration::from_millis(5)).count();
    assert!(moments > 3, "{moments}");
    drop(first_again);
}

fn count(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Each accepted store is written once, and the first refused call ends the test's loop.
#[tokio::test]
async fn stores_during_shutdown_are_written_or_refused() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let php = env.php().with("chatpush.timeout_ms=3000");
    let storing = tokio::spawn(async move {
        php.get(
            "for ($i = 0; $i < 100000; $i++) {\
                 try { storeOfflineMessage(1, 2, (string) $i); }\
                 catch (ChatPush\\UnavailableException $e) { echo $i; exit; }\
             }",
        )
        .await
    });
    eventually("some are stored", || env.stored(2), |rows| rows.len() > 50).await;
    let code = tokio::task::spawn_blocking(move || daemon.stop()).await.expect("the daemon stops");
    assert_eq!(code, Some(0));
    let accepted: usize = storing.await.expect("PHP ran").trim().parse().expect("the first refused call");
    let rows = env.stored(2).await;
    assert_eq!(rows, (0..accepted).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(env.unread(2).await, i64::try_from(accepted).expect("a small number"));
}
