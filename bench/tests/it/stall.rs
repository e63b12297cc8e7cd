//! A publisher that stalls: the messages it did not send in time count as late from when they were due, not
//! from when it woke up.

use std::time::Duration;

use chatpush_bench::connect_spec::{ConnectSpec, Step};
use chatpush_bench::crowd::{Crowd, Manner};
use chatpush_bench::ledger::Counts;
use chatpush_bench::peer::Php;
use chatpush_bench::publisher::Timetable;
use chatpush_stack::folder::Folder;
use chatpush_stack::redis::{self, Redis};

#[test]
fn a_stall_shows_in_every_message_that_was_due_meanwhile() {
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
    let mut crowd = Crowd::connect(&[spec], Manner::default()).expect("it subscribes");
    let php = Php {
        peer: "bare",
        settings: Vec::new(),
        // 300 ms before the 200th message.
        environment: vec![("BENCH_REDIS_SOCKET", socket), ("STALL", "200:300".to_owned())],
    };
    let timetable = Timetable { first: 1, users: 2, rate: 1_000, messages: 500, size: 100, publisher: 0 };
    let called =
        timetable.start(&php).and_then(chatpush_bench::publisher::Publishers::run).expect("it publishes");
    assert_eq!((called.calls, called.refused), (500, 0));
    crowd.settle(called.accepted(), Duration::from_secs(5)).expect("it answers");
    let seen = crowd.report().expect("a report");
    assert_eq!(seen.counts, Counts { received: 500, ..Counts::default() });
    // One is due each millisecond, so those of the first 100 ms of the pause were late by 200 ms at least.
    let late = seen.intended.at_least(200_000_000);
    assert!(late >= 100, "{late} messages are late, the latest by {} µs", seen.intended.longest());
}
