//! The bytes below the WebSocket, watched for what the library does not report.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::frames::Frames;
use crate::edge::session::message_rate::MessageRate;

/// The client sends too many frames that do not end a message. The library gathers fragments without
/// reporting them, so a message in endless empty fragments would never be counted.
#[derive(Debug, thiserror::Error)]
#[error("too many fragments")]
pub(crate) struct TooManyFragments;

/// A stream whose received frames are followed.
#[derive(Debug)]
pub(super) struct FrameStream<S> {
    inner: S,
    frames: Frames,
    rate: MessageRate,
    /// Frames that do not end a message, allowed in ten seconds.
    max_fragments: u32,
}

impl<S> FrameStream<S> {
    pub(super) fn new(inner: S, max_fragments: u32) -> Self {
        Self { inner, frames: Frames::default(), rate: MessageRate::default(), max_fragments }
    }

    /// Whether the client's close frame has arrived, or cannot be found any more.
    pub(super) fn has_closed(&self) -> bool {
        self.frames.has_closed()
    }

    /// Whether everything that was received belongs to complete messages, and another one may follow.
    pub(super) fn is_between_messages(&self) -> bool {
        self.frames.is_between_messages()
    }
}

impl<S: AsyncRead + Unpin> FrameStream<S> {
    /// Reads and drops bytes, whatever is in them. Returns how many; 0 at the end.
    pub(super) async fn discard(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer).await?;
        self.frames.follow(&buffer[..read]);
        Ok(read)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FrameStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let Self { frames, rate, max_fragments, .. } = &mut *self;
        for _ in 0..frames.follow(&buffer.filled()[before..]) {
            if !rate.allows(Instant::now(), 0, *max_fragments, usize::MAX) {
                return Poll::Ready(Err(io::Error::other(TooManyFragments)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FrameStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
