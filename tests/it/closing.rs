//! The cases of the Autobahn test suite that a server without echo can fail, and what they do not cover.

use chatpush_tests::daemon::{Daemon, token};
use chatpush_tests::raw_client::{
    CLOSE, CONTINUATION, FIN, PING, PONG, RawClient, RawEnd, RawFrame, TEXT, masked,
};
use chatpush_tests::test_env::TestEnv;

async fn connect(daemon: &Daemon) -> RawClient {
    RawClient::connect(daemon.port(), &token(2)).await
}

/// How the daemon ends a connection on which these frames were sent at once.
async fn end_after(daemon: &Daemon, frames: &[(u8, &[u8])]) -> RawEnd {
    let mut client = connect(daemon).await;
    let bytes: Vec<_> = frames.iter().flat_map(|(first, payload)| masked(*first, payload)).collect();
    assert!(client.send_bytes(&bytes).await, "the connection ended before everything was sent");
    client.end().await
}

/// The payload of a close frame.
fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes(), reason].concat()
}

/// RFC 6455 section 5.5.1: the answer has the same code, and the daemon closes the TCP connection first.
#[tokio::test]
async fn close_frame_of_a_client_is_answered() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        let end = end_after(&daemon, &[(FIN | CLOSE, &close(code, b"bye"))]).await;
        assert_eq!(end, RawEnd::Closed(Some(code)));
    }
    assert_eq!(end_after(&daemon, &[(FIN | CLOSE, &[])]).await, RawEnd::Closed(None));
    let longest = close(1000, &[b'x'; 123]);
    assert_eq!(end_after(&daemon, &[(FIN | CLOSE, &longest)]).await, RawEnd::Closed(Some(1000)));
    // What follows a close frame is ignored: another one, a ping, a text.
    let more: [(u8, &[u8]); 4] =
        [(FIN | CLOSE, &close(1000, b"")), (FIN | CLOSE, &[]), (FIN | PING, &[]), (FIN | TEXT, b"x")];
    assert_eq!(end_after(&daemon, &more).await, RawEnd::Closed(Some(1000)));
    // A message that is not complete.
    let begun: [(u8, &[u8]); 2] = [(TEXT, b"x"), (FIN | CLOSE, &close(1000, b""))];
    assert_eq!(end_after(&daemon, &begun).await, RawEnd::Closed(Some(1000)));
}

#[tokio::test]
async fn invalid_close_frame_is_closed_with_1002_or_1007() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    for code in [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999] {
        let end = end_after(&daemon, &[(FIN | CLOSE, &close(code, b""))]).await;
        assert_eq!(end, RawEnd::Closed(Some(1002)), "{code}");
    }
    assert_eq!(end_after(&daemon, &[(FIN | CLOSE, b"x")]).await, RawEnd::Closed(Some(1002)));
    assert_eq!(end_after(&daemon, &[(FIN | CLOSE, &[0; 126])]).await, RawEnd::Closed(Some(1002)));
    let reason = close(1000, b"\xed\xa0\x80");
    assert_eq!(end_after(&daemon, &[(FIN | CLOSE, &reason)]).await, RawEnd::Closed(Some(1007)));
}

/// RFC 6455 section 7.1.7, with the code of section 7.4.1.
#[tokio::test]
async fn protocol_error_is_closed_with_1002() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let mut cases: Vec<Vec<(u8, &[u8])>> = vec![
        vec![(PING, b"fragment"), (FIN | CONTINUATION, b"ed")],
        vec![(PONG, b"fragment")],
        vec![(CLOSE, b"")],
        vec![(FIN | PING, &[0; 126])],
        vec![(FIN | CONTINUATION, b"of nothing")],
        vec![(CONTINUATION, b"of nothing")],
        vec![(TEXT, b"one"), (FIN | TEXT, b"another")],
        vec![(TEXT, b"one"), (FIN | CONTINUATION, b"end"), (FIN | CONTINUATION, b"again")],
    ];
    cases.extend([0x40, 0x20, 0x10, 0x70].map(|reserved| vec![(FIN | reserved | TEXT, &b"x"[..])]));
    cases.extend([3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(|opcode| vec![(FIN | opcode, &b"x"[..])]));
    for frames in cases {
        assert_eq!(end_after(&daemon, &frames).await, RawEnd::Closed(Some(1002)), "{frames:?}");
    }
    // A client must mask (section 5.1).
    let mut client = connect(&daemon).await;
    client.send_bytes(&[FIN | TEXT, 1, b'x']).await;
    assert_eq!(client.end().await, RawEnd::Closed(Some(1002)));
}

/// RFC 6455 section 8.1.
#[tokio::test]
async fn text_that_is_not_utf_8_is_closed_with_1007() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    for text in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"cut off \xe2\x82"] {
        let whole: [(u8, &[u8]); 1] = [(FIN | TEXT, text)];
        assert_eq!(end_after(&daemon, &whole).await, RawEnd::Closed(Some(1007)), "{text:?}");
        let fragments: [(u8, &[u8]); 2] = [(TEXT, b"good"), (FIN | CONTINUATION, text)];
        assert_eq!(end_after(&daemon, &fragments).await, RawEnd::Closed(Some(1007)), "{text:?}");
    }
    // A character may be in two fragments.
    let split: [(u8, &[u8]); 3] =
        [(TEXT, b"\xe2\x82"), (FIN | CONTINUATION, b"\xac"), (FIN | CLOSE, &close(1000, b""))];
    assert_eq!(end_after(&daemon, &split).await, RawEnd::Closed(Some(1000)));
}

/// A client that sends all of its message before it reads must still see the code, and no reset.
#[tokio::test]
async fn client_that_sends_too_much_sees_1009() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let long = vec![b'x'; 12 * 1024 * 1024];
    assert_eq!(end_after(&daemon, &[(FIN | TEXT, &long)]).await, RawEnd::Closed(Some(1009)));
    // In fragments, each of which would be allowed.
    let part = &long[..64 * 1024];
    let mut parts = vec![(TEXT, part)];
    parts.extend((0..64).map(|_| (CONTINUATION, part)));
    assert_eq!(end_after(&daemon, &parts).await, RawEnd::Closed(Some(1009)));
}

/// The daemon reads only so much of what nobody wants.
#[tokio::test]
async fn client_that_never_stops_sending_is_cut_off() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let mut client = connect(&daemon).await;
    // The header of a frame that is longer than can ever be sent.
    client.send_bytes(&[FIN | TEXT, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]).await;
    // More than the daemon drops and the buffers of the kernel hold.
    let piece = vec![0; 1024 * 1024];
    let mut sent = 0;
    while sent < 256 && client.send_bytes(&piece).await {
        sent += 1;
    }
    assert!(sent < 256);
}

/// Fragments count although they make no message.
#[tokio::test]
async fn flood_of_empty_fragments_is_closed_with_1008() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    for (first, next) in [(TEXT, CONTINUATION), (2, CONTINUATION)] {
        let mut frames: Vec<(u8, &[u8])> = vec![(first, b"")];
        frames.extend((0..3_000).map(|_| (next, &b""[..])));
        assert_eq!(end_after(&daemon, &frames).await, RawEnd::Closed(Some(1008)));
    }
    // A message may be in many fragments.
    let mut frames: Vec<(u8, &[u8])> = vec![(TEXT, b"")];
    frames.extend((0..1_000).map(|_| (CONTINUATION, &b"x"[..])));
    frames.extend([(FIN | CONTINUATION, &b""[..]), (FIN | CLOSE, &[0x03, 0xe8])]);
    assert_eq!(end_after(&daemon, &frames).await, RawEnd::Closed(Some(1000)));
}

/// Pongs carry the payload of their pings, also within a fragmented message and before a close frame.
#[tokio::test]
async fn pings_are_answered() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let mut client = connect(&daemon).await;
    for payload in [&b""[..], b"Hello", &[0, 255, 254], &[0xfe; 125]] {
        client.send(FIN | PING, payload).await;
        assert_eq!(client.frame().await, Ok(RawFrame { opcode: PONG, payload: payload.to_vec() }));
    }
    client.send(TEXT, b"frag").await;
    client.send(FIN | PING, b"between").await;
    assert_eq!(client.frame().await, Ok(RawFrame { opcode: PONG, payload: b"between".to_vec() }));
    client.send(FIN | CONTINUATION, b"ment").await;
    // A pong that nobody asked for is ignored.
    client.send(FIN | PONG, b"unasked").await;
    client.send(FIN | PING, b"last").await;
    client.send(FIN | CLOSE, &close(1000, b"")).await;
    assert_eq!(client.frame().await, Ok(RawFrame { opcode: PONG, payload: b"last".to_vec() }));
    assert_eq!(client.end().await, RawEnd::Closed(Some(1000)));
}

/// The daemon waits for the client's close frame, and ends the connection if none comes.
#[tokio::test]
async fn connection_ends_although_the_client_does_not_answer() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let client = connect(&daemon).await;
    assert_eq!(env.php().get("var_dump(ChatPush\\disconnectUser(2));").await.trim(), "bool(true)");
    assert_eq!(client.end_without_answer().await, RawEnd::Closed(Some(4403)));
}
