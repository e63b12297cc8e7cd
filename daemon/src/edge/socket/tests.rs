use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};
use tokio_tungstenite::tungstenite::Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::*;

/// A socket with large buffers, and the other end of its connection.
async fn with_large_buffers() -> (Socket<DuplexStream>, WebSocketStream<DuplexStream>) {
    let (client, server) = duplex(64 * 1024);
    let mut socket = Socket::over(server, 1_000, 64 * 1024).await;
    let mut client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    client.send(text(9_000)).await.unwrap();
    assert_eq!(socket.recv().await.unwrap().unwrap(), text(9_000));
    assert!(socket.has_large_buffers);
    (socket, client)
}

fn text(bytes: usize) -> Message {
    Message::Text("x".repeat(bytes).into())
}

/// A part of a text message, as a client sends it.
fn part(kind: Data, is_final: bool, text: &'static str) -> Vec<u8> {
    let mut frame = Frame::message(Bytes::from_static(text.as_bytes()), OpCode::Data(kind), is_final);
    frame.header_mut().mask = Some([0; 4]);
    let mut bytes = Vec::new();
    frame.format(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn large_buffers_are_released_once_everything_is_read_and_written() {
    let (mut socket, mut client) = with_large_buffers().await;
    client.send(text(5)).await.unwrap();
    assert_eq!(socket.recv().await.unwrap().unwrap(), text(5));
    assert!(socket.has_large_buffers, "more may be in them");
    assert!(socket.recv().now_or_never().is_none());
    assert!(!socket.has_large_buffers);
    socket.send(text(3_000)).await.unwrap();
    assert!(socket.has_large_buffers && socket.recv().now_or_never().is_none());
    assert!(!socket.has_large_buffers);
    socket.send(text(7)).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), text(3_000));
    assert_eq!(client.next().await.unwrap().unwrap(), text(7));
}

/// Wherever a message is cut, nothing of it is in a buffer that is released.
#[tokio::test]
async fn no_byte_is_lost_when_buffers_are_released() {
    let message = [part(Data::Text, false, "some"), part(Data::Continue, true, "thing")].concat();
    for cut in 0..=message.len() {
        let (mut socket, client) = with_large_buffers().await;
        let mut client = client.into_inner();
        client.write_all(&message[..cut]).await.unwrap();
        if cut < message.len() {
            assert!(socket.recv().now_or_never().is_none());
        }
        assert_eq!(socket.has_large_buffers, cut > 0, "{cut}");
        client.write_all(&message[cut..]).await.unwrap();
        assert_eq!(socket.recv().await.unwrap().unwrap(), Message::text("something"), "{cut}");
        assert!(socket.recv().now_or_never().is_none() && !socket.has_large_buffers);
    }
}

#[tokio::test]
async fn what_the_client_does_not_read_is_not_released() {
    let (client, server) = duplex(1_000);
    let mut socket = Socket::over(server, 1_000, 64 * 1024).await;
    let mut client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    assert!(socket.send(text(5_000)).now_or_never().is_none());
    assert!(socket.recv().now_or_never().is_none() && socket.has_large_buffers);
    let (read, written) = tokio::join!(client.next(), socket.flush());
    assert!(written.is_ok());
    assert_eq!(read.unwrap().unwrap(), text(5_000));
    assert!(socket.recv().now_or_never().is_none() && !socket.has_large_buffers);
}
