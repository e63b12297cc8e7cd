//! Exchanges with Redis: one command, or a script and the wait for its answer.

mod command;
mod script_call;

pub(crate) use self::command::Command;
pub(crate) use self::script_call::{Keys, Progress, ScriptCall, ScriptOutcome};

/// What is known when Redis did not answer.
const UNKNOWN: &str = "Redis did not answer; the outcome is unknown";
