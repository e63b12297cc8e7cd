//! WebSocket frames (RFC 6455 section 5.2): mutated ones for the daemon, and a check of the daemon's own.

use anyhow::ensure;
use fastrand::Rng;

/// Returns some frames. Most are nearly valid; the last may be incomplete.
pub(crate) fn mutated(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..rng.u8(1..=24) {
        frame(rng, &mut bytes);
    }
    match rng.u8(..4) {
        0 => bytes.truncate(rng.usize(..bytes.len())),
        1 => bytes.extend((0..rng.usize(..100)).map(|_| rng.u8(..))),
        2 => {
            let at = rng.usize(..bytes.len());
            bytes[at] ^= 1 << rng.u8(..8);
        }
        _ => {}
    }
    bytes
}

/// Appends one frame. Errors that end the connection are rare, so that many frames are read before.
fn frame(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let rarely = |rng: &mut Rng| rng.u8(..24) == 0;
    let opcode = match rng.u8(..12) {
        0..7 => 0x1,
        7 | 8 => 0xA,
        9 => 0x9,
        10 => rng.u8(..3),
        _ if rarely(rng) => rng.u8(..16),
        _ => 0x1,
    };
    let end = if rarely(rng) { 0 } else { 0x80 };
    let reserved = if rarely(rng) { rng.u8(..8) << 4 } else { 0 };
    let payload = payload(rng);
    bytes.push(end | reserved | opcode);

    let mask_bit = if rarely(rng) { 0 } else { 0x80 };
    let length = if rarely(rng) { rng.u64(..) >> rng.u8(..64) } else { payload.len() as u64 };
    // Only the shortest of the three encodings is valid (section 5.2); the others are tried too.
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..126), _) if !rarely(rng) => bytes.push(mask_bit | short),
        (_, Ok(middle)) if !rarely(rng) => {
            bytes.push(mask_bit | 0x7E);
            bytes.extend(middle.to_be_bytes());
        }
        _ => {
            bytes.push(mask_bit | 0x7F);
            bytes.extend(length.to_be_bytes());
        }
    }
    let mask = if mask_bit == 0 { [0; 4] } else { rng.u32(..).to_be_bytes() };
    if mask_bit != 0 {
        bytes.extend(mask);
    }
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

fn payload(rng: &mut Rng) -> Vec<u8> {
    const TEXTS: [&str; 12] = [
        "",
        "ping",
        "1",
        "18446744073709551615",
        r#"{"ping":true}"#,
        r#"{"read":true}"#,
        r#"{"ack":["row/1/1","7:order 1"]}"#,
        r#"{"token":"a.b.c"}"#,
        r#"{"ack":"#,
        r#"{"grant":"a.b.c"}"#,
        r#"{"to":9,"event":"typing","value":[1]}"#,
        "\u{3E9}",
    ];
    match rng.u8(..10) {
        0..6 => TEXTS[rng.usize(..TEXTS.len())].into(),
        6 => (0..rng.usize(..200)).map(|_| rng.u8(..)).collect(),
        7 => vec![b'['; rng.usize(..70_000)],
        8 => format!("{{\"ack\":[{}\"a\"]}}", "\"a\",".repeat(rng.usize(..5_000))).into_bytes(),
        _ => (0..rng.usize(..140)).map(|_| rng.u8(b' '..=b'~')).collect(),
    }
}

/// Checks the frames that the daemon sent; the last may be incomplete.
///
/// # Errors
///
/// If a server must not send such a frame.
pub(crate) fn check_server_frames(mut bytes: &[u8]) -> anyhow::Result<()> {
    while let [first, second, rest @ ..] = bytes {
        let (opcode, control) = (first & 0xF, first & 0x8 != 0);
        ensure!(first & 0x70 == 0 && [0, 1, 2, 8, 9, 10].contains(&opcode), "first byte {first:#x}");
        ensure!(second & 0x80 == 0, "a masked frame (RFC 6455 section 5.1)");
        ensure!(!control || (first & 0x80 != 0 && *second < 126), "a fragmented or too long control frame");
        let (length, rest) = match second {
            126 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(()),
            },
            127 => match rest.split_first_chunk() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(()),
            },
            short => (u64::from(*short), rest),
        };
        let Some((payload, rest)) =
            usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length))
        else {
            return Ok(());
        };
        ensure!(
            opcode != 1 || first & 0x80 == 0 || std::str::from_utf8(payload).is_ok(),
            "a text that is not UTF-8"
        );
        bytes = rest;
    }
    Ok(())
}
