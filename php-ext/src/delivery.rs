//! What `sendMessage` answers.

use ext_php_rs::prelude::*;

/// What became of a message that was sent. It is stored in either case, and its row goes once a client has
/// confirmed it.
#[php_enum]
#[php(name = "ChatPush\\Delivery")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Somebody was there: it was pushed in the same step.
    Live,
    /// Nobody was there: it is delivered when the receiver connects.
    Stored,
}
