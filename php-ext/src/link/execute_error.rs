//! Why an exchange was not executed, with the address of Redis and what is known of the outcome.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::error::LinkError;
use super::known::{Known, Unanswered};
use chatpush_wire::address::Address;

/// Why an exchange was not executed. `Display` says what happened, `source()` why.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExecuteError {
    /// The connection could not be opened.
    #[error("Redis at {address} cannot be reached")]
    Unreachable {
        address: Address,
        #[source]
        cause: Arc<LinkError>,
    },
    /// It could not be opened a moment ago, and was not tried again.
    #[error("Redis at {address} cannot be reached")]
    StillUnreachable {
        address: Address,
        #[source]
        cause: Arc<LinkError>,
        left: Duration,
    },
    /// The connection broke.
    #[error("the connection to Redis at {address} broke")]
    Broken {
        address: Address,
        unanswered: &'static Unanswered,
        #[source]
        cause: Arc<LinkError>,
    },
    /// Redis answered with an error.
    #[error("Redis at {address} answered with an error")]
    Answered {
        address: Address,
        /// `None`: nothing was executed.
        unanswered: Option<&'static Unanswered>,
        #[source]
        cause: Arc<LinkError>,
    },
    /// Redis does not have a script that was loaded a moment ago.
    #[error("Redis at {address} keeps no scripts")]
    NoScripts { address: Address },
    /// There was no answer until the deadline.
    #[error("{}", unanswered.text)]
    TimedOut {
        unanswered: &'static Unanswered,
        /// Why a connection for the second try could not be opened.
        #[source]
        cause: Option<Box<ExecuteError>>,
    },
}

impl ExecuteError {
    /// What is known of the call's effect.
    pub(crate) const fn known(&self) -> Known {
        match self {
            Self::Unreachable { .. }
            | Self::StillUnreachable { .. }
            | Self::NoScripts { .. }
            | Self::Answered { unanswered: None, .. } => Known::NotQueued,
            Self::Broken { unanswered, .. }
            | Self::Answered { unanswered: Some(unanswered), .. }
            | Self::TimedOut { unanswered, .. } => unanswered.known,
        }
    }

    /// Writes what is known of the outcome, or the fix, if the error does not say it already.
    pub(crate) fn write_advice(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Unreachable { .. } => write!(out, "; is it running, and is chatpush.redis_url right?"),
            Self::StillUnreachable { left, .. } => {
                write!(out, "; not tried again for {} ms", left.as_millis())
            }
            Self::Broken { unanswered, .. } | Self::Answered { unanswered: Some(unanswered), .. } => {
                write!(out, "; {}", unanswered.text)
            }
            // Its text is what is known.
            Self::TimedOut { .. } => Ok(()),
            _ if self.known() == Known::NotQueued => write!(out, "; nothing was queued"),
            Self::Answered { .. } | Self::NoScripts { .. } => Ok(()),
        }
    }
}
