//! What a publisher writes at the start of each content, so that a receiver knows what it got and how late.
//!
//! It is plain digits behind a mark, so no protocol between them has to escape it, and a receiver finds it
//! without knowing how that protocol wraps a content.

use memchr::memmem;

/// Where a header begins. A content holds it once.
const MARK: &[u8] = b"~~";
/// Digits of the publisher, the user, the number, the intended time and the time of the call.
const WIDTHS: [usize; 5] = [3, 8, 8, 18, 18];
/// Bytes of a whole header.
pub const BYTES: usize = 2 + 3 + 8 + 8 + 18 + 18;

/// Which message it is and when it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageHeader {
    /// Who published it, 0 to 999.
    pub publisher: u16,
    /// For whom.
    pub user: u32,
    /// The how many-th of this publisher to this user, from 0.
    pub sequence: u32,
    /// When it was to be sent, in nanoseconds of [`crate::clock`].
    pub intended: u64,
    /// When the call began.
    pub called: u64,
}

impl MessageHeader {
    /// The first header in some bytes, and where it ends.
    pub fn find(bytes: &[u8]) -> Option<(Self, usize)> {
        let begin = memmem::find(bytes, MARK)? + MARK.len();
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
        Some((header, begin + BYTES - MARK.len()))
    }

    /// The header as a publisher writes it.
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
    fn a_stamp_is_found_in_whatever_wraps_it() {
        let header = MessageHeader { publisher: 7, user: 12, sequence: 345, intended: 6_789, called: 9_876 };
        let text = header.text();
        assert_eq!(text.len(), BYTES);
        let frame = format!("42[\"text\",\"{text} and more\"]");
        let (found, end) = MessageHeader::find(frame.as_bytes()).expect("it is there");
        assert_eq!(found, header);
        assert_eq!(&frame[end..], " and more\"]");
        assert_eq!(MessageHeader::find(&frame.as_bytes()[..40]), None, "half a header is none");
    }
}
