//! A question to a daemon and its answer read back as what was written, and what is neither is refused.

use std::fmt::Debug;

use chatpush_wire::VERSION;
use chatpush_wire::reply::Reply;
use chatpush_wire::request::Request;
use chatpush_wire::ticket::{self, Ticket};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok((barrier, ticket, request)) = Request::decode(text) {
        assert!(text.starts_with(barrier) && request.v == VERSION);
        let written = format!("{barrier} {}.{} {}", ticket.caller, ticket.call, json(&request));
        assert_eq!(Request::decode(&written), Ok((barrier, ticket, request)));
    }
    if let Some((daemon, answer)) = ticket::answer_to(7, text) {
        let ticket = Ticket { caller: "C", call: "7" };
        assert_eq!(ticket::answer_to(7, &ticket.answer(daemon, answer)), Some((daemon, answer)));
    }
    if let Ok(reply) = serde_json::from_str::<Reply>(text) {
        reads_back(&reply);
    }
}

fn reads_back<T: Serialize + DeserializeOwned + Debug + PartialEq>(written: &T) {
    assert_eq!(&serde_json::from_str::<T>(&json(written)).expect("it reads back"), written);
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("it can be written")
}
