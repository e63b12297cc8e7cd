//! A server that drops, duplicates, reorders and misroutes messages on purpose.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use chatpush_bench::clients::{Clients, ConnectOptions};
use chatpush_bench::connect_spec::ConnectSpec;
use chatpush_bench::ledger::Counts;
use chatpush_bench::message_header::MessageHeader;

const IDLE_TIMEOUT: Duration = Duration::from_millis(200);

/// A WebSocket server that accepts one client after the other, sends each its bytes, and then waits until all
/// have disconnected.
struct Server {
    address: String,
    thread: JoinHandle<()>,
}

impl Server {
    fn start(clients: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let thread = std::thread::spawn(move || {
            let sockets: Vec<_> = clients.iter().map(|bytes| serve(&listener, bytes)).collect();
            for mut socket in sockets {
                let _ = socket.read_to_end(&mut Vec::new());
            }
        });
        Self { address, thread }
    }

    fn spec(&self, user: u32) -> ConnectSpec {
        ConnectSpec { address: self.address.clone(), user, target: "/".to_owned(), ..ConnectSpec::default() }
    }
}

fn serve(listener: &TcpListener, bytes: &[u8]) -> TcpStream {
    let (mut socket, _) = listener.accept().expect("a client");
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("a request");
        request.push(byte[0]);
    }
    socket.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").expect("an answer");
    // In pieces that end anywhere, as a network may deliver them.
    for piece in bytes.chunks(37) {
        socket.write_all(piece).expect("the client reads");
    }
    socket
}

/// A server's frame with a message in JSON.
fn frame(user: u32, number: u32) -> Vec<u8> {
    let header = MessageHeader { publisher: 3, user, sequence: number, intended: 1, called: 1 };
    let text = format!("{{\"data\":\"{} {}\"}}", header.text(), "x".repeat(number as usize % 90));
    let length = u16::try_from(text.len()).expect("short");
    let mut frame = vec![0x81, 126];
    frame.extend(length.to_be_bytes());
    if length < 126 {
        frame = vec![0x81, length.to_be_bytes()[1]];
    }
    frame.extend(text.as_bytes());
    frame
}

fn frames(user: u32, numbers: impl IntoIterator<Item = u32>) -> Vec<u8> {
    numbers.into_iter().flat_map(|number| frame(user, number)).collect()
}

fn receive(clients: Vec<Vec<u8>>, sent: u64) -> Counts {
    let count = u32::try_from(clients.len()).expect("few");
    let server = Server::start(clients);
    let specs: Vec<_> = (1..=count).map(|user| server.spec(user)).collect();
    let mut clients =
        Clients::connect(&specs, ConnectOptions { max_opening: 1, stalled: false }).expect("they connect");
    clients.settle(sent, IDLE_TIMEOUT).expect("it answers");
    let counts = clients.report().expect("a report").counts;
    drop(clients);
    server.thread.join().expect("the server did its part");
    counts
}

#[test]
fn complete_and_ordered_messages_count_no_fault() {
    let counts = receive(vec![frames(1, 0..500), frames(2, 0..500)], 1_000);
    assert_eq!(counts, Counts { received: 1_000, ..Counts::default() });
    assert_eq!(counts.lost(1_000), 0);
}

#[test]
fn every_fault_is_counted_exactly() {
    // Every hundredth message is missing.
    let dropped = (0..1_000).filter(|number| number % 100 != 50);
    // Every fiftieth message is sent again at the end.
    let duplicated = (0..1_000).chain((0..1_000).filter(|number| number % 50 == 7));
    // Every twentieth message changes places with the next.
    let swapped = (0..1_000u32).map(|number| match number % 20 {
        4 => number + 1,
        5 => number - 1,
        _ => number,
    });
    let clients = vec![
        frames(1, dropped),
        frames(2, duplicated),
        frames(3, swapped),
        [frames(4, 0..1_000), frames(1, [50, 150, 250])].concat(),
    ];
    let counts = receive(clients, 4_000);
    assert_eq!(counts, Counts { received: 3_990, duplicated: 20, reordered: 50, misrouted: 3 });
    assert_eq!(counts.lost(4_000), 10);
}

#[test]
fn the_error_quotes_a_server_that_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let thread = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a client");
        let _ = socket.read(&mut [0; 1_024]);
        socket.write_all(b"HTTP/1.1 401 Unauthorized\r\n\r\n").expect("an answer");
        let _ = socket.read_to_end(&mut Vec::new());
    });
    let spec = ConnectSpec { address, user: 1, target: "/".to_owned(), ..ConnectSpec::default() };
    let error = Clients::connect(&[spec], ConnectOptions::default()).expect_err("it is refused");
    assert!(error.to_string().contains("401 Unauthorized"), "{error:#}");
    thread.join().expect("the server did its part");
}
