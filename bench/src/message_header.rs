//! The header that a publisher puts at the start of each message's content. It tells the receiver which
//! message it got and when that was sent.
//!
//! It is a marker and digits, so no protocol has to escape it, and a receiver finds it in any protocol's
//! frame.

use memchr::memmem;

/// The start of a header. It occurs once in a content.
const MARKER: &[u8] = b"~~";
/// Digits of the publisher, the user, the sequence number, the scheduled time and the time of the call.
const WIDTHS: [usize; 5] = [3, 8, 8, 18, 18];
/// Length of a header in bytes.
pub const BYTES: usize = 2 + 3 + 8 + 8 + 18 + 18;

/// Identifies a message and says when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageHeader {
    /// The number of the publisher, 0 to 999.
    pub publisher: u16,
    /// The receiver.
    pub user: u32,
    /// Counts this publisher's messages to this user, from 0.
    pub sequence: u32,
    /// When it was scheduled to be sent, in nanoseconds of [`crate::clock`].
    pub intended: u64,
    /// When the PHP call started.
    pub called: u64,
}

impl MessageHeader {
    /// Finds the first header in some bytes. Returns it and the position behind it.
    pub fn find(bytes: &[u8]) -> Option<(Self, usize)> {
        let begin = memmem::find(bytes, MARKER)? + MARKER.len();
        let mut rest = bytes.get(begin..)?;
        let mut values = [0; 5];
        for (value, width) in values.iter_mut().zip(WIDTHS) {
            let (digits, behind) = rest.split_at_checked(width)?;
            *value = number(digits)?;
            rest = behind;
        }
        let [publisher, user, sequence, intended, called] = values;
        let header = Self {
            publisher: publisher.try_into().ok()?,
            user: user.try_into().ok()?,
            sequence: sequence.try_into().ok()?,
            intended,
            called,
        };
        Some((header, begin + BYTES - MARKER.len()))
    }

    /// Formats the header as PHP does.
    pub fn text(&self) -> String {
        let Self { publisher, user, sequence, intended, called } = self;
        format!("~~{publisher:03}{user:08}{sequence:08}{intended:018}{called:018}")
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |sum, digit| match digit {
        b'0'..=b'9' => Some(sum * 10 + u64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_inside_a_frame() {
        let header = MessageHeader { publisher: 7, user: 12, sequence: 345, intended: 6_789, called: 9_876 };
        let text = header.text();
        assert_eq!(text.len(), BYTES);
        let frame = format!("42[\"text\",\"{text} and more\"]");
        let (found, end) = MessageHeader::find(frame.as_bytes()).expect("it is there");
        assert_eq!(found, header);
        assert_eq!(&frame[end..], " and more\"]");
        assert_eq!(MessageHeader::find(&frame.as_bytes()[..40]), None, "half a header is not found");
    }
}
