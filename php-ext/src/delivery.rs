//! What `sendMessage` returns.

use ext_php_rs::prelude::*;

/// What became of a message that was sent. It is stored in either case, and its row goes once a client has
/// confirmed it.
#[php_enum]
#[php(name = "ChatPush\\Delivery")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The receiver was connected: the message was pushed in the same step.
    #[php(value = "live")]
    Live,
    /// The receiver was not connected: the message is delivered when they connect.
    #[php(value = "stored")]
    Stored,
}
