use chatpush_tests::client::Client;
use chatpush_tests::daemon::{token, token_of};
use chatpush_tests::eventually::eventually;
use chatpush_tests::grants::{next_of, send_grant};
use chatpush_tests::test_env::{SECRET, TestEnv};
use chatpush_wire::id::UserId;
use chatpush_wire::token::{Secret, sign};

/// Without `allowed_origins` a page may connect to its own host only, and otherwise from the listed origins.
#[tokio::test]
async fn foreign_origin_is_rejected_with_403() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let path = format!("/ws?token={}", token(2));
    let own = format!("http://127.0.0.1:{}", daemon.port());
    assert!(Client::open(daemon.port(), &path, &[("Origin", &own)]).await.is_ok());
    for origin in ["https://evil.example", "null", "http://127.0.0.1"] {
        let refused =
            Client::open(daemon.port(), &path, &[("Origin", origin)]).await.expect_err("a foreign origin");
        assert_eq!(refused.status, 403, "{origin}");
        assert!(refused.reason.contains("allowed_origins"), "{}", refused.reason);
    }

    let open =
        env.with("CHATPUSH_ALLOWED_ORIGINS", "https://chat.example https://*.shop.example").daemon().await;
    for (origin, allowed) in [
        ("https://chat.example", true),
        ("https://www.shop.example", true),
        ("https://shop.example", false),
        ("https://chat.example.evil", false),
        (own.as_str(), false),
    ] {
        let opened = Client::open(open.port(), &path, &[("Origin", origin)]).await;
        assert_eq!(opened.is_ok(), allowed, "{origin}");
    }
}

/// A token may come in the query, in `Authorization` or among the subprotocols. It is never logged.
#[tokio::test]
async fn token_is_accepted_in_query_header_and_subprotocol() {
    let env = TestEnv::new().await.with("CHATPUSH_LOG", "trace");
    let daemon = env.daemon().await;
    let token = token(2);
    daemon.connect(2).await.until_unread_count().await;
    let bearer = format!("bearer {token}");
    let offered = format!("chatpush.token.{token}, chatpush.v1");
    for headers in [[("Authorization", bearer.as_str())], [("Sec-WebSocket-Protocol", offered.as_str())]] {
        let mut client = Client::open(daemon.port(), "/ws", &headers).await.expect("the token is accepted");
        client.until_unread_count().await;
    }
    let refused = Client::open(daemon.port(), "/ws", &[("Authorization", "Bearer x.y.z")]).await;
    assert_eq!(refused.expect_err("a bad token").status, 401);
    let signature = token.rsplit('.').next().expect("three parts");
    assert!(!daemon.log().contains(signature), "a token is in the log");
}

/// `chatpush.audience` in PHP is `token.audience` in the daemon: another one is refused, and so is a missing one.
#[tokio::test]
async fn tokens_and_grants_of_php_name_the_audience_of_the_daemon() {
    let env = TestEnv::new().await;
    let plain = env.daemon().await;
    let named = env.clone().with("CHATPUSH_TOKEN_AUDIENCE", "https://chat.example").daemon().await;
    let signed = async |audience: Option<&str>| {
        let php = env.php();
        let php = match audience {
            Some(audience) => php.with(&format!("chatpush.audience=\"{audience}\"")),
            None => php,
        };
        let both = php.get("echo ChatPush\\connectToken(2), ' ', ChatPush\\grantToken(2, [], ['a']);").await;
        let (token, grant) = both.split_once(' ').expect("two tokens");
        (token.to_owned(), grant.to_owned())
    };
    let audiences = [None, Some("https://chat.example"), Some("https://other.example")];
    for (daemon, own) in [(&plain, audiences[0]), (&named, audiences[1])] {
        let connect = async |token: &str| Client::connect(daemon.port(), token, Some("chatpush.v1")).await;
        let (token, grant) = signed(own).await;
        let mut client = connect(&token).await.expect("its audience is right");
        send_grant(&mut client, &grant).await;
        assert!(next_of(&mut client, "grant").await["until"].is_u64());
        for other in audiences.into_iter().filter(|audience| *audience != own) {
            let (token, grant) = signed(other).await;
            let refused = connect(&token).await.expect_err("its audience is wrong");
            assert_eq!(refused.status, 401);
            assert!(refused.reason.contains("audience"), "{}", refused.reason);
            send_grant(&mut client, &grant).await;
            let error = next_of(&mut client, "grant").await["error"].clone();
            assert!(error.as_str().is_some_and(|error| error.contains("audience")), "{error}");
        }
    }
}

/// Each rejected handshake is counted by its reason. A request that is not meant as one is not.
#[tokio::test]
async fn rejected_handshakes_are_counted_by_reason() {
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_CONNECTIONS_PER_USER", "1");
    let env = env.with("CHATPUSH_LIMITS_CONNECTIONS", "2");
    let daemon = env.daemon().await;
    let secret = SECRET;
    let in_query = |token: &str| format!("/ws?token={token}");
    let user = UserId::try_from(2).expect("a user id");
    let key = Secret::new(secret).expect("long enough");
    let now = std::time::UNIX_EPOCH.elapsed().expect("the clock is after 1970").as_secs();
    let for_others = sign(&key, user, Some("others"), now, 60);
    let _one = daemon.connect(2).await;
    let cases = [
        ("missing", "/ws".to_owned(), ("Accept", "*/*")),
        ("malformed", in_query("x.y.z"), ("Accept", "*/*")),
        ("signature", in_query(&token_of(&"y".repeat(32), 3, 60)), ("Accept", "*/*")),
        ("expired", in_query(&token_of(secret, 3, 0)), ("Accept", "*/*")),
        ("audience", in_query(&for_others), ("Accept", "*/*")),
        ("origin", in_query(&token(3)), ("Origin", "https://evil.example")),
        ("user_limit", in_query(&token(2)), ("Accept", "*/*")),
    ];
    for (reason, path, header) in &cases {
        assert!(Client::open(daemon.port(), path, &[*header]).await.is_err(), "{reason}");
    }
    let _two = daemon.connect(3).await;
    assert!(Client::open(daemon.port(), &in_query(&token(4)), &[]).await.is_err(), "it is full");
    for (reason, count) in cases.iter().map(|(reason, ..)| (*reason, 1)).chain([("full", 1), ("proxy", 0)]) {
        let name = format!("chatpush_handshakes_rejected_total{{reason=\"{reason}\"}}");
        assert_eq!(daemon.metric(&name).await, count, "{reason}");
    }
}

/// The line is what an operator has of a rejection: reason, client, what is wrong, and how many had no line.
#[tokio::test]
async fn rejected_handshake_leaves_a_line_without_the_token() {
    let env = TestEnv::new().await.with("CHATPUSH_LOG_FORMAT", "json");
    let daemon = env.daemon().await;
    let token = token_of(&"y".repeat(32), 2, 60);
    assert!(Client::connect(daemon.port(), &token, None).await.is_err());
    let lines = async || {
        let log = daemon.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.filter(|line| line.to_string().contains("handshake rejected")).collect::<Vec<_>>()
    };
    let lines = eventually("there is a line", lines, |lines| !lines.is_empty()).await;
    let [line] = &lines[..] else { panic!("one line: {lines:?}") };
    assert_eq!(line["level"], "WARN", "{line}");
    let fields = &line["fields"];
    assert_eq!(
        (fields["reason"].as_str(), fields["client"].as_str(), fields["unlogged"].as_u64()),
        (Some("signature"), Some("127.0.0.1"), Some(0)),
        "{line}"
    );
    assert!(fields["error"].as_str().is_some_and(|error| !error.is_empty()), "{line}");
    assert!(!line.to_string().contains(&token), "{line}");
}

/// `previous_secrets` still verify tokens; any other secret is rejected.
#[tokio::test]
async fn token_of_a_previous_secret_is_accepted() {
    const OLD: &str = "an-old-secret-that-is-still-accepted-today";
    let env = TestEnv::new().await.with("CHATPUSH_PREVIOUS_SECRETS", format!("{OLD} {}", "x".repeat(32)));
    let daemon = env.daemon().await;
    assert!(Client::connect(daemon.port(), &token_of(OLD, 2, 60), None).await.is_ok());
    let unknown = token_of(&"y".repeat(32), 2, 60);
    assert_eq!(Client::connect(daemon.port(), &unknown, None).await.expect_err("unknown").status, 401);
}

/// A client can send a new token before, but only one of the same user.
#[tokio::test]
async fn connection_closes_with_4401_when_its_token_expires() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let short = || token_of(SECRET, 2, 3);
    let plain = Client::connect(daemon.port(), &short(), None).await.expect("the token is good");
    let mut refreshed = Client::connect(daemon.port(), &short(), Some("chatpush.v1")).await.expect("good");
    let mut other = Client::connect(daemon.port(), &short(), Some("chatpush.v1")).await.expect("good");
    refreshed.send_text(&format!("{{\"token\":\"{}\"}}", token(2))).await;
    // A token of another user does not extend the connection.
    other.send_text(&format!("{{\"token\":\"{}\"}}", token(3))).await;
    assert_eq!(plain.close_code().await, Some(4401));
    assert_eq!(other.close_code().await, Some(4401));
    refreshed.send_text("{\"ping\":true}").await;
    while refreshed.json().await["pong"] != true {}
}

/// `disconnectUser` reaches the connections of one user on every daemon, and no others.
#[tokio::test]
async fn disconnect_user_closes_all_connections_with_4403() {
    let env = TestEnv::new().await;
    let (one, other) = (env.daemon().await, env.daemon().await);
    let (mut first, mut second, mut bystander) =
        (one.connect(2).await, other.connect(2).await, one.connect(3).await);
    for client in [&mut first, &mut second, &mut bystander] {
        client.until_unread_count().await;
    }
    let php = env.php();
    assert_eq!(php.get("var_dump(ChatPush\\disconnectUser(2));").await.trim(), "bool(true)");
    assert_eq!((first.close_code().await, second.close_code().await), (Some(4403), Some(4403)));
    php.get("pushMessage(3, 'still here', 'text');").await;
    assert_eq!(bystander.json().await["data"], "still here");
    assert_eq!(php.get("var_dump(ChatPush\\disconnectUser(4));").await.trim(), "bool(false)");
}

/// Much more than the buffers of the sockets hold.
#[tokio::test]
async fn what_was_pushed_before_disconnect_user_arrives() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let mut client = daemon.connect(2).await;
    client.until_unread_count().await;
    let reading = client.keep_reading();
    let push = "for ($i = 0; $i < 10; $i++) {
                    pushMessage(2, str_repeat('x', 40000), 'text');
                    ChatPush\\pushToUsers([2], str_repeat('y', 40000), 'text');
                }
                pushMessage(2, 'the last one', 'text');
                var_dump(ChatPush\\disconnectUser(2));";
    assert_eq!(env.php().get(push).await.trim(), "bool(true)");
    let frames = reading.await.expect("it reads to the end");
    assert_eq!(frames.len(), 21);
    assert!(frames[20].contains("the last one"), "{}", frames[20]);
}

/// Rows that were not confirmed stay. The client confirms what it reads before it is closed.
#[tokio::test]
async fn disconnect_user_interrupts_a_replay() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let php = env.php();
    // Much more than the socket buffers hold.
    php.get("for ($i = 0; $i < 150; $i++) storeOfflineMessage(1, 2, str_repeat('x', 60000));").await;
    let client = daemon.connect(2).await;
    let metrics = || daemon.get("/metrics");
    let replaying = |text: &String| !text.contains("\nchatpush_frames_total 0\n");
    eventually("the replay has begun", metrics, replaying).await;
    assert_eq!(php.get("var_dump(ChatPush\\disconnectUser(2));").await.trim(), "bool(true)");
    assert_eq!(client.close_code().await, Some(4403));
    assert!(env.stored_count(2).await > 100, "unconfirmed rows stay");
}

/// `/chatpush.js` has an `ETag` by its hash, and is immutable under `?v=`.
#[tokio::test]
async fn chatpush_js_is_compressed_and_revalidated() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let get = async |path: &str, headers: &str| {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut socket =
            tokio::net::TcpStream::connect(("127.0.0.1", daemon.port())).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
        socket.write_all(request.as_bytes()).await.expect("it takes the request");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.expect("it answers");
        answer
    };
    let header = |answer: &[u8], name: &str| {
        let text = String::from_utf8_lossy(answer).into_owned();
        let line =
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned));
        line.unwrap_or_default()
    };
    let plain = get("/chatpush.js", "").await;
    let source = include_bytes!("../../js/dist/chatpush.js");
    assert!(plain.starts_with(b"HTTP/1.1 200") && plain.ends_with(source));
    assert_eq!(header(&plain, "content-type"), "text/javascript; charset=utf-8");
    let packed = get("/chatpush.js", "Accept-Encoding: gzip, br\r\n").await;
    assert_eq!(header(&packed, "content-encoding"), "gzip");
    assert!(packed.len() < 10 * 1024, "{} bytes", packed.len());
    let tag = header(&plain, "etag");
    assert_ne!(tag, header(&packed, "etag"));
    let same = get("/chatpush.js", &format!("If-None-Match: {tag}\r\n")).await;
    assert!(same.starts_with(b"HTTP/1.1 304"));
    let named = get(&format!("/chatpush.js?v={}", tag.trim_matches('"')), "").await;
    assert!(header(&named, "cache-control").contains("immutable"));
}

fn issued_at(user: u32, seconds_from_now: i64, ttl: u64) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().expect("a clock").as_secs();
    let secret = Secret::new(SECRET).expect("a key");
    let user = UserId::try_from(i64::from(user)).expect("a user id");
    sign(&secret, user, None, now.saturating_add_signed(seconds_from_now), ttl)
}

/// A token of an application that does not say when it was issued.
async fn without_iat(env: &TestEnv, user: u32) -> String {
    let code = format!(
        "$encode = fn ($text) => rtrim(strtr(base64_encode($text), '+/', '-_'), '=');
         $claims = json_encode(['sub' => '{user}', 'exp' => time() + 600]);
         $signed = $encode('{{\"alg\":\"HS256\"}}') . '.' . $encode($claims);
         echo $signed, '.', $encode(hash_hmac('sha256', $signed, '{SECRET}', true));"
    );
    env.php().get(&code).await.trim().to_owned()
}

/// They open no connection and renew none, on any daemon. Tokens that are signed later do.
#[tokio::test]
async fn disconnect_user_revokes_older_tokens() {
    let env = TestEnv::new().await;
    let (one, other) = (env.daemon().await, env.daemon().await);
    let old = issued_at(2, -1, 60);
    let mut open = Client::connect(one.port(), &old, None).await.expect("it is good still");
    open.until_unread_count().await;
    assert_eq!(env.php().get("var_dump(ChatPush\\disconnectUser(2));").await.trim(), "bool(true)");
    assert_eq!(open.close_code().await, Some(4403));
    for daemon in [&one, &other] {
        let refused = Client::connect(daemon.port(), &old, None).await.expect_err("it is revoked");
        assert_eq!((refused.status, refused.reason.as_str()), (401, "token was revoked"));
        let undated = without_iat(&env, 2).await;
        let refused = Client::connect(daemon.port(), &undated, None).await.expect_err("it may be older");
        assert_eq!((refused.status, refused.reason.as_str()), (401, "token was revoked"));
    }
    assert_eq!(env.php().get("var_dump(ChatPush\\isOnline(2));").await.trim(), "bool(false)");
    assert!(Client::connect(one.port(), &without_iat(&env, 3).await, None).await.is_ok(), "another user");
    // One that is signed now opens a connection, which the old one does not prolong.
    let revoked = "chatpush_handshakes_rejected_total{reason=\"revoked\"}";
    for daemon in [&one, &other] {
        assert_eq!(daemon.metric(revoked).await, 2);
    }
    let short = Client::connect(other.port(), &issued_at(2, 0, 3), Some("chatpush.v1")).await;
    let mut short = short.expect("it is newer");
    short.until_unread_count().await;
    short.send_text(&format!("{{\"token\":\"{old}\"}}")).await;
    assert_eq!(short.close_code().await, Some(4401));
    // The record lives as long as the tokens.
    let id = UserId::try_from(2).expect("a user id");
    let left: i64 = env.redis(&["TTL", &env.prefix().revoked(&id)]).await;
    assert!(left > 31_536_000, "{left}");
}

/// A later call never moves the second back, whatever the clock of its server says.
#[tokio::test]
async fn revocation_outlives_outages_and_missed_messages() {
    let env = TestEnv::with_own_servers().await.with("CHATPUSH_LIMITS_HANDSHAKE_MS", "60000");
    let old = issued_at(2, -1, 600);
    // No daemon runs: the record is there for one that starts later.
    assert_eq!(env.php().get("var_dump(ChatPush\\disconnectUser(2));").await.trim(), "bool(false)");
    let daemon = env.daemon().await;
    let refused =
        async || Client::connect(daemon.port(), &old, None).await.err().map(|refused| refused.status);
    assert_eq!(refused().await, Some(401));
    // While Redis is away nobody can say whether a token is revoked, so the handshake waits.
    env.servers().kill_redis().await;
    let (waiting, ()) = tokio::join!(refused(), env.servers().start_redis());
    assert_ne!(waiting, None, "it is let in during an outage");
    eventually("it is refused again", refused, |status| *status == Some(401)).await;

    // The subscription breaks, and the call's message does not come: a new epoch reads the record.
    let mut open = daemon.connect(3).await;
    open.until_unread_count().await;
    let id = UserId::try_from(3).expect("a user id");
    let later = (std::time::UNIX_EPOCH.elapsed().expect("a clock").as_secs() + 60).to_string();
    let _: String = env.redis(&["SET", &env.prefix().revoked(&id), &later]).await;
    assert_eq!(env.php().get("var_dump(ChatPush\\isOnline(3));").await.trim(), "bool(true)");
    let _: u32 = env.redis(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    assert_eq!(open.close_code().await, Some(4403));
    // A clock that is behind does not make older tokens valid again.
    env.php().get("ChatPush\\disconnectUser(3);").await;
    let kept: String = env.redis(&["GET", &env.prefix().revoked(&id)]).await;
    assert_eq!(kept, later);
}
