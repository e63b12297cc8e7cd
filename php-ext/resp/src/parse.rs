//! Reading one answer from the start of a buffer.

use super::Value;

/// Longest answer in bytes. A page of rows is the longest: 4 MiB of JSON, where a byte may be escaped to six.
pub const LONGEST: usize = 64 * 1024 * 1024;

/// Most values in one answer. Answers to our commands have fewer than twenty, and a few for each module of
/// the server.
pub const VALUES: usize = 65_536;

/// How deep arrays may nest. Answers to our commands are two deep; the answer to HELLO, which lists modules,
/// is four.
const DEPTH: usize = 8;

/// What the start of a buffer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A complete answer and its length in bytes.
    Whole(Value, usize),
    /// The beginning of an answer.
    Partial,
    /// Something other than an answer.
    Malformed,
    /// An answer that exceeds [`LONGEST`] or [`VALUES`].
    TooLong,
}

/// Reads one answer from the start of a buffer. Attributes before it are skipped.
pub fn parse(buffer: &[u8]) -> Parsed {
    let mut reader = Reader { rest: buffer, values: 0 };
    match reader.value(DEPTH) {
        Ok(answer) => Parsed::Whole(answer, buffer.len() - reader.rest.len()),
        Err(Stop::Partial) if buffer.len() > LONGEST => Parsed::TooLong,
        Err(Stop::Partial) => Parsed::Partial,
        Err(Stop::Malformed) => Parsed::Malformed,
        Err(Stop::TooLong) => Parsed::TooLong,
    }
}

/// Why no answer was read.
enum Stop {
    Partial,
    Malformed,
    TooLong,
}

struct Reader<'a> {
    /// What is not read yet.
    rest: &'a [u8],
    /// How many values were begun.
    values: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, Stop> {
        loop {
            self.values += 1;
            if self.values > VALUES {
                return Err(Stop::TooLong);
            }
            let line = self.line()?;
            let (kind, text) = line.split_first().ok_or(Stop::Malformed)?;
            return Ok(match kind {
                b'+' => Value::Status(lossy(text)),
                b'-' => Value::Error(lossy(text)),
                b':' => Value::Number(parse_text(text)?),
                b'#' if text == b"t" => Value::Boolean(true),
                b'#' if text == b"f" => Value::Boolean(false),
                b',' | b'(' => Value::Decimal(decimal(text)?),
                b'_' if text.is_empty() => Value::Nil,
                // Two spellings of version 2.
                b'$' | b'*' if text == b"-1" => Value::Nil,
                b'$' => Value::Bytes(self.bytes(text)?.to_vec()),
                b'!' => Value::Error(lossy(self.bytes(text)?)),
                // The format, three bytes and a colon, precedes the text.
                b'=' => match self.bytes(text)? {
                    [_, _, _, b':', verbatim @ ..] => Value::Bytes(verbatim.to_vec()),
                    _ => return Err(Stop::Malformed),
                },
                b'*' | b'~' => Value::Array(self.values(text, 1, depth)?),
                b'%' => Value::Array(self.values(text, 2, depth)?),
                b'>' => Value::Push(self.values(text, 1, depth)?),
                // An attribute is a map that says something about the value behind it.
                b'|' => {
                    self.values(text, 2, depth)?;
                    continue;
                }
                _ => return Err(Stop::Malformed),
            });
        }
    }

    /// As many values as the text says, times `each`.
    fn values(&mut self, count: &[u8], each: usize, depth: usize) -> Result<Vec<Value>, Stop> {
        let depth = depth.checked_sub(1).ok_or(Stop::TooLong)?;
        let count = length(count)?.saturating_mul(each);
        if count > VALUES {
            return Err(Stop::TooLong);
        }
        // No space is reserved for what is only announced.
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.value(depth)?);
        }
        Ok(values)
    }

    /// As many bytes as the text says, without the CR LF behind them.
    fn bytes(&mut self, count: &[u8]) -> Result<&'a [u8], Stop> {
        let length = length(count)?;
        if length > LONGEST {
            return Err(Stop::TooLong);
        }
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Stop::Partial)?;
        let (end, rest) = rest.split_at_checked(2).ok_or(Stop::Partial)?;
        if end != b"\r\n" {
            return Err(Stop::Malformed);
        }
        self.rest = rest;
        Ok(bytes)
    }

    /// The bytes up to the next CR LF.
    fn line(&mut self) -> Result<&'a [u8], Stop> {
        let end = self.rest.iter().position(|byte| *byte == b'\r').ok_or(Stop::Partial)?;
        let (line, rest) = self.rest.split_at_checked(end).ok_or(Stop::Partial)?;
        match rest {
            [b'\r', b'\n', rest @ ..] => {
                self.rest = rest;
                Ok(line)
            }
            [_] => Err(Stop::Partial),
            _ => Err(Stop::Malformed),
        }
    }
}

/// A length. It has digits alone; the streamed types of RESP3 (`?`) are not sent by Redis.
fn length(text: &[u8]) -> Result<usize, Stop> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(Stop::Malformed);
    }
    // Digits that do not fit are a length as well.
    Ok(parse_text(text).unwrap_or(usize::MAX))
}

fn parse_text<T: std::str::FromStr>(text: &[u8]) -> Result<T, Stop> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Stop::Malformed)
}

/// A double, or a big number: digits with sign, point and exponent, or inf or nan.
fn decimal(text: &[u8]) -> Result<String, Stop> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    if text.is_empty() || !text.iter().all(is_part) {
        return Err(Stop::Malformed);
    }
    Ok(lossy(text))
}

/// Redis repeats parts of commands in its errors, whatever their bytes.
fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command;

    fn whole(text: &[u8]) -> Value {
        match parse(text) {
            Parsed::Whole(value, length) if length == text.len() => value,
            other => panic!("{:?}: {other:?}", lossy(text)),
        }
    }

    fn bytes(text: &str) -> Value {
        Value::Bytes(text.as_bytes().to_vec())
    }

    /// The examples of the specification.
    #[test]
    fn every_type_is_read() {
        for (text, expected) in [
            ("+OK\r\n", Value::Status("OK".to_owned())),
            ("-ERR no\r\n", Value::Error("ERR no".to_owned())),
            (":-7\r\n", Value::Number(-7)),
            ("$5\r\nhe\r\no\r\n", bytes("he\r\no")),
            ("$-1\r\n", Value::Nil),
            ("*-1\r\n", Value::Nil),
            ("_\r\n", Value::Nil),
            ("*2\r\n:1\r\n$0\r\n\r\n", Value::Array(vec![Value::Number(1), bytes("")])),
            ("#t\r\n", Value::Boolean(true)),
            ("#f\r\n", Value::Boolean(false)),
            (",1.23e-4\r\n", Value::Decimal("1.23e-4".to_owned())),
            (",-inf\r\n", Value::Decimal("-inf".to_owned())),
            ("(3492890328409238509324850943850943825024385\r\n", {
                Value::Decimal("3492890328409238509324850943850943825024385".to_owned())
            }),
            ("!21\r\nSYNTAX invalid syntax\r\n", Value::Error("SYNTAX invalid syntax".to_owned())),
            ("=15\r\ntxt:Some string\r\n", bytes("Some string")),
            ("%1\r\n+first\r\n:1\r\n", {
                Value::Array(vec![Value::Status("first".to_owned()), Value::Number(1)])
            }),
            ("~2\r\n:1\r\n:2\r\n", Value::Array(vec![Value::Number(1), Value::Number(2)])),
            (">2\r\n+message\r\n:1\r\n", {
                Value::Push(vec![Value::Status("message".to_owned()), Value::Number(1)])
            }),
        ] {
            assert_eq!(whole(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn attributes_are_skipped() {
        let popularity = b"|1\r\n+key-popularity\r\n%1\r\n$1\r\na\r\n,0.19\r\n*1\r\n|0\r\n:5\r\n";
        assert_eq!(whole(popularity), Value::Array(vec![Value::Number(5)]));
    }

    #[test]
    fn errors_need_not_be_utf_8() {
        assert_eq!(whole(b"-ERR caf\xe9\r\n"), Value::Error("ERR caf\u{fffd}".to_owned()));
        assert_eq!(whole(b"!5\r\n\xff ERR\r\n"), Value::Error("\u{fffd} ERR".to_owned()));
    }

    #[test]
    fn other_bytes_are_malformed() {
        for text in [
            "HTTP/1.1 400 Bad Request\r\n",
            "\r\n",
            ":\r\n",
            ":1x\r\n",
            "#x\r\n",
            ",1 2\r\n",
            "_x\r\n",
            "$-2\r\n",
            "$+1\r\nx\r\n",
            "$?\r\n;4\r\nHell\r\n",
            "$1\r\nxyz",
            "=2\r\nab\r\n",
            "+a\rb",
        ] {
            assert_eq!(parse(text.as_bytes()), Parsed::Malformed, "{text:?}");
        }
    }

    #[test]
    fn announced_sizes_are_bounded() {
        for text in [
            "$67108865\r\n".to_owned(),
            "$99999999999999999999999\r\n".to_owned(),
            "*65537\r\n".to_owned(),
            "%99999999999999999999\r\n".to_owned(),
            "*1\r\n".repeat(9),
            "|0\r\n".repeat(VALUES + 1),
            format!("*65536\r\n{}", ":1\r\n".repeat(65_536)),
        ] {
            assert_eq!(parse(text.as_bytes()), Parsed::TooLong, "{text:.40}");
        }
        assert_eq!(parse(b"$67108864\r\n"), Parsed::Partial);
        assert_eq!(parse(&vec![b'+'; LONGEST + 1]), Parsed::TooLong);
    }

    #[test]
    fn every_beginning_is_partial() {
        let text = b"|1\r\n+a\r\n:1\r\n*3\r\n=5\r\ntxt:x\r\n!1\r\ny\r\n#t\r\n";
        for end in 0..text.len() {
            assert_eq!(parse(&text[..end]), Parsed::Partial, "{end}");
        }
    }

    #[test]
    fn commands_are_arrays_of_strings() {
        let mut out = Vec::new();
        command(&mut out, &[b"ECHO", b"a\r\nb"]);
        assert_eq!(whole(&out), Value::Array(vec![bytes("ECHO"), bytes("a\r\nb")]));
    }
}
