//! A publisher that stalls. The latency of the messages that it sent too late counts from when they were due.

use std::time::Duration;

use chatpush_bench::clients::{Clients, ConnectOptions};
use chatpush_bench::connect_spec::{ConnectSpec, Step};
use chatpush_bench::ledger::Counts;
use chatpush_bench::peer::Php;
use chatpush_bench::publisher::OpenLoop;
use chatpush_stack::folder::Folder;
use chatpush_stack::redis::{self, Redis};

#[test]
fn a_stall_shows_in_every_message_that_was_due_during_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let folder = Folder::new().expect("a folder");
    let _redis = runtime.block_on(Redis::start(folder.path())).expect("Redis");
    let socket = redis::socket(folder.path()).display().to_string();

    let spec = ConnectSpec {
        address: socket.clone(),
        steps: vec![Step { wait_for: String::new(), send: "SUBSCRIBE user:1 user:2\r\n".to_owned() }],
        ready: "user:2".to_owned(),
        ..ConnectSpec::default()
    };
    let mut clients = Clients::connect(&[spec], ConnectOptions::default()).expect("it subscribes");
    let php = Php {
        peer: "bare",
        settings: Vec::new(),
        // A pause of 300 ms before message 200.
        environment: vec![("BENCH_REDIS_SOCKET", socket), ("STALL", "200:300".to_owned())],
    };
    let load =
        OpenLoop { first_user: 1, users: 2, rate: 1_000, messages: 500, content_bytes: 100, publisher: 0 };
    let called = load.start(&php).and_then(chatpush_bench::publisher::Publishers::run).expect("it publishes");
    assert_eq!((called.calls, called.refused), (500, 0));
    clients.settle(called.accepted(), Duration::from_secs(5)).expect("it answers");
    let received = clients.report().expect("a report");
    assert_eq!(received.counts, Counts { received: 500, ..Counts::default() });
    // One message is due each millisecond, so those of the first 100 ms of the pause are at least 200 ms
    // late.
    let late = received.intended.count_at_least(200_000_000);
    assert!(late >= 100, "{late} messages are late, the latest by {} µs", received.intended.max());
}
