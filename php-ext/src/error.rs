//! What can go wrong with a call. Errors keep their sources; the text for PHP is made in one place,
//! [`Error::message`].

use std::error::Error as _;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::reply::Refusal;

use crate::address::Address;
use crate::link::LinkError;
use crate::settings::{InvalidDirective, InvalidDirectives};

/// Why a call failed. `Display` says what happened, `source()` why.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Directives have invalid values.
    #[error(transparent)]
    Directives(#[from] InvalidDirectives),
    /// A directive that this call needs has an invalid value.
    #[error(transparent)]
    Directive(#[from] InvalidDirective),
    /// `chatpush.secret` is not set.
    #[error("chatpush.secret is not set")]
    NoSecret,
    /// The connection to Redis could not be opened.
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
    /// The connection broke during the call.
    #[error("the connection to Redis at {address} broke")]
    Broken {
        address: Address,
        known: &'static str,
        #[source]
        cause: Arc<LinkError>,
    },
    /// Redis answered with an error.
    #[error("Redis at {address} answered with an error")]
    Answered {
        address: Address,
        known: Option<&'static str>,
        #[source]
        cause: Arc<LinkError>,
    },
    /// Redis does not have a script that was loaded a moment ago.
    #[error("Redis at {address} keeps no scripts")]
    NoScripts { address: Address },
    /// No answer until the deadline.
    #[error("{known}")]
    TimedOut {
        known: &'static str,
        #[source]
        cause: Option<Arc<LinkError>>,
    },
    /// A script or a daemon refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The answer belongs to another kind of call.
    #[error("chatpushd answered another query: is it of another version?")]
    UnexpectedReply,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoEntropy(#[from] getrandom::Error),
}

impl Error {
    /// The text for PHP: what happened, its causes in parentheses, and what is known of the outcome or the fix.
    pub(crate) fn message(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        let mut before = " (";
        while let Some(cause) = source {
            // Writing to a String cannot fail.
            let _ = write!(text, "{before}{cause}");
            before = ": ";
            source = cause.source();
        }
        if before == ": " {
            text.push(')');
        }
        self.advise(&mut text);
        text
    }

    fn advise(&self, text: &mut String) {
        let _ = match self {
            Self::NoSecret => write!(
                text,
                ": give it the CHATPUSH_SECRET of chatpushd (make one with: openssl rand -hex 32)"
            ),
            Self::Unreachable { .. } => write!(text, "; is it running, and is chatpush.redis_url right?"),
            Self::StillUnreachable { left, .. } => {
                write!(text, "; not tried again for {} ms", left.as_millis())
            }
            Self::Broken { known, .. } | Self::Answered { known: Some(known), .. } => {
                write!(text, "; {known}")
            }
            _ => Ok(()),
        };
    }
}
