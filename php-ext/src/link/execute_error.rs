//! Why an exchange was not executed, with the address of Redis and what is known of the outcome.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::address::Address;
use chatpush_wire::installation::ContentRefused;

use super::breaker::Silence;
use super::error::LinkError;
use super::installation::InstallationError;
use super::known::{Known, Unanswered};
use super::redis_error::RedisError;

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
    #[error("Redis at {address} {}", what(cause))]
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
    #[error("Redis at {address} {}", what(cause))]
    Answered {
        address: Address,
        /// `None`: nothing was executed.
        unanswered: Option<&'static Unanswered>,
        #[source]
        cause: Arc<LinkError>,
    },
    /// The installation does not serve.
    #[error("Redis at {address} does not serve this call")]
    Installation {
        address: Address,
        #[source]
        cause: Arc<LinkError>,
    },
    /// The table does not hold the content.
    #[error(transparent)]
    Content(ContentRefused),
    /// Redis does not have a script that was loaded a moment ago.
    #[error("Redis at {address} keeps no scripts")]
    NoScripts { address: Address },
    /// There was no answer until the deadline.
    #[error("{}", unanswered.text)]
    TimedOut {
        unanswered: &'static Unanswered,
        /// Why a connection for another try could not be opened.
        #[source]
        cause: Option<Box<ExecuteError>>,
        /// Why the deadline was earlier than that of the call.
        silence: Option<Silence>,
    },
}

/// What is the matter with Redis.
fn what(cause: &LinkError) -> &'static str {
    match cause {
        LinkError::Subscription(_) => "does not let this account receive answers",
        LinkError::Redis(error) | LinkError::Replication(error) => error.what(),
        _ => "cannot be reached",
    }
}

/// What to do about an error that Redis answered with.
fn fix(cause: &LinkError) -> Option<&'static str> {
    match cause {
        LinkError::Redis(error) | LinkError::Subscription(error) | LinkError::Replication(error) => {
            RedisError::fix(error)
        }
        _ => None,
    }
}

impl ExecuteError {
    /// The error for a connection that could not be opened. `left`: for so long it is not tried again.
    pub(super) fn unreachable(address: &Address, cause: &Arc<LinkError>, left: Option<Duration>) -> Self {
        let (address, cause) = (address.clone(), cause.clone());
        match (left, &*cause) {
            (Some(left), _) => Self::StillUnreachable { address, cause, left },
            (None, LinkError::Redis(_)) => Self::Answered { address, unanswered: None, cause },
            (None, _) => Self::Unreachable { address, cause },
        }
    }

    /// The error for a part of a call that Redis refused with this text.
    pub(crate) fn refused(address: &Address, text: String) -> Self {
        let cause = Arc::new(LinkError::Redis(RedisError::new(text)));
        Self::Answered { address: address.clone(), unanswered: None, cause }
    }

    /// Whether the installation stores nothing.
    pub(crate) fn is_push_only(&self) -> bool {
        self.is_installation(|cause| matches!(cause, InstallationError::PushOnly))
    }

    /// Whether the installation does not serve for such a cause.
    pub(super) fn is_installation(&self, is: impl Fn(&InstallationError) -> bool) -> bool {
        let Self::Installation { cause, .. } = self else { return false };
        matches!(&**cause, LinkError::Installation(cause) if is(cause))
    }

    /// What is known of the call's effect.
    pub(crate) const fn known(&self) -> Known {
        match self {
            Self::Unreachable { .. }
            | Self::StillUnreachable { .. }
            | Self::NoScripts { .. }
            | Self::Installation { .. }
            | Self::Content(_)
            | Self::Answered { unanswered: None, .. } => Known::NotQueued,
            Self::Broken { unanswered, .. }
            | Self::Answered { unanswered: Some(unanswered), .. }
            | Self::TimedOut { unanswered, .. } => unanswered.known,
        }
    }

    /// Whether the cause may pass by itself.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { cause, .. }
            | Self::StillUnreachable { cause, .. }
            | Self::Broken { cause, .. }
            | Self::Answered { cause, .. } => match &**cause {
                LinkError::Redis(error) | LinkError::Subscription(error) | LinkError::Replication(error) => {
                    error.is_temporary()
                }
                cause => cause.is_passing(),
            },
            // A daemon may be started, or upgraded.
            Self::Installation { .. } => self.is_installation(|cause| {
                matches!(cause, InstallationError::Missing { .. } | InstallationError::OlderDaemon)
            }),
            Self::NoScripts { .. } | Self::Content(_) => false,
            Self::TimedOut { .. } => true,
        }
    }

    /// Writes what is known of the outcome, and the fix, as far as the error does not say it already.
    pub(crate) fn write_advice(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            // Its text is what is known.
            Self::TimedOut { silence: Some(silence), .. } => return write!(out, "; {silence}"),
            Self::TimedOut { silence: None, .. } => return Ok(()),
            Self::Broken { unanswered, .. } | Self::Answered { unanswered: Some(unanswered), .. } => {
                write!(out, "; {}", unanswered.text)?;
            }
            _ if self.known() == Known::NotQueued => write!(out, "; nothing was queued")?,
            _ => {}
        }
        match self {
            Self::Unreachable { .. } => write!(out, "; is it running, and is chatpush.redis_url right?"),
            Self::StillUnreachable { cause, left, .. } => {
                write_fix(out, cause)?;
                write!(out, "; not tried again for {} ms", left.as_millis())
            }
            Self::Answered { cause, .. } => write_fix(out, cause),
            Self::NoScripts { .. } => write!(out, "; does something call SCRIPT FLUSH?"),
            Self::Broken { .. } | Self::TimedOut { .. } | Self::Installation { .. } | Self::Content(_) => {
                Ok(())
            }
        }
    }
}

fn write_fix(out: &mut impl fmt::Write, cause: &LinkError) -> fmt::Result {
    fix(cause).map_or(Ok(()), |fix| write!(out, "; {fix}"))
}
