//! Exchanges with Redis: one command, or a script and the wait for its answer; many of either in one write;
//! and a question to several daemons.

mod command;
mod commands;
mod gather;
mod replication;
mod script_call;
mod script_calls;
mod shares;

pub(crate) use self::command::Command;
pub(crate) use self::commands::{Commands, PartitionCommand};
pub(crate) use self::gather::{Gather, Gathering};
pub(crate) use self::script_call::{Keys, Progress, ScriptCall, ScriptOutcome};
pub(crate) use self::script_calls::{Part, ScriptCalls, Waits};

use std::time::Instant;

use crate::link::{Known, Unanswered};

/// What is waited for once a script has accepted a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaits {
    /// Nothing.
    Nothing,
    /// The answer of a daemon.
    Daemon,
    /// A replica that has what the script has written, until the end of the call.
    Replica(Instant),
}

/// What is known when Redis did not answer a command that changes something.
const UNKNOWN: &Unanswered =
    &Unanswered { known: Known::Unknown, text: "Redis did not answer; the outcome is unknown" };

/// What is known when Redis did not answer a query.
const NO_ANSWER: &Unanswered = &Unanswered { known: Known::NotQueued, text: "Redis did not answer" };
