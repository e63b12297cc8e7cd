//! Valid and mutated opening handshakes (RFC 6455 section 4.1).

use fastrand::Rng;

/// A request in parts, each of which can be mutated.
struct Request {
    start: [Vec<u8>; 3],
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    line_end: &'static [u8],
    rest: Vec<u8>,
}

/// Returns a handshake as a browser sends it, with the token in one of its three places.
pub(crate) fn valid(rng: &mut Rng, token: &str) -> Vec<u8> {
    request(rng, token).bytes()
}

/// Returns a handshake with one to four mutations. In every third one, some bytes are changed as well.
pub(crate) fn mutated(rng: &mut Rng, token: &str) -> Vec<u8> {
    let mut request = request(rng, token);
    for _ in 0..rng.u8(1..=4) {
        mutate(rng, &mut request);
    }
    let mut bytes = request.bytes();
    if rng.u8(..3) == 0 {
        for _ in 0..rng.u8(1..=8) {
            let at = rng.usize(..bytes.len());
            match rng.u8(..4) {
                0 => bytes[at] = rng.u8(..),
                1 => bytes.insert(at, rng.u8(..)),
                2 => bytes[at] ^= 1 << rng.u8(..8),
                // At least one byte stays, for the next change.
                _ => bytes.truncate(at.max(1)),
            }
        }
    }
    bytes
}

fn request(rng: &mut Rng, token: &str) -> Request {
    let mut target = "/ws".to_owned();
    let mut headers = vec![
        ("Host", "localhost".to_owned()),
        ("Connection", "Upgrade".to_owned()),
        ("Upgrade", "websocket".to_owned()),
        ("Sec-WebSocket-Version", "13".to_owned()),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==".to_owned()),
    ];
    let protocol = ["chatpush.v1", "chatpush.raw", "chat"][rng.usize(..3)];
    match rng.u8(..3) {
        0 => target = format!("/ws?token={token}"),
        1 => headers.push(("Authorization", format!("Bearer {token}"))),
        _ => headers.push(("Sec-WebSocket-Protocol", format!("chatpush.token.{token}, {protocol}"))),
    }
    if rng.bool() && headers.len() < 7 {
        headers.push(("Sec-WebSocket-Protocol", protocol.to_owned()));
    }
    let headers = headers.into_iter().map(|(name, value)| (name.into(), value.into_bytes())).collect();
    let start = [b"GET".to_vec(), target.into_bytes(), b"HTTP/1.1".to_vec()];
    Request { start, headers, line_end: b"\r\n", rest: Vec::new() }
}

/// Applies one mutation.
fn mutate(rng: &mut Rng, request: &mut Request) {
    const METHODS: [&str; 7] = ["POST", "HEAD", "OPTIONS", "CONNECT", "PRI", "get", ""];
    const TARGETS: [&str; 10] = [
        "/",
        "*",
        "//ws",
        "/ws/",
        "/ws?token",
        "/ws?token=%",
        "/ws?token=%ff&token=a",
        "/ws#x",
        "http://x/ws",
        "/../ws",
    ];
    const VERSIONS: [&str; 5] = ["HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "http/1.1", ""];
    const NAMES: [&str; 12] = [
        "Host",
        "Connection",
        "Upgrade",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Authorization",
        "Origin",
        "Content-Length",
        "Transfer-Encoding",
        "Expect",
    ];
    const VALUES: [&str; 12] = [
        "",
        "0",
        "-1",
        "99999999999999999999",
        "chunked",
        "100-continue",
        "null",
        "https://evil.example",
        "Bearer ",
        "permessage-deflate; client_max_window_bits",
        "chatpush.token., chatpush.v1",
        "websocket, h2c",
    ];
    let one = |rng: &mut Rng, choices: &[&str]| choices[rng.usize(..choices.len())].as_bytes().to_vec();
    let header = rng.usize(..request.headers.len().max(1));
    match rng.u8(..14) {
        0 => request.start[0] = one(rng, &METHODS),
        1 => request.start[1] = one(rng, &TARGETS),
        2 => request.start[2] = one(rng, &VERSIONS),
        3 => request.start[1].extend(vec![b'a'; rng.usize(..100_000)]),
        4 => request.headers.push((one(rng, &NAMES), one(rng, &VALUES))),
        5 => request.headers.push((one(rng, &NAMES), noise(rng, 300))),
        6 => request.headers.push((noise(rng, 40), noise(rng, 40))),
        7 => request.headers.push((b"X-Long".to_vec(), vec![b'a'; rng.usize(..300_000)])),
        8 => {
            let many = 0..rng.usize(..2_000);
            request.headers.extend(many.map(|number| (format!("X-{number}").into_bytes(), b"1".to_vec())));
        }
        9 if !request.headers.is_empty() => drop(request.headers.remove(header)),
        10 if !request.headers.is_empty() => request.headers.push(request.headers[header].clone()),
        11 if !request.headers.is_empty() => request.headers[header].1 = noise(rng, 200),
        12 => request.line_end = if rng.bool() { b"\n" } else { b"\r" },
        _ => request.rest = noise(rng, 2_000),
    }
}

/// Returns random bytes, half of the time printable text.
fn noise(rng: &mut Rng, most: usize) -> Vec<u8> {
    let text = rng.bool();
    let byte = |rng: &mut Rng| if text { rng.u8(b' '..=b'~') } else { rng.u8(..) };
    (0..rng.usize(..most)).map(|_| byte(rng)).collect()
}

impl Request {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.start.join(&b' ');
        bytes.extend(self.line_end);
        for (name, value) in &self.headers {
            for part in [name, &b": "[..], value, self.line_end] {
                bytes.extend(part);
            }
        }
        bytes.extend(self.line_end);
        bytes.extend(&self.rest);
        bytes
    }
}
