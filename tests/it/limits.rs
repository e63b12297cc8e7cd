use std::time::{Duration, Instant};

use chatpush_tests::client::Client;
use chatpush_tests::daemon::{Daemon, token};
use chatpush_tests::eventually::{TEST_TIMEOUT, eventually};
use chatpush_tests::test_env::TestEnv;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

/// Connects as nginx does for a client at `address`.
async fn connect_from(daemon: &Daemon, address: &str, user: u32) -> Result<Client, u16> {
    let path = format!("/ws?token={}", token(user));
    let opened = Client::open(daemon.port(), &path, &[("X-Forwarded-For", address)]).await;
    opened.map_err(|refused| refused.status)
}

/// Beyond the limit a handshake gets 429. A closed connection frees its slot.
#[tokio::test]
async fn connections_per_user_are_limited() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_CONNECTIONS_PER_USER", "2");
    let daemon = env.daemon().await;
    let (mut first, second) = (daemon.connect(2).await, daemon.connect(2).await);
    let refused = Client::connect(daemon.port(), &token(2), None).await.expect_err("the third");
    assert_eq!(refused.status, 429);
    assert!(refused.reason.contains("limits.connections_per_user"), "{}", refused.reason);
    daemon.connect(3).await.until_unread_count().await;
    drop(second);
    let again = async || Client::connect(daemon.port(), &token(2), None).await;
    eventually("a slot is free", again, Result::is_ok).await.expect("it was waited for");
    // The rejected handshake has not affected the open connection.
    first.until_unread_count().await;
    env.php().get("pushMessage(2, 'still here', 'text');").await;
    assert_eq!(first.json().await["data"], "still here");
}

/// The address comes from `X-Forwarded-For` of a trusted proxy. IPv6 addresses of one /64 network count
/// together.
#[tokio::test]
async fn connections_per_address_are_limited() {
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
        eventually("a slot is free", || connect_from(&daemon, same[2], 4), Result::is_ok)
            .await
            .expect("it was waited for");
    }
    // What a client puts in the header before the proxy's entry must not hide that entry.
    let _held =
        [connect_from(&daemon, "é, 192.0.2.9", 2).await, connect_from(&daemon, "é, 192.0.2.9", 3).await];
    assert_eq!(connect_from(&daemon, "\u{e9}, 192.0.2.9", 4).await.err(), Some(429));
    // A trusted proxy that sends no client address is not limited as a client.
    let mut unknown = Vec::new();
    for user in 2..7 {
        unknown.push(daemon.connect(user).await);
    }
}

/// The peer itself is the client, whatever it forwards.
#[tokio::test]
async fn forwarded_address_of_an_untrusted_peer_is_ignored() {
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

/// Connections over the limit of their address take no socket from other addresses, even if they send nothing.
#[tokio::test]
async fn silent_connections_of_one_address_do_not_fill_the_daemon() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_CONNECTIONS", "4");
    let env = env.with("CHATPUSH_LIMITS_CONNECTIONS_PER_ADDRESS", "2");
    let env = env.with("CHATPUSH_LIMITS_HANDSHAKE_MS", "60000");
    let daemon = env.with("CHATPUSH_TRUSTED_PROXIES", "192.0.2.0/24").daemon().await;
    let mut silent = Vec::new();
    // The daemon has sockets for its four connections and for 1,024 handshakes.
    for _ in 0..1_100 {
        silent.push(TcpStream::connect(("127.0.0.1", daemon.port())).await.expect("it listens"));
    }
    let rejected = || daemon.metric("chatpush_handshakes_rejected_total");
    eventually("all but two are rejected", rejected, |count| *count == 1_098).await;
    let status = || status_from("127.0.0.2", daemon.port());
    eventually("another address connects", status, |line| line.starts_with("HTTP/1.1 101")).await;
}

/// The status line of a handshake from this loopback address.
async fn status_from(source: &str, port: u16) -> String {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(format!("{source}:0").parse().expect("an address")).expect("the address is local");
    let to = format!("127.0.0.1:{port}").parse().expect("an address");
    let mut stream = socket.connect(to).await.expect("it listens");
    let request = format!(
        "GET /ws?token={} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        token(2)
    );
    // A connection that is closed at once has no status line.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut line = String::new();
    let _ = BufReader::new(stream).read_line(&mut line).await;
    line
}

#[tokio::test]
async fn handshakes_per_address_are_rate_limited() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_HANDSHAKES_PER_ADDRESS", "5");
    let daemon = env.daemon().await;
    let outcomes =
        futures_util::future::join_all((0..40).map(|_| connect_from(&daemon, "192.0.2.1", 2))).await;
    let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(429))).count();
    assert!(refused > 0, "forty at once exceed the limit");
    assert!(connect_from(&daemon, "192.0.2.2", 2).await.is_ok());
    eventually("the rate limit recovers", || connect_from(&daemon, "192.0.2.1", 2), Result::is_ok)
        .await
        .expect("it was waited for");
    assert!(daemon.metric("chatpush_handshakes_rejected_total{reason=\"rate\"}").await > 0);
}

#[tokio::test]
async fn full_daemon_answers_503() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_CONNECTIONS", "1");
    let daemon = env.daemon().await;
    let _held = daemon.connect(2).await;
    let refused = Client::connect(daemon.port(), &token(3), None).await.expect_err("it is full");
    assert_eq!(refused.status, 503);
    assert!(refused.reason.contains("limits.connections"), "{}", refused.reason);
}

#[tokio::test]
async fn slow_handshake_is_closed() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_HANDSHAKE_MS", "2000");
    let daemon = env.daemon().await;
    for started in ["", "GET /ws HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] {
        let mut socket = TcpStream::connect(("127.0.0.1", daemon.port())).await.expect("it listens");
        socket.write_all(started.as_bytes()).await.expect("it listens");
        let mut answer = Vec::new();
        // It is closed without an answer, because there was no complete request.
        let _ = timeout(TEST_TIMEOUT, socket.read_to_end(&mut answer)).await.expect("it is closed");
        assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    }
    let counted = || daemon.get("/metrics");
    eventually("it is counted", counted, |text| text.contains("\nchatpush_late_total 2\n")).await;
    // A client that is in time may connect.
    daemon.connect(2).await.until_unread_count().await;
}

/// `limits.bytes` bounds what a client may send within a window.
#[tokio::test]
async fn too_many_bytes_close_with_1008() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_BYTES", "65536");
    let daemon = env.daemon().await;
    let mut client = daemon.connect(2).await;
    client.until_unread_count().await;
    for _ in 0..3 {
        client.send(Message::text("x".repeat(30_000))).await;
    }
    assert_eq!(client.close_code().await, Some(1008));
}

/// `limits.outbox_bytes` bounds the frames that wait for clients that do not read.
#[tokio::test]
async fn full_outbox_is_closed_with_4000_and_others_are_served() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_OUTBOX_BYTES", "200000");
    let daemon = env.daemon().await;
    let (mut stalled, mut reader) = (daemon.connect(2).await, daemon.connect(3).await);
    stalled.until_unread_count().await;
    reader.until_unread_count().await;
    let php = env.php();
    // Much more than the socket buffers hold, so that the rest waits in the daemon.
    let pushed = php.get(
        "$big = str_repeat('x', 60000); $reached = 0;
         for ($i = 0; $i < 400; $i++) { $reached += pushMessage(2, $big, 'text');
                                         pushMessage(3, (string) $i, 'text'); }
         echo $reached;",
    );
    let reading = async {
        for number in 0..400 {
            assert_eq!(reader.json().await["data"], number.to_string());
        }
    };
    let metrics = || daemon.get("/metrics");
    let closing = async {
        let too_slow = |text: &String| text.contains("\nchatpush_closes_total{code=\"4000\"} 1\n");
        eventually("the client is too slow", metrics, too_slow).await;
        // The daemon waits two seconds for the client to take the close frame.
        stalled.close_code().await
    };
    let (reached, (), code) = tokio::join!(pushed, reading, closing);
    assert!(reached.trim().parse::<u32>().expect("a number") > 0);
    assert_eq!(code, Some(4000));
    eventually("nothing waits any more", metrics, |text| text.contains("\nchatpush_outbox_bytes 0\n")).await;
}

/// `limits.admissions` spreads many simultaneous connections over time.
#[tokio::test]
async fn admissions_are_paced() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_ADMISSIONS", "20");
    let daemon = env.daemon().await;
    let start = Instant::now();
    let tokens: Vec<_> = (100..140).map(token).collect();
    let crowd = tokens.iter().map(|token| Client::connect(daemon.port(), token, None));
    let clients = futures_util::future::join_all(crowd).await;
    assert!(clients.iter().all(Result::is_ok));
    // Forty at twenty a second. The first is admitted at once.
    assert!(start.elapsed() >= Duration::from_millis(1_800), "{:?}", start.elapsed());
}
