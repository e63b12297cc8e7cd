//! Where an answer goes and which call it belongs to: the `reply_to` and correlation id of messaging systems.
//!
//! A `reply_to` is `<caller>.<correlation id>`. The caller is one connection of the extension, which receives
//! its answers on a channel of its own. The correlation id is the number of the call: an answer may arrive
//! after its call has timed out, and must not be taken for the answer to the next one. On the channel an
//! answer is `<correlation id> <daemon> <json>`. The daemon's name lets the extension address it directly
//! next time.

/// A parsed `reply_to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyTo<'a> {
    /// The connection that waits.
    pub caller: &'a str,
    /// The number of its call.
    pub correlation_id: &'a str,
}

impl<'a> ReplyTo<'a> {
    /// Parses a `reply_to`; `None` if the text is not one.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (caller, correlation_id) = text.split_once('.')?;
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (plain(caller) && plain(correlation_id)).then_some(Self { caller, correlation_id })
    }

    /// The message that carries an answer on the caller's channel.
    pub fn answer(&self, daemon: &str, json: &str) -> String {
        [self.correlation_id, daemon, json].join(" ")
    }
}

/// The `reply_to` of one call.
pub fn encode(caller: &str, correlation_id: u64) -> String {
    format!("{caller}.{correlation_id}")
}

/// The daemon's name and the JSON of an answer, if it belongs to the call with this correlation id.
pub fn answer_to(correlation_id: u64, message: &str) -> Option<(&str, &str)> {
    let (number, daemon, json) = answer(message)?;
    (number == correlation_id).then_some((daemon, json))
}

/// The correlation id of an answer, the daemon's name and the JSON.
pub fn answer(message: &str) -> Option<(u64, &str, &str)> {
    let (number, rest) = message.split_once(' ')?;
    let (daemon, json) = rest.split_once(' ')?;
    Some((number.parse().ok()?, daemon, json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_belongs_to_one_call() {
        let text = encode("C", 7);
        let reply_to = ReplyTo::parse(&text).unwrap();
        assert_eq!(reply_to, ReplyTo { caller: "C", correlation_id: "7" });
        let message = reply_to.answer("d:1", "{\"a\": 1}");
        assert_eq!(answer_to(7, &message), Some(("d:1", "{\"a\": 1}")));
        assert_eq!(answer_to(8, &message), None);
        assert_eq!(answer(&message), Some((7, "d:1", "{\"a\": 1}")));
        for bad in ["", "C", "C.", ".7", "C D.7", "C.7.8", "C:D.7"] {
            assert_eq!(ReplyTo::parse(bad), None, "{bad}");
        }
    }
}
