//! One message, its calls, and what is known of them.

use std::time::Duration;

use super::Key;

/// Whether a message was accepted, by the results of all calls that sent it. A later variant wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Every call reported that nothing was queued.
    Refused,
    /// A call did not report, or its process was killed.
    Unknown,
    /// A call reported that the message is stored or queued.
    Accepted,
}

/// What a recall reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recall {
    /// The message was taken back.
    Taken,
    /// It was confirmed, taken back before, or never stored.
    NotTaken,
    /// Nothing was done.
    Refused,
    /// It is not known.
    Unknown,
}

/// A message to one receiver.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Its place in the order of first calls, over all workers.
    pub(crate) number: usize,
    /// `store`, `send`, `group`, `push` or `loop`.
    pub(crate) operation: String,
    /// The number of the receiver.
    pub(crate) receiver: u32,
    /// The conversation that was given, if one was.
    pub(crate) conversation: Option<String>,
    /// The id of the sender.
    pub(crate) sender: String,
    /// The combined result of its calls.
    pub(crate) outcome: Outcome,
    /// The start of each call, and its result, with the time since the start of the history.
    pub(crate) calls: Vec<(Duration, String)>,
    /// The calls that took it back: start, end and result.
    pub(crate) recalls: Vec<(Duration, Duration, Recall)>,
    /// Whether Redis may have lost it: it was not committed when Redis lost its tail.
    pub(crate) may_be_lost: bool,
    /// Calls that have started and not ended.
    pub(super) pending: u32,
}

impl Message {
    /// Whether a frame of it may have this type. The loop pushes rows with a type of its own.
    pub(crate) fn may_have_type(&self, key: &Key, found: &str) -> bool {
        let own = match self.operation.as_str() {
            "store" => "text",
            // Of many receivers, each has a key.
            "group" => key.split('@').next().unwrap_or_default(),
            _ => key,
        };
        found == own || self.is_stored() && found == "chat"
    }

    /// The id that the sender has chosen, if there is one.
    pub(crate) fn chosen_id(&self, key: &Key) -> Option<String> {
        let key = key.split('@').next().unwrap_or_default();
        matches!(self.operation.as_str(), "send" | "group").then(|| format!("{}:{key}", self.sender))
    }

    /// Whether its calls store it; a push or a delivery loop does not.
    pub(crate) fn is_stored(&self) -> bool {
        matches!(self.operation.as_str(), "store" | "send" | "group")
    }

    /// The conversation for which it counts: its own, or its sender.
    pub(crate) fn counts_for(&self) -> &str {
        self.conversation.as_deref().unwrap_or(&self.sender)
    }

    /// Whether it was certainly taken back.
    pub(crate) fn is_recalled(&self) -> bool {
        self.recalls.iter().any(|(.., recall)| *recall == Recall::Taken)
    }

    /// Whether it may have been taken back.
    pub(crate) fn may_be_recalled(&self) -> bool {
        self.recalls.iter().any(|(.., recall)| matches!(recall, Recall::Taken | Recall::Unknown))
    }
}
