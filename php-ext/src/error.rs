//! What can go wrong with a call. Errors keep their sources; the text for PHP is made in one place,
//! [`Error::message`].

use std::error::Error as _;
use std::fmt::Write as _;

use chatpush_wire::reply::Refusal;

use crate::link::ExecuteError;
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
    /// Redis did not execute the call.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
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
    /// The text for PHP: what happened, its causes in parentheses, and what is known of the outcome or the
    /// fix.
    pub(crate) fn message(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        let mut separator = " (";
        while let Some(cause) = source {
            // Writing to a String cannot fail.
            let _ = write!(text, "{separator}{cause}");
            separator = ": ";
            source = cause.source();
        }
        if separator == ": " {
            text.push(')');
        }
        let _ = match self {
            Self::NoSecret => write!(
                text,
                ": give it the CHATPUSH_SECRET of chatpushd (make one with: openssl rand -hex 32)"
            ),
            Self::Execute(error) => error.write_advice(&mut text),
            _ => Ok(()),
        };
        text
    }
}
