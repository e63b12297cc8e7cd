//! Decodes the bytes of a server: WebSocket frames (RFC 6455 section 5.2) or replies of Redis.

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// WebSocket. Frames of a server are not masked.
    WebSocket,
    /// RESP2: arrays of bulk strings, as a subscriber of Redis gets them.
    Redis,
}

/// One complete frame, or one reply of Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its kind.
    pub kind: FrameKind,
    /// Its payload.
    pub payload: &'a [u8],
    /// Its length in bytes, with its head.
    pub bytes: usize,
}

/// The kinds of frames that a client distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Text or binary, or a fragment of either.
    Data,
    /// A ping, which is answered with its payload.
    Ping,
    /// A close frame.
    Close,
    /// Anything else.
    Other,
}

impl Protocol {
    /// Decodes the first frame, if it is complete.
    pub fn decode(self, bytes: &[u8]) -> Option<Frame<'_>> {
        match self {
            Self::WebSocket => websocket(bytes),
            Self::Redis => redis(bytes),
        }
    }
}

fn websocket(bytes: &[u8]) -> Option<Frame<'_>> {
    let (head, rest) = bytes.split_first_chunk::<2>()?;
    let kind = match head[0] & 0x0F {
        0..=2 => FrameKind::Data,
        8 => FrameKind::Close,
        9 => FrameKind::Ping,
        _ => FrameKind::Other,
    };
    let (length, start): (usize, usize) = match head[1] & 0x7F {
        126 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
        127 => (usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?, 10),
        length => (usize::from(length), 2),
    };
    let end = start.checked_add(length)?;
    Some(Frame { kind, payload: bytes.get(start..end)?, bytes: end })
}

/// Decodes an array of bulk strings. The last of them is the payload.
fn redis(bytes: &[u8]) -> Option<Frame<'_>> {
    let (count, mut at) = line(bytes, 0)?;
    let mut payload: &[u8] = &[];
    for _ in 0..count.strip_prefix(b"*").and_then(number).unwrap_or(0) {
        let (head, start) = line(bytes, at)?;
        at = start;
        if let Some(length) = head.strip_prefix(b"$").and_then(number) {
            payload = bytes.get(start..start + length)?;
            bytes.get(start + length..start + length + 2)?;
            at = start + length + 2;
        }
    }
    Some(Frame { kind: FrameKind::Data, payload, bytes: at })
}

fn line(bytes: &[u8], from: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(from..)?;
    let end = memchr::memchr(b'\n', rest)?;
    Some((rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]), from + end + 1))
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Encodes a frame of a client. The mask is zero: masking protects proxies from scripts in a page (section
/// 10.3), and there are neither here.
pub fn encode_client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match u16::try_from(payload.len()) {
        Ok(length @ 0..=125) => frame.push(0x80 | length.to_le_bytes()[0]),
        Ok(length) => {
            frame.push(0x80 | 0x7E);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 0x7F);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_complete_frame_is_decoded() {
        let bytes = [0x81, 3, b'a', b'b', b'c', 0x89];
        for end in 0..5 {
            assert_eq!(Protocol::WebSocket.decode(&bytes[..end]), None);
        }
        let frame = Protocol::WebSocket.decode(&bytes).expect("a frame");
        assert_eq!((frame.kind, frame.payload, frame.bytes), (FrameKind::Data, &b"abc"[..], 5));
        let mut long = vec![0x82, 126, 1, 0];
        long.extend([7; 256]);
        assert_eq!(Protocol::WebSocket.decode(&long).expect("a frame").payload.len(), 256);
    }

    #[test]
    fn only_a_complete_redis_reply_is_decoded() {
        let bytes = b"*3\r\n$7\r\nmessage\r\n$2\r\nu1\r\n$5\r\nhello\r\n*";
        for end in 0..bytes.len() - 1 {
            assert_eq!(Protocol::Redis.decode(&bytes[..end]), None, "{end}");
        }
        let frame = Protocol::Redis.decode(bytes).expect("a push");
        assert_eq!((frame.payload, frame.bytes), (&b"hello"[..], bytes.len() - 1));
        let frame =
            Protocol::Redis.decode(b"*3\r\n$9\r\nsubscribe\r\n$2\r\nu1\r\n:1\r\n").expect("an answer");
        assert_eq!(frame.bytes, 31);
    }
}
