//! RESP3, the protocol of Redis, as far as these few commands need it (Redis manual, "Redis serialization
//! protocol specification").

use std::io::Write as _;

use super::error::LinkError;

/// How deep arrays may nest. Answers to our commands are two deep; the answer to HELLO, which lists modules,
/// is four.
const DEPTH: usize = 6;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A status such as OK.
    Status(String),
    /// An error, as Redis words it.
    Error(String),
    /// A number.
    Number(i64),
    /// A string of bytes.
    Bytes(Vec<u8>),
    /// Answers in order; of a map, each name and its value.
    Array(Vec<Self>),
    /// A published message, or the confirmation of a subscription.
    Push(Vec<Self>),
    /// A missing string or array.
    Nil,
}

/// What the start of a buffer holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A complete answer and its length in bytes.
    Whole(Answer, usize),
    /// The beginning of an answer.
    Partial,
    /// Something other than an answer.
    Malformed,
}

impl Answer {
    /// The answer, unless it is an error.
    pub(crate) fn into_result(self) -> Result<Self, LinkError> {
        match self {
            Self::Error(text) if text.starts_with("NOSCRIPT") => Err(LinkError::NoScript),
            Self::Error(text) => Err(LinkError::Redis(text)),
            other => Ok(other),
        }
    }

    /// The answer as a number.
    pub(crate) fn into_number(self) -> Result<i64, LinkError> {
        match self.into_result()? {
            Self::Number(number) => Ok(number),
            other => Err(unexpected(&other)),
        }
    }

    /// The answer as an array.
    pub(crate) fn into_array(self) -> Result<Vec<Self>, LinkError> {
        match self.into_result()? {
            Self::Array(items) => Ok(items),
            other => Err(unexpected(&other)),
        }
    }

    /// The last part of a published message.
    pub(crate) fn into_message(self) -> Result<Vec<u8>, LinkError> {
        match self.into_result()? {
            Self::Push(mut parts) => parts.pop().map_or_else(|| Ok(Vec::new()), Self::into_bytes),
            other => Err(unexpected(&other)),
        }
    }

    /// The answer as bytes.
    pub(crate) fn into_bytes(self) -> Result<Vec<u8>, LinkError> {
        match self.into_result()? {
            Self::Bytes(bytes) => Ok(bytes),
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(answer: &Answer) -> LinkError {
    LinkError::UnexpectedType(match answer {
        Answer::Status(_) => "a status",
        Answer::Error(_) => "an error",
        Answer::Number(_) => "a number",
        Answer::Bytes(_) => "a string",
        Answer::Array(_) => "an array",
        Answer::Push(_) => "a message",
        Answer::Nil => "nothing",
    })
}

/// Appends a command to what is sent.
pub(crate) fn command(out: &mut Vec<u8>, parts: &[&[u8]]) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "*{}\r\n", parts.len());
    for part in parts {
        let _ = write!(out, "${}\r\n", part.len());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
}

/// Reads one answer from the start of a buffer.
pub(crate) fn parse(buffer: &[u8]) -> Parsed {
    match value(buffer, DEPTH) {
        Ok((answer, rest)) => Parsed::Whole(answer, buffer.len() - rest.len()),
        Err(why) => why,
    }
}

fn value(buffer: &[u8], depth: usize) -> Result<(Answer, &[u8]), Parsed> {
    let (line, rest) = line(buffer)?;
    let (kind, text) = line.split_first().ok_or(Parsed::Malformed)?;
    let text = std::str::from_utf8(text).map_err(|_| Parsed::Malformed)?;
    match kind {
        b'+' => Ok((Answer::Status(text.to_owned()), rest)),
        b'-' => Ok((Answer::Error(text.to_owned()), rest)),
        b':' => Ok((Answer::Number(text.parse().map_err(|_| Parsed::Malformed)?), rest)),
        b'$' | b'*' if text == "-1" => Ok((Answer::Nil, rest)),
        b'$' => {
            let length: usize = text.parse().map_err(|_| Parsed::Malformed)?;
            let bytes = rest.get(..length).ok_or(Parsed::Partial)?;
            let end = rest.get(length..length.saturating_add(2)).ok_or(Parsed::Partial)?;
            if end != b"\r\n" {
                return Err(Parsed::Malformed);
            }
            Ok((Answer::Bytes(bytes.to_vec()), rest.get(length + 2..).unwrap_or_default()))
        }
        b'_' if text.is_empty() => Ok((Answer::Nil, rest)),
        b'*' | b'%' | b'>' if depth > 0 => {
            let count: usize = text.parse().map_err(|_| Parsed::Malformed)?;
            let count = if *kind == b'%' { count.saturating_mul(2) } else { count };
            let (mut items, mut rest) = (Vec::new(), rest);
            for _ in 0..count {
                let (item, behind) = value(rest, depth - 1)?;
                items.push(item);
                rest = behind;
            }
            Ok((if *kind == b'>' { Answer::Push(items) } else { Answer::Array(items) }, rest))
        }
        _ => Err(Parsed::Malformed),
    }
}

/// The bytes up to the next CR LF, and those behind it.
fn line(buffer: &[u8]) -> Result<(&[u8], &[u8]), Parsed> {
    let end = buffer.iter().position(|byte| *byte == b'\r').ok_or(Parsed::Partial)?;
    let line = buffer.get(..end).unwrap_or_default();
    match buffer.get(end + 1) {
        Some(b'\n') => Ok((line, buffer.get(end + 2..).unwrap_or_default())),
        Some(_) => Err(Parsed::Malformed),
        None => Err(Parsed::Partial),
    }
}
