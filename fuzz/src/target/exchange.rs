//! A question to a daemon and its answer read back as what was written, and what is neither is refused.

use std::fmt::Debug;

use chatpush_wire::VERSION;
use chatpush_wire::reply::Reply;
use chatpush_wire::request::Request;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok((barrier, request)) = Request::decode(text) {
        assert!(text.starts_with(barrier) && request.v == VERSION);
        let written = format!("{barrier} {}", json(&request));
        assert_eq!(Request::decode(&written), Ok((barrier, request)));
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
