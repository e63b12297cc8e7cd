//! What listens on the port of Redis cannot confuse the extension: an answer is read whole, or not at all.

use chatpush_resp::{LONGEST, Parsed, VALUES, Value, command, parse};

pub(super) fn run(data: &[u8]) {
    match parse(data) {
        Parsed::Whole(value, length) => {
            let answer = data.get(..length).expect("the answer is in the buffer");
            let values = count(&value);
            assert!(values <= VALUES && values <= length, "each value has at least one byte");
            // The end does not depend on what follows, and no answer has the beginning of another one.
            assert_eq!(parse(answer), Parsed::Whole(value, length));
            for end in [length - 1, length / 2, 1, 0] {
                assert_eq!(parse(&answer[..end]), Parsed::Partial, "{end} of {length} bytes");
            }
        }
        Parsed::Partial => assert!(data.len() <= LONGEST),
        // More bytes do not change it.
        stopped => assert_eq!(parse(&[data, b"\r\n"].concat()), stopped),
    }
    let mut written = Vec::new();
    let parts: Vec<_> = data.split(|byte| *byte == b' ').collect();
    command(&mut written, &parts);
    let expected = Value::Array(parts.iter().map(|part| Value::Bytes(part.to_vec())).collect());
    if parts.len() < VALUES {
        assert_eq!(parse(&written), Parsed::Whole(expected, written.len()), "a command reads back");
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Array(values) | Value::Push(values) => 1 + values.iter().map(count).sum::<usize>(),
        _ => 1,
    }
}
