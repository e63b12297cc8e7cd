//! What can go wrong with a call. Errors keep their sources; the text for PHP is made in one place,
//! [`Error::message`].

mod partial;

use std::error::Error as _;
use std::fmt::Write as _;

use chatpush_wire::reply::Refusal;

use crate::fault_injection::{self, Promise};
use crate::link::ExecuteError;
use crate::outcome::Outcome;
use crate::settings::{InvalidDirective, InvalidDirectives};

pub(crate) use self::partial::Partial;

/// Why a call failed. `Display` says what happened, `source()` why.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Directives have invalid values.
    #[error(transparent)]
    Directives(#[from] InvalidDirectives),
    /// A directive that this call needs has an invalid value.
    #[error(transparent)]
    Directive(#[from] InvalidDirective),
    /// An argument does not fit the installation: a `ValueError`, with every setting of `chatpush.errors`.
    #[error("argument {position} {text}")]
    Argument {
        /// Its position, from 1.
        position: u32,
        /// What it must be.
        text: String,
    },
    /// `chatpush.secret` is not set.
    #[error("chatpush.secret is not set")]
    NoSecret,
    /// Redis did not execute the call.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// A call failed that may be repeated whatever became of it: it has the same effect only once.
    #[error(transparent)]
    Idempotent(Box<Error>),
    /// A call for many receivers failed for some.
    #[error("{0}")]
    Partial(Box<Partial>),
    /// The message was accepted before, and the log is too full for a request for an answer.
    #[error(
        "the message was queued before and will be stored once, but too much is waiting to ask whether it was \
         committed"
    )]
    NotAwaited,
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
    /// The error of a call that may be repeated whatever became of it.
    pub(crate) fn idempotent(self) -> Self {
        Self::Idempotent(Box::new(self))
    }

    /// What is known of the call's effect.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Directives(_)
            | Self::Directive(_)
            | Self::Argument { .. }
            | Self::NoSecret
            | Self::NoEntropy(_)
            | Self::Refused(_) => Outcome::NotQueued,
            Self::Execute(error) => match error.known().into() {
                Outcome::Queued if fault_injection::breaks(Promise::Queued) => Outcome::NotQueued,
                outcome => outcome,
            },
            Self::Idempotent(error) => error.outcome(),
            Self::Partial(partial) => partial.outcome,
            Self::NotAwaited => Outcome::Queued,
            Self::UnexpectedReply => Outcome::Unknown,
        }
    }

    /// Whether the same call may succeed later, and repeating it does no harm.
    pub(crate) fn is_retryable(&self) -> bool {
        match (self, self.outcome()) {
            (Self::Partial(partial), _) => partial.is_retryable(),
            (Self::Idempotent(error), Outcome::NotQueued | Outcome::Unknown) => error.may_pass(),
            (error, Outcome::NotQueued) => error.may_pass(),
            (_, Outcome::Queued | Outcome::Unknown) => false,
        }
    }

    /// Whether the cause may pass by itself.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Directives(_)
            | Self::Directive(_)
            | Self::Argument { .. }
            | Self::NoSecret
            | Self::NoEntropy(_)
            | Self::UnexpectedReply
            | Self::Refused(Refusal::Rejected(_) | Refusal::NotConfigured(_)) => false,
            Self::Refused(
                Refusal::NoDaemon | Refusal::Backlog | Refusal::MailboxFull(_) | Refusal::Failed(_),
            )
            | Self::NotAwaited => true,
            Self::Execute(error) => error.is_passing(),
            Self::Idempotent(error) => error.may_pass(),
            Self::Partial(partial) => partial.cause.may_pass(),
        }
    }

    /// The text for PHP: what happened, its causes in parentheses, and what is known of the outcome or the
    /// fix.
    pub(crate) fn message(&self) -> String {
        if let Self::Partial(partial) = self {
            let cause = partial.cause.message();
            return if partial.is_whole() { cause } else { format!("{partial}: {cause}") };
        }
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
        let _ = self.write_advice(&mut text);
        text
    }

    fn write_advice(&self, out: &mut String) -> std::fmt::Result {
        match self {
            Self::NoSecret => write!(
                out,
                ": give it the CHATPUSH_SECRET of chatpushd (make one with: openssl rand -hex 32)"
            ),
            Self::Execute(error) => error.write_advice(out),
            Self::Idempotent(error) => error.write_advice(out),
            _ => Ok(()),
        }
    }
}
