//! Who waits for an answer.
//!
//! A ticket is `<caller>.<call>`: a connection of the extension, which hears its answers on a channel of its own, and the
//! number of its call, since an answer may come after its caller has given up. On that channel an answer is
//! `<call> <daemon> <json>`; who answered is asked next time without a detour.

/// A ticket, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket<'a> {
    /// The connection that waits.
    pub caller: &'a str,
    /// Which of its calls.
    pub call: &'a str,
}

impl<'a> Ticket<'a> {
    /// Takes a ticket apart; nothing if it is none.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (caller, call) = text.split_once('.')?;
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (plain(caller) && plain(call)).then_some(Self { caller, call })
    }

    /// What is said on the caller's channel.
    pub fn answer(&self, daemon: &str, json: &str) -> String {
        [self.call, daemon, json].join(" ")
    }
}

/// A ticket for the call with this number.
pub fn make(caller: &str, call: u64) -> String {
    format!("{caller}.{call}")
}

/// The answer to a call, if that is what was said: who answered, and the JSON.
pub fn answer_to(call: u64, said: &str) -> Option<(&str, &str)> {
    let (number, rest) = said.split_once(' ')?;
    if number.parse() != Ok(call) {
        return None;
    }
    rest.split_once(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_finds_its_call_and_no_other() {
        let text = make("C", 7);
        let ticket = Ticket::parse(&text).unwrap();
        assert_eq!(ticket, Ticket { caller: "C", call: "7" });
        let said = ticket.answer("d:1", "{\"a\": 1}");
        assert_eq!(answer_to(7, &said), Some(("d:1", "{\"a\": 1}")));
        assert_eq!(answer_to(8, &said), None);
        for bad in ["", "C", "C.", ".7", "C D.7", "C.7.8", "C:D.7"] {
            assert_eq!(Ticket::parse(bad), None, "{bad}");
        }
    }
}
