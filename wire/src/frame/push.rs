//! Frames that answer a client about its subscription to Web Push.

use super::push_json;

/// The subscription with this endpoint is saved.
pub fn saved(endpoint: &str) -> String {
    frame(&[("saved", endpoint)])
}

/// There is no subscription of the user with this endpoint any more.
pub fn removed(endpoint: &str) -> String {
    frame(&[("removed", endpoint)])
}

/// Nothing was done, and why. The endpoint is empty if it cannot be read.
pub fn refused(endpoint: &str, reason: &str) -> String {
    frame(&[("refused", endpoint), ("reason", reason)])
}

fn frame(members: &[(&str, &str)]) -> String {
    let mut frame = String::from("{\"type\":\"push\"");
    for (name, value) in members {
        frame.push(',');
        push_json(&mut frame, name);
        frame.push(':');
        push_json(&mut frame, value);
    }
    frame.push('}');
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_json_without_an_id() {
        assert_eq!(saved("https://a.example/"), r#"{"type":"push","saved":"https://a.example/"}"#);
        assert_eq!(removed("x"), r#"{"type":"push","removed":"x"}"#);
        assert_eq!(refused("", "a \"b\""), r#"{"type":"push","refused":"","reason":"a \"b\""}"#);
    }
}
