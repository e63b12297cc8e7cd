//! One exchange with Redis, and the retry of one whose connection broke.

use std::time::Instant;

use super::connection::Connection;
use super::error::LinkError;
use super::execute_error::ExecuteError;
use super::known::Unanswered;
use super::slot;
use crate::settings::Settings;

/// Commands and what is made of the answers to them.
pub(crate) trait Exchange {
    /// What the answers are made into.
    type Outcome;

    /// The commands, to be sent in one write.
    fn commands(&mut self, connection: &mut Connection) -> Vec<u8>;

    /// Reads the answers.
    fn answers(&mut self, connection: &mut Connection, deadline: Instant)
    -> Result<Self::Outcome, LinkError>;

    /// Whether the commands may be executed twice: that does no harm and gives the same answer.
    fn is_repeatable(&self) -> bool;

    /// What is known of the outcome when no answer has come.
    fn unanswered(&self) -> &'static Unanswered;
}

/// Executes an exchange on the kept connection, or on a new one. If the connection breaks before everything
/// was sent, or the exchange is repeatable, it is executed once more on a new connection. The deadline bounds
/// both tries.
pub(crate) fn execute<E: Exchange>(
    settings: &Settings,
    exchange: &mut E,
    deadline: Instant,
) -> Result<E::Outcome, ExecuteError> {
    let address = || settings.address.clone();
    let mut tries = 2;
    // Whether an earlier try was sent completely, so that Redis may have executed it.
    let mut was_sent = false;
    loop {
        tries -= 1;
        let mut connection = match slot::take(settings, deadline) {
            // The first try may have been executed. That matters more than that there is no second.
            Err(unreachable) if was_sent => {
                return Err(ExecuteError::TimedOut {
                    unanswered: exchange.unanswered(),
                    cause: Some(unreachable.into()),
                });
            }
            other => other?,
        };
        connection.set_busy_poll(settings.busy_poll);
        let commands = exchange.commands(&mut connection);
        let sent = connection.send(&commands, deadline);
        let unsent = sent.is_err();
        let cause = match sent.and_then(|()| exchange.answers(&mut connection, deadline)) {
            Ok(outcome) => {
                slot::keep(connection);
                return Ok(outcome);
            }
            Err(cause) => cause,
        };
        let unanswered = exchange.unanswered();
        match cause {
            LinkError::Timeout => return Err(ExecuteError::TimedOut { unanswered, cause: None }),
            // Redis does not have the script, so nothing was executed.
            LinkError::NoScript if tries > 0 => {}
            LinkError::NoScript => return Err(ExecuteError::NoScripts { address: address() }),
            LinkError::Redis(_) => {
                return Err(ExecuteError::Answered {
                    address: address(),
                    unanswered: None,
                    cause: cause.into(),
                });
            }
            LinkError::Subscription(_) => {
                return Err(ExecuteError::Answered {
                    address: address(),
                    unanswered: Some(unanswered),
                    cause: cause.into(),
                });
            }
            // Redis does not execute a command that it has not received completely.
            _ if tries > 0 && (unsent || exchange.is_repeatable()) => was_sent |= !unsent,
            _ => return Err(ExecuteError::Broken { address: address(), unanswered, cause: cause.into() }),
        }
    }
}
