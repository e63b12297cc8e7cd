//! The contract between the PHP extension and the daemon.
//!
//! Both link this crate and nothing else of each other. It does no I/O, and knows neither PHP nor tokio. It
//! is the only crate that spells a Redis name, a field of a log entry, a byte of an envelope or a Lua script.
//!
//! # What travels where
//!
//! | from | through | to | as |
//! | --- | --- | --- | --- |
//! | extension | user channel | every daemon that holds a connection of the user | [`envelope::Envelope`] |
//! | extension | channel of a partition's daemons | every daemon | [`envelope::Envelope::Many`], queries |
//! | extension | room channel, everyone's channel | every daemon that holds a connection in the room, or any | [`envelope::Envelope`] |
//! | daemon | presence channel | every daemon whose clients watch others | [`presence::Announcement`] |
//! | extension, daemon | log (stream) | the writer | [`new_entry`], [`entry::Entry`] |
//! | extension | query channel or list | the daemon that answered last, or any | [`query::QueryRequest`] |
//! | daemon | reply channel | the extension that waits | [`reply_to::ReplyTo`], [`reply::Reply`] |
//! | daemon | WebSocket | the browser | [`frame`] |
//!
//! # Layout
//!
//! Each module uses only modules above it.
//!
//! | module | holds |
//! | --- | --- |
//! | [`id`] | user ids and message ids |
//! | [`conversation`] | names of conversations |
//! | [`limit`] | sizes, counts and lifetimes that both sides keep to |
//! | [`room`] | the names of rooms |
//! | [`slot`] | the slots of a Redis Cluster |
//! | [`partition`] | the partition of a receiver |
//! | [`key`] | the names of Redis keys and channels |
//! | [`frame`] | the JSON that a browser receives |
//! | [`presence`] | what daemons tell each other of who connects |
//! | [`envelope`] | what is published on a user's channel |
//! | [`entry`] | log entries, as they are read |
//! | [`new_entry`] | log entries, as they are written |
//! | [`installation`] | what all parts of an installation must agree on |
//! | [`reply_to`] | where an answer goes and which call it belongs to |
//! | [`push_subscription`] | a browser's subscription to Web Push |
//! | [`query`] | what the extension asks a daemon |
//! | [`reply`] | what a daemon or a script answers |
//! | [`lua`] | the scripts that Redis executes |
//! | [`token`] | connect tokens |
//! | [`grant`] | grants: tokens for presence, client events and rooms |
//! | [`address`] | the address of Redis, as both sides' settings write it |
//! | [`cluster`] | which master of a Redis Cluster has which partition |

/// [`VERSION`] as a literal, for `concat!`.
macro_rules! version {
    () => {
        "1"
    };
}

pub mod address;
pub mod cluster;
pub mod conversation;
pub mod due;
pub mod entry;
pub mod envelope;
pub mod frame;
pub mod grant;
pub mod id;
pub mod installation;
pub mod key;
pub mod limit;
pub mod lua;
pub mod new_entry;
pub mod partition;
pub mod presence;
pub mod push_subscription;
pub mod query;
pub mod reply;
pub mod reply_to;
pub mod room;
pub mod slot;
pub mod token;

/// The version of everything that crosses a process border. A reader refuses another version rather than
/// guess, so that a rolling upgrade fails visibly and loses nothing.
pub const VERSION: &str = version!();
