//! RESP3, the protocol of Redis ("Redis serialization protocol specification",
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>): commands are written, answers are read.
//!
//! Every type of the specification is read, also those that no answer to our commands has: a proxy, a module
//! or a later Redis may send them. An answer is bounded in bytes, in values and in depth, so that whatever
//! listens on the port cannot use up the memory of a PHP process. This crate does no I/O, and is apart from
//! the extension because a library that PHP loads cannot be linked into a test or a fuzz target.

mod parse;

use std::io::Write as _;

pub use self::parse::{LONGEST, Parsed, VALUES, parse};

/// An answer, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A status such as OK.
    Status(String),
    /// An error, as Redis words it. Bytes that are not UTF-8 are replaced.
    Error(String),
    /// An integer.
    Number(i64),
    /// A boolean.
    Boolean(bool),
    /// A double or a big number, as it is written.
    Decimal(String),
    /// A string of bytes. Of a verbatim string, without its format.
    Bytes(Vec<u8>),
    /// The values of an array or a set in order; of a map, each name and its value.
    Array(Vec<Self>),
    /// A message that belongs to no command: a published one, the confirmation of a subscription, and others.
    Push(Vec<Self>),
    /// A missing value.
    Nil,
}

impl Value {
    /// What it is, for an error message.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Status(_) => "a status",
            Self::Error(_) => "an error",
            Self::Number(_) => "a number",
            Self::Boolean(_) => "a boolean",
            Self::Decimal(_) => "a decimal number",
            Self::Bytes(_) => "a string",
            Self::Array(_) => "an array",
            Self::Push(_) => "a message",
            Self::Nil => "nothing",
        }
    }

    /// Whether it is this text, as a string or as a status.
    pub fn is_text(&self, text: &str) -> bool {
        match self {
            Self::Bytes(bytes) => bytes == text.as_bytes(),
            Self::Status(status) => status == text,
            _ => false,
        }
    }
}

/// Appends a command to what is sent.
pub fn command(out: &mut Vec<u8>, parts: &[&[u8]]) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "*{}\r\n", parts.len());
    for part in parts {
        let _ = write!(out, "${}\r\n", part.len());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
}
