//! The installation record in Redis: whether this is the Redis and the database of a chatpush that fits, and
//! whether its tables hold what is to be stored.

use std::io;
use std::time::{Duration, Instant};

use chatpush_resp::Value;
use chatpush_wire::installation::{ContentRefused, Installation, Mismatch};
use chatpush_wire::key::Prefix;

use super::command;
use super::connection::Connection;
use super::error::LinkError;
use crate::fault_injection::{self, Promise};

/// What an exchange needs of an installation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs<'a> {
    /// Whose installation.
    pub(crate) prefix: &'a Prefix,
    /// The content that is to be stored.
    pub(crate) content: Option<&'a str>,
    /// Whether it stores or reads messages.
    pub(crate) storage: bool,
    /// The generation of log entries that it appends (`chatpush_wire::entry::GENERATION`); 0: of any.
    pub(crate) entries: u32,
}

impl Needs<'_> {
    /// Whether the installation with this record serves.
    pub(super) fn are_met(&self, record: &Installation) -> Result<(), InstallationError> {
        if self.storage && !record.stores() {
            return Err(InstallationError::PushOnly);
        }
        if self.entries > record.entries {
            return Err(InstallationError::OlderDaemon);
        }
        self.content.map_or(Ok(()), |content| Ok(record.content.holds(content)?))
    }
}

/// Why an installation does not serve. Nothing was executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InstallationError {
    /// There is no record.
    #[error(
        "its database {database} has no installation of chatpush with the prefix {prefix}: is chatpushd started, \
         with the same CHATPUSH_REDIS_URL (database number included) and CHATPUSH_PREFIX? \
         `chatpushd check` says what hinders it"
    )]
    Missing {
        /// The number of the database in Redis.
        database: u32,
        /// The prefix.
        prefix: Prefix,
    },
    /// It is of another version or kind.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// Nothing is stored.
    #[error(
        "chatpushd has storage = \"none\": it only pushes, and stores and reads no messages. Give it a database \
         (CHATPUSH_MYSQL_URL) for this call"
    )]
    PushOnly,
    /// Not every daemon reads what is to be written.
    #[error("a chatpushd of an older version is running, which cannot read this message: upgrade it")]
    OlderDaemon,
    /// Its table does not hold the content.
    #[error(transparent)]
    Content(#[from] ContentRefused),
}

/// How long a record is used before it is read again, together with a call: a column may be narrower now.
pub(super) const KNOWN: Duration = Duration::from_secs(10);

/// Makes sure that the installation serves. The record is read once for a connection, now and then together with
/// a call ([`ask_again`]), and again before anything is refused: a daemon may have been started, or a column
/// widened, since then.
pub(super) fn check(
    connection: &mut Connection,
    needs: Needs<'_>,
    deadline: Instant,
) -> Result<(), LinkError> {
    if connection.installation(needs.prefix).is_some_and(|record| needs.are_met(record).is_ok()) {
        return Ok(());
    }
    if let Some(record) = read_for(connection, needs, deadline)? {
        connection.set_installation(needs.prefix.clone(), record);
    }
    Ok(())
}

/// Reads the record, and makes sure that the installation serves. `None`: there is none, and none is needed.
pub(super) fn read_for(
    connection: &mut Connection,
    needs: Needs<'_>,
    deadline: Instant,
) -> Result<Option<Installation>, LinkError> {
    // Nothing is executed twice by this. On a connection that is silent, half of the time is left for another.
    let left = deadline.saturating_duration_since(Instant::now());
    let record = match read(connection, needs.prefix, Instant::now() + left / 2) {
        Err(LinkError::Timeout) => return Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        Err(LinkError::Installation(InstallationError::Missing { .. }))
            if fault_injection::breaks(Promise::Database) =>
        {
            return Ok(None);
        }
        read => read?,
    };
    needs.are_met(&record)?;
    Ok(Some(record))
}

/// Adds the question for the record to a call's own commands, if it was not read for a while. Returns whether it
/// was added.
pub(super) fn ask_again(connection: &Connection, needs: Option<Needs<'_>>, commands: &mut Vec<u8>) -> bool {
    let Some(needs) = needs else { return false };
    let is_due = connection.installation_age().is_some_and(|age| age >= KNOWN);
    if is_due {
        command(commands, &[b"GET", needs.prefix.installation().as_bytes()]);
    }
    is_due
}

/// Receives the answer to that question. It counts from the next call on: what was sent with it is executed. If
/// the record does not serve any more, the next call reads it for itself.
pub(super) fn receive_again(
    connection: &mut Connection,
    prefix: &Prefix,
    deadline: Instant,
) -> Result<(), LinkError> {
    match receive(connection, prefix, deadline) {
        Ok(record) => connection.set_installation(prefix.clone(), record),
        Err(LinkError::Installation(_) | LinkError::Redis(_)) => connection.forget_installation(),
        Err(cause) => return Err(cause),
    }
    Ok(())
}

fn read(connection: &mut Connection, prefix: &Prefix, deadline: Instant) -> Result<Installation, LinkError> {
    let mut commands = Vec::new();
    command(&mut commands, &[b"GET", prefix.installation().as_bytes()]);
    connection.send(&commands, deadline)?;
    receive(connection, prefix, deadline)
}

fn receive(
    connection: &mut Connection,
    prefix: &Prefix,
    deadline: Instant,
) -> Result<Installation, LinkError> {
    let record = match connection.receive(deadline)?.into_result()?.0 {
        Value::Bytes(record) => String::from_utf8(record).map_err(|_| Mismatch::Unreadable),
        Value::Nil => {
            let database = connection.address().database;
            return Err(InstallationError::Missing { database, prefix: prefix.clone() }.into());
        }
        other => return Err(LinkError::UnexpectedType(other.kind())),
    };
    let record = record.and_then(|record| Installation::decode(&record));
    let fits = record.and_then(|record| record.fits().map(|()| record));
    Ok(fits.map_err(InstallationError::from)?)
}
