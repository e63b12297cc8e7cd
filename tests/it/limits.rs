use std::time::{Duration, Instant};

use chatpush_tests::client::Client;
use chatpush_tests::daemon::{Daemon, token};
use chatpush_tests::eventually::{TEST_TIMEOUT, eventually};
use chatpush_tests::test_env::TestEnv;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

/// A client whose request nginx would have handed on for `address`.
async fn connect_from(daemon: &Daemon, address: &str, user: u32) -> Result<Client, u16> {
    let path = format!("/ws?token={}", token(user));
    let opened = Client::open(daemon.port(), &path, &[("X-Forwarded-For", address)]).await;
    opened.map_err(|refused| refused.status)
}

#[tokio::test]
async fn a_user_has_so_many_connections_and_a_place_is_free_again_when_one_goes() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_CONNECTIONS_PER_USER", "2");
    let daemon = env.daemon().await;
    let (mut first, second) = (daemon.connect(2).await, daemon.connect(2).await);
    let refused = Client::connect(daemon.port(), &token(2), None).await.expect_err("the third");
    assert_eq!(refused.status, 429);
    assert!(refused.reason.contains("limits.connections_per_user"), "{}", refused.reason);
    daemon.connect(3).await.until_unread_count().await;
    drop(second);
    let again = async || Client::connect(daemon.port(), &token(2), None).await;
    eventually("a place is free", again, Result::is_ok).await.expect("it was waited for");
    // Whoever was refused has taken nothing from who is here.
    first.until_unread_count().await;
    env.php().get("pushMessage(2, 'still here', 'text');").await;
    assert_eq!(first.json().await["data"], "still here");
}

#[tokio::test]
async fn an_address_has_so_many_connections_behind_a_proxy_and_of_ipv6_the_network_counts() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_CONNECTIONS_PER_ADDRESS", "2");
    let daemon = env.daemon().await;
    for (same, other) in [
        (["192.0.2.1", "192.0.2.1", "192.0.2.1"], "192.0.2.2"),
        (["2001:db8::1", "2001:db8::2", "2001:db8::3"], "2001:db8:0:1::1"),
    ] {
        let held = (
            connect_from(&daemon, same[0], 2).await.expect("one"),
            connect_from(&daemon, same[1], 3).await.expect("two"),
        );
        assert_eq!(connect_from(&daemon, same[2], 4).await.err(), Some(429));
        assert!(connect_from(&daemon, other, 4).await.is_ok());
        drop(held);
        eventually("a place is free", || connect_from(&daemon, same[2], 4), Result::is_ok)
            .await
            .expect("it was waited for");
    }
    // What a client puts before the proxy's word must not hide it.
    let _held =
        [connect_from(&daemon, "é, 192.0.2.9", 2).await, connect_from(&daemon, "é, 192.0.2.9", 3).await];
    assert_eq!(connect_from(&daemon, "\u{e9}, 192.0.2.9", 4).await.err(), Some(429));
    // A proxy that does not say for whom it asks is not itself the client.
    let mut unknown = Vec::new();
    for user in 2..7 {
        unknown.push(daemon.connect(user).await);
    }
}

#[tokio::test]
async fn only_a_listed_proxy_is_believed() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_CONNECTIONS_PER_ADDRESS", "1");
    let env = env.with("CHATPUSH_TRUSTED_PROXIES", "192.0.2.0/24");
    let daemon = env.daemon().await;
    let held = connect_from(&daemon, "198.51.100.1", 2).await;
    assert!(held.is_ok());
    // The same peer claims to be another client.
    let mut second = TcpStream::connect(("127.0.0.1", daemon.port())).await.expect("it listens");
    let request = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 198.51.100.2\r\n\r\n";
    second.write_all(request).await.expect("it listens");
    let mut answer = String::new();
    second.read_to_string(&mut answer).await.expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("connections_per_address"), "{answer}");
}

#[tokio::test]
async fn an_address_shakes_hands_so_often() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_HANDSHAKES_PER_ADDRESS", "5");
    let daemon = env.daemon().await;
    let crowd = futures_util::future::join_all((0..40).map(|_| connect_from(&daemon, "192.0.2.1", 2))).await;
    let refused = crowd.iter().filter(|outcome| matches!(outcome, Err(429))).count();
    assert!(refused > 0, "forty at once are too many");
    assert!(connect_from(&daemon, "192.0.2.2", 2).await.is_ok());
    eventually("time goes by", || connect_from(&daemon, "192.0.2.1", 2), Result::is_ok)
        .await
        .expect("it was waited for");
    assert!(!daemon.get("/metrics").await.contains("\nchatpush_refused_total 0\n"));
}

#[tokio::test]
async fn a_full_daemon_says_so() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_CONNECTIONS", "1");
    let daemon = env.daemon().await;
    let _held = daemon.connect(2).await;
    let refused = Client::connect(daemon.port(), &token(3), None).await.expect_err("it is full");
    assert_eq!(refused.status, 503);
    assert!(refused.reason.contains("limits.connections"), "{}", refused.reason);
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_ended() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_HANDSHAKE_MS", "2000");
    let daemon = env.daemon().await;
    for started in ["", "GET /ws HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] {
        let mut socket = TcpStream::connect(("127.0.0.1", daemon.port())).await.expect("it listens");
        socket.write_all(started.as_bytes()).await.expect("it listens");
        let mut answer = Vec::new();
        // Ended without an answer: there was no request.
        let _ = timeout(TEST_TIMEOUT, socket.read_to_end(&mut answer)).await.expect("it is ended");
        assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    }
    let counted = || daemon.get("/metrics");
    eventually("it is counted", counted, |text| text.contains("\nchatpush_late_total 2\n")).await;
    // Who was in time may stay.
    daemon.connect(2).await.until_unread_count().await;
}

#[tokio::test]
async fn bytes_that_confirm_nothing_are_bounded() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_BYTES", "65536");
    let daemon = env.daemon().await;
    let mut client = daemon.connect(2).await;
    client.until_unread_count().await;
    for _ in 0..3 {
        client.send(Message::text("x".repeat(30_000))).await;
    }
    assert_eq!(client.close_code().await, Some(1008));
}

#[tokio::test]
async fn what_waits_for_a_client_that_does_not_read_is_bounded_and_others_get_theirs() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_OUTBOX_BYTES", "200000");
    let daemon = env.daemon().await;
    let (mut stalled, mut reader) = (daemon.connect(2).await, daemon.connect(3).await);
    stalled.until_unread_count().await;
    reader.until_unread_count().await;
    let php = env.php();
    // Much more than the sockets' buffers take, so that the rest has to wait in the daemon.
    let pushed = php.get(
        "$big = str_repeat('x', 60000); $there = 0;
         for ($i = 0; $i < 400; $i++) { $there += pushMessage(2, $big, 'text'); pushMessage(3, (string) $i, 'text'); }
         echo $there;",
    );
    let reading = async {
        for number in 0..400 {
            assert_eq!(reader.json().await["data"], number.to_string());
        }
    };
    let (there, ()) = tokio::join!(pushed, reading);
    assert!(there.trim().parse::<u32>().expect("a number") > 0);
    let slow = || daemon.get("/metrics");
    eventually("it is closed as too slow", slow, |text| text.contains("\nchatpush_slow_total 1\n")).await;
    let closed = tokio::spawn(stalled.close_code());
    eventually("nothing waits any more", slow, |text| text.contains("\nchatpush_outbox_bytes 0\n")).await;
    assert_eq!(closed.await.expect("it reads to the end"), Some(4000));
}

#[tokio::test]
async fn a_crowd_is_let_in_one_after_the_other() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_ADMISSIONS", "20");
    let daemon = env.daemon().await;
    let start = Instant::now();
    let tokens: Vec<_> = (100..140).map(token).collect();
    let crowd = tokens.iter().map(|token| Client::connect(daemon.port(), token, None));
    let clients = futures_util::future::join_all(crowd).await;
    assert!(clients.iter().all(Result::is_ok));
    // Forty at twenty a second, the first of them at once.
    assert!(start.elapsed() >= Duration::from_millis(1_800), "{:?}", start.elapsed());
}
