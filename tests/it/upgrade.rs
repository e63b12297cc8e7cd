//! The opening handshake, byte by byte, and what `GET /ws` says without an upgrade.

use chatpush_tests::client::Client;
use chatpush_tests::daemon::{Daemon, token};
use chatpush_tests::raw_client::{RawClient, handshake};
use chatpush_tests::test_env::TestEnv;

/// The head of the response to a request.
async fn head(daemon: &Daemon, request: &str) -> String {
    RawClient::request(daemon.port(), request).await.1
}

/// The status of the response, and its body.
async fn answer(daemon: &Daemon, request: &str) -> (u16, String) {
    let (rest, head) = RawClient::request(daemon.port(), request).await;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, rest.body().await.trim().to_owned())
}

fn get(headers: &str) -> String {
    format!("GET /ws HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

fn bearer(user: u32) -> String {
    format!("Authorization: Bearer {}\r\n", token(user))
}

/// RFC 6455 sections 4.2.2 and 4.4, RFC 9110 section 15.5.22.
#[tokio::test]
async fn invalid_handshake_says_what_would_be_valid() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let good = handshake(&format!("/ws?token={}", token(2)), "");
    assert!(head(&daemon, &good).await.starts_with("HTTP/1.1 101 "));
    for (from, to, status) in [
        ("Version: 13", "Version: 12", 426),
        ("Version: 13", "Version: 13, 12", 426),
        ("Sec-WebSocket-Version: 13\r\n", "", 426),
        ("Upgrade: websocket\r\n", "", 426),
        ("Connection: Upgrade\r\n", "", 426),
        ("dGhlIHNhbXBsZSBub25jZQ==", "short", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", 400),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
        ("HTTP/1.1", "HTTP/1.0", 400),
        ("GET", "POST", 405),
    ] {
        let request = good.replace(from, to);
        assert_ne!(request, good);
        let head = head(&daemon, &request).await.to_ascii_lowercase();
        assert_eq!(head.split(' ').nth(1), Some(status.to_string().as_str()), "{to}: {head}");
        if status == 426 {
            assert!(head.contains("\r\nsec-websocket-version: 13\r\n"), "{head}");
            assert!(head.contains("\r\nupgrade: websocket\r\n"), "{head}");
            assert!(head.contains("\r\nconnection: close, upgrade\r\n"), "{head}");
        }
    }
}

/// Lists may be on several lines, and an answer names only what was offered.
#[tokio::test]
async fn subprotocols_may_be_on_several_lines() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let offered = format!(
        "Sec-WebSocket-Protocol: other\r\nSec-WebSocket-Protocol: chatpush.token.{}, chatpush.v1\r\n",
        token(2)
    );
    let accepted = head(&daemon, &handshake("/ws", &offered)).await.to_ascii_lowercase();
    assert!(accepted.starts_with("http/1.1 101 "), "{accepted}");
    assert!(accepted.contains("\r\nsec-websocket-protocol: chatpush.v1\r\n"), "{accepted}");
    let in_query = format!("/ws?token={}&protocol=chatpush.v1", token(2));
    let accepted = head(&daemon, &handshake(&in_query, "")).await.to_ascii_lowercase();
    assert!(accepted.starts_with("http/1.1 101 "), "{accepted}");
    assert!(!accepted.contains("sec-websocket-protocol"), "{accepted}");
    let unknown = format!("/ws?token={}&protocol=mqtt", token(2));
    let (status, reason) = answer(&daemon, &handshake(&unknown, "")).await;
    assert_eq!((status, reason.as_str()), (400, "protocol must be chatpush.v1 or chatpush.raw"));
}

/// `?protocol=` stands for the subprotocol: an ack confirms, and `{"ping":true}` is answered.
#[tokio::test]
async fn protocol_in_the_query_counts() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let path = format!("/ws?token={}&protocol=chatpush.v1", token(2));
    let mut client = Client::open(daemon.port(), &path, &[]).await.expect("the handshake is accepted");
    client.until_unread_count().await;
    client.send_text(r#"{"ping":true}"#).await;
    assert_eq!(client.json().await["pong"], true);
}

/// The default port of the scheme, the case and the final dot of a host make no difference. An origin that
/// cannot be read is one.
#[tokio::test]
async fn origin_is_compared_with_the_host_as_browsers_write_it() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let path = format!("/ws?token={}", token(2));
    let status = async |host: &str, origin: &[u8]| {
        let request = handshake(&path, "").replace("Host: localhost", &format!("Host: {host}"));
        // Header values may have any bytes but control characters (RFC 9110 section 5.5).
        let marked = request.replace("\r\n\r\n", "\r\nOrigin: ");
        let bytes = [marked.as_bytes(), origin, b"\r\n\r\n"].concat();
        let (_, head) = RawClient::request(daemon.port(), bytes).await;
        head.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok()).expect("a status")
    };
    for (host, origin) in [
        ("h:443", "https://h"),
        ("h:80", "http://h"),
        ("H", "https://h:443"),
        ("h.", "https://h"),
        ("[::1]:443", "https://[::1]"),
    ] {
        assert_eq!(status(host, origin.as_bytes()).await, 101, "{host} {origin}");
    }
    for (host, origin) in [
        ("h:443", &b"http://h"[..]),
        ("h:80", b"https://h"),
        ("h:8443", b"https://h"),
        ("h", b"https://\xc3\xa9"),
        ("h", b"\xff"),
        ("h", b""),
        ("h", b"https://h\r\nOrigin: https://evil.example"),
        ("h", b"https://evil.example\r\nOrigin: https://h"),
    ] {
        assert_eq!(status(host, origin).await, 403, "{host} {}", String::from_utf8_lossy(origin));
    }
}

/// RFC 7515 section 4.1.11.
#[tokio::test]
async fn token_with_an_unknown_extension_is_refused() {
    // Signed with the secret of the tests; `{"alg":"HS256","crit":["b64"],"b64":true}`, user 2, until 2100.
    const CRITICAL: &str = "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsiYjY0Il0sImI2NCI6dHJ1ZX0\
        .eyJzdWIiOiIyIiwiZXhwIjo0MTAyNDQ0ODAwfQ\
        .7sjnZlF4G9hw75bDc7D2iZLtKlp_ciIc-EW9-Vv_1k4";
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let refused = Client::connect(daemon.port(), CRITICAL, None).await.expect_err("it has crit");
    assert_eq!(refused.status, 401);
    assert!(refused.reason.contains("crit"), "{}", refused.reason);
}

/// The status and the text are those of the handshake, and any page may read them.
#[tokio::test]
async fn request_without_an_upgrade_is_told_the_reason() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_CONNECTIONS_PER_USER", "1");
    let daemon = env.daemon().await;
    let good = bearer(2);
    assert_eq!(answer(&daemon, &get(&good)).await, (200, "ok".to_owned()));
    let own = format!("{good}Origin: http://localhost\r\n");
    assert_eq!(answer(&daemon, &get(&own)).await, (200, "ok".to_owned()));
    let foreign = format!("{good}Origin: https://evil.example\r\n");
    let _held = daemon.connect(3).await;
    for (headers, status, reason) in [
        ("", 401, "token is missing: /ws?token=…"),
        ("Authorization: Bearer x.y.z\r\n", 401, "token is malformed"),
        (&foreign, 403, "origin is not allowed: see allowed_origins in chatpush.toml"),
        (
            &bearer(3),
            429,
            "too many connections of this user: see limits.connections_per_user in chatpush.toml",
        ),
    ] {
        assert_eq!(answer(&daemon, &get(headers)).await, (status, reason.to_owned()));
        let head = head(&daemon, &get(headers)).await.to_ascii_lowercase();
        assert!(head.contains("\r\naccess-control-allow-origin: *\r\n"), "{head}");
    }
    // It is no connection: user 2 may still have one, and is not online before.
    assert_eq!(env.php().get("var_dump(pushMessage(2, 'hello', 'text'));").await.trim(), "bool(false)");
    daemon.connect(2).await.until_unread_count().await;

    let preflight = "OPTIONS /ws HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n\
                     Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: authorization\r\n\r\n";
    let allowed = head(&daemon, preflight).await.to_ascii_lowercase();
    assert!(allowed.starts_with("http/1.1 204 "), "{allowed}");
    assert!(allowed.contains("\r\naccess-control-allow-headers: authorization\r\n"), "{allowed}");
    assert!(allowed.contains("\r\naccess-control-allow-origin: *\r\n"), "{allowed}");
}

/// Asking for the reason counts as a handshake of the address.
#[tokio::test]
async fn requests_without_an_upgrade_are_limited() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_HANDSHAKES_PER_ADDRESS", "5");
    let daemon = env.daemon().await;
    let headers = format!("{}X-Forwarded-For: 192.0.2.1\r\n", bearer(2));
    let answers = (0..40).map(|_| async { answer(&daemon, &get(&headers)).await.0 });
    let statuses = futures_util::future::join_all(answers).await;
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
}
