//! The connection to Redis: one a process, opened by the first call, kept over requests, replaced when it
//! is found broken.

mod busy_poll;
mod connection;
mod error;
mod resp;
mod stream;

use std::cell::RefCell;
use std::time::{Duration, Instant};

pub(crate) use self::connection::{Connection, Peer};
pub(crate) use self::error::LinkError;
pub(crate) use self::resp::{Answer, command};
use crate::error::Error;
use crate::settings::Settings;

/// How long calls fail at once after Redis could not be reached, so that an outage does not cost every
/// request the connect timeout.
const BACK_OFF: Duration = Duration::from_secs(1);

/// What this process keeps between calls.
#[derive(Debug)]
enum Slot {
    Empty,
    Open(Box<Connection>),
    /// Redis could not be reached; why, and until when nobody tries again.
    Away {
        address: String,
        why: String,
        until: Instant,
    },
}

thread_local! {
    /// Taken out while a call is under way, so that nothing is borrowed when the engine is entered.
    static SLOT: RefCell<Slot> = const { RefCell::new(Slot::Empty) };
}

/// One conversation: what is sent, and what is made of the answers.
pub(crate) trait Exchange {
    /// What comes of it.
    type Outcome;

    /// The commands, to be sent in one write.
    fn commands(&mut self, connection: &mut Connection, deadline: Instant) -> Vec<u8>;

    /// Reads the answers.
    fn answers(&mut self, connection: &mut Connection, deadline: Instant)
    -> Result<Self::Outcome, LinkError>;

    /// Whether doing it twice does no harm.
    fn is_repeatable(&self) -> bool;

    /// What is known of the outcome when no answer came.
    fn timed_out(&self) -> String;
}

/// Holds a conversation, on the kept connection if it still lives. If that breaks before everything was
/// sent, or the conversation may be repeated, a fresh connection gets one more try. `deadline` bounds it all.
pub(crate) fn execute<E: Exchange>(
    settings: &Settings,
    exchange: &mut E,
    deadline: Instant,
) -> Result<E::Outcome, Error> {
    let mut tries = 2;
    // Whether an earlier try got through whole, so that it may have been carried out.
    let mut was_sent = false;
    loop {
        tries -= 1;
        let mut connection = match connection(settings, deadline) {
            // The first try may have been carried out, and that says more than that a second cannot be made.
            Err(Error::Connection(why)) if was_sent => {
                return Err(Error::Timeout(format!("{} ({why})", exchange.timed_out())));
            }
            other => other?,
        };
        connection.set_busy_poll(settings.busy_poll);
        let commands = exchange.commands(&mut connection, deadline);
        let sent = connection.send(&commands, deadline);
        let unsent = sent.is_err();
        let outcome = sent.and_then(|()| exchange.answers(&mut connection, deadline));
        match outcome {
            Ok(outcome) => {
                SLOT.set(Slot::Open(connection));
                return Ok(outcome);
            }
            Err(LinkError::Timeout) => return Err(Error::Timeout(exchange.timed_out())),
            // A command that did not get through whole was not carried out, and neither was one that Redis
            // did not know.
            Err(LinkError::NoScript) if tries > 0 => {}
            Err(LinkError::Broken(_)) if tries > 0 && (unsent || exchange.is_repeatable()) => {
                was_sent |= !unsent;
            }
            Err(LinkError::Broken(why)) => {
                return Err(Error::Connection(format!(
                    "the connection to Redis at {} broke ({why}); {}",
                    settings.address,
                    exchange.timed_out()
                )));
            }
            Err(LinkError::NoScript) => {
                return Err(Error::Connection(format!("Redis at {} keeps no scripts", settings.address)));
            }
            Err(LinkError::Answer(text)) => {
                return Err(Error::Connection(format!("Redis at {} answered: {text}", settings.address)));
            }
        }
    }
}

/// Where the open connection goes, for `phpinfo()`; a parent's connection is not this process's.
pub(crate) fn open_address() -> Option<String> {
    SLOT.with_borrow(|slot| match slot {
        Slot::Open(connection) if connection.is_own() => Some(connection.address().to_string()),
        _ => None,
    })
}

/// The kept connection if it is this process's, goes to the right place and lives; otherwise a new one.
fn connection(settings: &Settings, deadline: Instant) -> Result<Box<Connection>, Error> {
    match SLOT.replace(Slot::Empty) {
        Slot::Open(mut connection) if connection.is_own() && *connection.address() == settings.address => {
            if connection.is_alive() {
                return Ok(connection);
            }
        }
        Slot::Away { address, why, until } if address == settings.address.to_string() => {
            let left = until.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                let error = Error::Connection(format!(
                    "Redis at {address} cannot be reached ({why}); not tried again for {} ms",
                    left.as_millis()
                ));
                SLOT.set(Slot::Away { address, why, until });
                return Err(error);
            }
        }
        // A connection that is another process's is dropped here: that closes this process's copy of the
        // socket and says nothing on it.
        Slot::Open(_) | Slot::Away { .. } | Slot::Empty => {}
    }
    let connecting = deadline.min(Instant::now() + settings.connect_timeout);
    Connection::open(&settings.address, connecting).map(Box::new).map_err(|error| {
        let (address, why) = (settings.address.to_string(), error.to_string());
        let text = format!(
            "Redis at {address} cannot be reached ({why}); is it running, and is chatpush.redis_url right?"
        );
        SLOT.set(Slot::Away { address, why, until: Instant::now() + BACK_OFF });
        Error::Connection(text)
    })
}
