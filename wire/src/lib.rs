//! The contract between the PHP extension and the daemon.
//!
//! Both sides link this crate and nothing else of each other. It does no I/O, knows neither PHP nor
//! tokio, and is the only place that spells a Redis name, a field of a log entry or a byte of an envelope.
//!
//! # What travels where
//!
//! | from | through | to | as |
//! | --- | --- | --- | --- |
//! | extension | user channel | every daemon that holds the user | [`envelope::Envelope`] |
//! | extension, daemon | log (stream) | the writer | [`entry::Entry`] |
//! | extension | questions, or reads (list) | the daemon that answered last, or any | [`query::QueryRequest`] |
//! | daemon | reply channel | the extension that waits | [`reply_to::ReplyTo`], [`reply::Reply`] |
//! | daemon | socket | the browser | [`frame`] |

pub mod id;
pub mod limit;
pub mod partition;
pub mod key;
pub mod frame;
pub mod envelope;
pub mod entry;
pub mod reply_to;
pub mod query;
pub mod reply;
pub mod lua;
pub mod token;

/// Version of every message that crosses a process border. A reader refuses a version it does not know
/// rather than guess, so that a rolling upgrade fails loudly and loses nothing.
pub const VERSION: &str = "1";
