use chatpush_tests::daemon::{Daemon, token};
use chatpush_tests::eventually::{TEST_TIMEOUT, eventually};
use chatpush_tests::test_env::TestEnv;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Sends these bytes and a handshake. Returns the status line, which is empty if there is no answer.
async fn answer(daemon: &Daemon, header: &[u8]) -> (String, TcpStream) {
    let mut socket = TcpStream::connect(("127.0.0.1", daemon.port())).await.expect("it listens");
    let request = format!(
        "GET /ws?token={} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        token(2)
    );
    socket.write_all(&[header, request.as_bytes()].concat()).await.expect("it listens");
    let mut line = Vec::new();
    // The daemon may close the connection before it answers.
    let reading = async {
        while !line.ends_with(b"\r\n")
            && let Ok(byte) = socket.read_u8().await
        {
            line.push(byte);
        }
    };
    timeout(TEST_TIMEOUT, reading).await.expect("an answer, or the end of the connection");
    (String::from_utf8_lossy(&line).trim().to_owned(), socket)
}

/// Versions 1 and 2 are read. A connection without a header is closed.
#[tokio::test]
async fn proxy_protocol_gives_the_client_address() {
    let env = TestEnv::new().await.with("CHATPUSH_PROXY_PROTOCOL", "true");
    let env = env.with("CHATPUSH_LIMITS_CONNECTIONS_PER_ADDRESS", "1");
    let daemon = env.daemon().await;
    let one = b"PROXY TCP4 192.0.2.1 127.0.0.1 4711 8089\r\n";
    let mut two = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    two.extend([0x21, 0x11, 0, 12, 192, 0, 2, 2, 127, 0, 0, 1, 0x12, 0x34, 0x1f, 0x99]);
    let switching = "HTTP/1.1 101 Switching Protocols";
    let (first, second) = (answer(&daemon, one).await, answer(&daemon, &two).await);
    assert_eq!((first.0.as_str(), second.0.as_str()), (switching, switching));
    assert_eq!(answer(&daemon, one).await.0, "HTTP/1.1 429 Too Many Requests");
    assert_eq!(answer(&daemon, &two).await.0, "HTTP/1.1 429 Too Many Requests");
    assert_eq!(answer(&daemon, b"").await.0, "", "a connection without a header is closed");
    let rejected = |reason: &str| format!("chatpush_handshakes_rejected_total{{reason=\"{reason}\"}}");
    assert_eq!(daemon.metric(&rejected("address_limit")).await, 2);
    assert_eq!(daemon.metric(&rejected("proxy")).await, 1);
}

#[tokio::test]
async fn proxy_protocol_of_an_untrusted_peer_is_closed() {
    let env = TestEnv::new().await.with("CHATPUSH_PROXY_PROTOCOL", "true");
    let daemon = env.with("CHATPUSH_TRUSTED_PROXIES", "192.0.2.0/24").daemon().await;
    assert_eq!(answer(&daemon, b"PROXY TCP4 192.0.2.1 127.0.0.1 4711 8089\r\n").await.0, "");
    assert_eq!(daemon.metric("chatpush_handshakes_rejected_total{reason=\"proxy\"}").await, 1);
}

/// A daemon without a socket left answers behind the PROXY header, and not the header itself.
#[tokio::test]
async fn full_daemon_answers_behind_the_proxy_header() {
    let env = TestEnv::new().await.with("CHATPUSH_PROXY_PROTOCOL", "true");
    let env = env.with("CHATPUSH_LIMITS_CONNECTIONS", "1").with("CHATPUSH_LIMITS_HANDSHAKE_MS", "60000");
    let daemon = env.daemon().await;
    let mut silent = Vec::new();
    // One connection and 1,024 handshakes.
    for _ in 0..1_025 {
        silent.push(TcpStream::connect(("127.0.0.1", daemon.port())).await.expect("it listens"));
    }
    let header = b"PROXY TCP4 192.0.2.1 127.0.0.1 4711 8089\r\n";
    let status = async || answer(&daemon, header).await.0;
    eventually("it is full", status, |line| line == "HTTP/1.1 503 Service Unavailable").await;
}
