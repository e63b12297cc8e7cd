//! Where frames begin and end in a stream of bytes (RFC 6455 section 5.2). The payload is skipped, unread.

use std::io::Cursor;

use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, OpCode};

/// Bytes of the longest header: two, a length of eight, and the mask.
const MAX_HEADER_BYTES: usize = 14;

/// Follows the frames of one direction of a connection, in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The beginning of a header whose rest has not arrived.
    header: [u8; MAX_HEADER_BYTES],
    header_len: usize,
    /// Bytes of the current frame's payload that have not arrived.
    payload: u64,
    close: CloseFrame,
    /// A header was invalid, so nothing that follows can be understood.
    lost: bool,
    /// The last frame of the current message has not begun.
    unfinished: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum CloseFrame {
    #[default]
    None,
    /// Its header has arrived.
    Begun,
    Complete,
}

impl Frames {
    /// Follows the next bytes. Returns how many frames began in them that do not end a message.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> u32 {
        let mut unfinished = 0;
        while !bytes.is_empty() && !self.lost {
            if self.payload > 0 {
                let skipped = usize::try_from(self.payload).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.payload -= skipped as u64;
                bytes = &bytes[skipped..];
            } else {
                let (header, rest) = self.header(bytes);
                bytes = rest;
                if let Some(header) = header {
                    unfinished += u32::from(!header.is_final);
                    if matches!(header.opcode, OpCode::Data(_)) {
                        self.unfinished = !header.is_final;
                    }
                    if header.opcode == OpCode::Control(Control::Close) {
                        self.close = CloseFrame::Begun;
                    }
                }
            }
            if self.close == CloseFrame::Begun && self.payload == 0 {
                self.close = CloseFrame::Complete;
            }
        }
        unfinished
    }

    /// Whether a whole close frame has gone by, or the bytes are no frames, so that none can be found.
    pub(super) fn has_closed(&self) -> bool {
        self.close == CloseFrame::Complete || self.lost
    }

    /// Whether everything that has gone by belongs to complete messages, and another one may follow.
    pub(super) fn is_between_messages(&self) -> bool {
        let between_frames = self.header_len == 0 && self.payload == 0;
        between_frames && !self.unfinished && !self.lost && self.close == CloseFrame::None
    }

    /// The header that is complete with some of these bytes, and the bytes behind it.
    fn header<'a>(&mut self, bytes: &'a [u8]) -> (Option<FrameHeader>, &'a [u8]) {
        let known = self.header_len;
        let taken = bytes.len().min(MAX_HEADER_BYTES - known);
        self.header[known..known + taken].copy_from_slice(&bytes[..taken]);
        let mut cursor = Cursor::new(&self.header[..known + taken]);
        match FrameHeader::parse(&mut cursor) {
            Ok(Some((header, payload))) => {
                let length = usize::try_from(cursor.position()).unwrap_or(known);
                (self.header_len, self.payload) = (0, payload);
                (Some(header), &bytes[length.saturating_sub(known)..])
            }
            // The longest header would be complete.
            Ok(None) => {
                self.header_len = known + taken;
                (None, &bytes[taken..])
            }
            Err(_) => {
                self.lost = true;
                (None, &[])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::Data;

    use super::*;

    /// A masked frame, as clients send them.
    fn bytes(opcode: OpCode, is_final: bool, payload: usize) -> Vec<u8> {
        let mut header = Frame::close(None).header().clone();
        (header.opcode, header.is_final, header.mask) = (opcode, is_final, Some([0x81; 4]));
        let mut bytes = Vec::new();
        header.format(payload as u64, &mut bytes).unwrap();
        bytes.resize(bytes.len() + payload, 0x88);
        bytes
    }

    #[test]
    fn frames_are_followed_in_pieces_of_any_size() {
        let text = OpCode::Data(Data::Text);
        let more = OpCode::Data(Data::Continue);
        let stream = [
            bytes(text, false, 3),
            bytes(more, false, 0),
            bytes(OpCode::Control(Control::Ping), true, 0),
            bytes(more, false, 200),
            bytes(more, true, 70_000),
            bytes(text, true, 0),
            bytes(OpCode::Control(Control::Close), true, 2),
        ]
        .concat();
        for size in [1, 2, 3, 5, 7, 13, 14, 15, 100, 4_096, stream.len()] {
            let mut frames = Frames::default();
            let (last, before) = stream.split_last().unwrap();
            let unfinished: u32 = before.chunks(size).map(|piece| frames.follow(piece)).sum();
            assert_eq!(unfinished, 3, "{size}");
            assert!(!frames.is_between_messages(), "{size}");
            assert!(!frames.has_closed(), "{size}: its last byte is missing");
            frames.follow(&[*last]);
            assert!(frames.has_closed(), "{size}");
        }
    }

    #[test]
    fn a_close_frame_without_a_code_is_seen() {
        let mut frames = Frames::default();
        frames.follow(&bytes(OpCode::Control(Control::Close), true, 0));
        assert!(frames.has_closed());
    }

    #[test]
    fn a_message_ends_with_the_last_byte_of_its_last_frame() {
        let (text, more) = (OpCode::Data(Data::Text), OpCode::Data(Data::Continue));
        let ping = OpCode::Control(Control::Ping);
        let mut frames = Frames::default();
        assert!(frames.is_between_messages());
        for (frame, between) in [
            (bytes(ping, true, 4), true),
            (bytes(text, true, 0), true),
            (bytes(text, false, 3), false),
            (bytes(ping, true, 0), false),
            (bytes(more, true, 300), true),
        ] {
            let (last, before) = frame.split_last().unwrap();
            frames.follow(before);
            assert!(!frames.is_between_messages());
            frames.follow(&[*last]);
            assert_eq!(frames.is_between_messages(), between);
        }
    }

    #[test]
    fn nothing_is_looked_for_behind_an_invalid_header() {
        let mut frames = Frames::default();
        assert_eq!(frames.follow(&[0x03, 0x80, 0, 0, 0, 0, 0x01, 0x80, 0, 0, 0, 0]), 0);
        assert!(frames.has_closed());
    }
}
