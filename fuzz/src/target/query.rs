//! Decoded queries and replies encode to the same text, and anything else is rejected.

use std::fmt::Debug;

use chatpush_wire::VERSION;
use chatpush_wire::id::UserIdType;
use chatpush_wire::query::QueryRequest;
use chatpush_wire::reply::Reply;
use chatpush_wire::reply_to::{self, ReplyTo};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for ids in UserIdType::ALL {
        let Ok((barrier, reply_to, request)) = QueryRequest::decode(text, ids) else { continue };
        assert!(text.starts_with(barrier) && request.v == VERSION);
        let written = format!("{barrier} {}.{} {}", reply_to.caller, reply_to.correlation_id, json(&request));
        assert_eq!(QueryRequest::decode(&written, ids), Ok((barrier, reply_to, request)));
    }
    if let Some((daemon, answer)) = reply_to::answer_to(7, text) {
        let reply_to = ReplyTo { caller: "C", correlation_id: "7" };
        assert_eq!(reply_to::answer_to(7, &reply_to.answer(daemon, answer)), Some((daemon, answer)));
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
