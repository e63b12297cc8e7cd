//! What a process keeps between calls: an open connection, or why Redis could not be reached.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chatpush_wire::address::Address;
use chatpush_wire::id::UserIdType;

use super::connection::Connection;
use super::error::LinkError;
use super::execute_error::ExecuteError;
use super::pauses::Pauses;
use super::{cluster, sentinel};
use crate::settings::Settings;

/// After Redis could not be reached, calls fail at once for this long, so that an outage does not cost every
/// request its timeout. Then one try decides.
pub(super) const BACK_OFF: Duration = Duration::from_secs(1);

#[derive(Debug)]
enum Slot {
    Empty,
    Open(Box<Connection>),
    /// Redis could not be reached, and is not tried again until then.
    Unreachable {
        address: Address,
        cause: Arc<LinkError>,
        until: Instant,
    },
}

thread_local! {
    /// Empty while a call is under way, so that nothing is borrowed when the engine is entered.
    static SLOT: RefCell<Slot> = const { RefCell::new(Slot::Empty) };
}

/// Takes the kept connection if it is usable: opened by this process, to the configured address, and alive.
/// Opens a new one otherwise. True: it is the first one after calls have failed, and no other is to be tried.
pub(super) fn take(settings: &Settings, deadline: Instant) -> Result<(Box<Connection>, bool), ExecuteError> {
    let mut failed_before = false;
    match SLOT.replace(Slot::Empty) {
        Slot::Open(mut connection) if connection.is_own() && *connection.address() == settings.address => {
            if connection.is_alive()
                && !sentinel::is_replaced(&mut connection, settings.connect_timeout, deadline)
            {
                return Ok((connection, false));
            }
        }
        Slot::Unreachable { address, cause, until } if address == settings.address => {
            let left = until.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                let error = ExecuteError::unreachable(&address, &cause, Some(left));
                SLOT.set(Slot::Unreachable { address, cause, until });
                return Err(error);
            }
            failed_before = true;
        }
        // Dropping a connection that another process opened closes this process's copy of the socket and
        // sends nothing on it.
        Slot::Open(_) | Slot::Unreachable { .. } | Slot::Empty => {}
    }
    open(settings, deadline, failed_before).map(|connection| (connection, failed_before))
}

/// Keeps a connection for the next call.
pub(super) fn keep(connection: Box<Connection>) {
    SLOT.set(Slot::Open(connection));
}

/// Closes the kept connections, if there are any, and forgets that Redis could not be reached.
pub(crate) fn close() {
    SLOT.set(Slot::Empty);
    cluster::close();
}

/// The type of user ids of the settings' installation, if the kept connection knows it.
pub(super) fn user_id_type(settings: &Settings) -> Option<UserIdType> {
    SLOT.with_borrow(|slot| match slot {
        Slot::Open(connection) if connection.is_own() && *connection.address() == settings.address => {
            connection.installation(&settings.prefix).map(|record| record.user_id_type)
        }
        _ => None,
    })
}

/// Forgets what the kept connection knows of its installation, so that the next call reads it.
pub(super) fn forget_installation() {
    SLOT.with_borrow_mut(|slot| {
        if let Slot::Open(connection) = slot {
            connection.forget_installation();
        }
    });
}

/// The address of the open connection, or of those to masters of a cluster, for `phpinfo()`. What the parent process
/// opened does not count.
pub(crate) fn open_address() -> Option<String> {
    let address = SLOT.with_borrow(|slot| match slot {
        Slot::Open(connection) if connection.is_own() => Some(connection.address().to_string()),
        _ => None,
    });
    address.or_else(cluster::open_addresses)
}

/// Lets calls fail at once for a while, because Redis takes connections, but no calls. `once`: this was the
/// first try after that.
pub(super) fn fail(settings: &Settings, cause: &Arc<LinkError>, began: Instant, once: bool) {
    // A call that had hardly any time left does not show much about Redis.
    let back_off = if once { BACK_OFF } else { BACK_OFF.min(began.elapsed()) };
    SLOT.set(Slot::Unreachable {
        address: settings.address.clone(),
        cause: cause.clone(),
        until: Instant::now() + back_off,
    });
}

/// Tries to connect until the deadline, each time for at most `chatpush.connect_timeout_ms`; or only once.
fn open(settings: &Settings, deadline: Instant, once: bool) -> Result<Box<Connection>, ExecuteError> {
    let began = Instant::now();
    let mut pauses = Pauses::new(deadline);
    let mut before = None;
    loop {
        let until = deadline.min(Instant::now() + settings.connect_timeout);
        // A call whose request is not acknowledged has the other half of its time for another connection.
        let cause = match Connection::open(&settings.address, settings.timeout / 2, until) {
            Ok(connection) => return Ok(Box::new(connection)),
            Err(cause) => cause,
        };
        let is_passing = cause.is_passing();
        if is_passing && !once && pauses.pause() {
            before = Some(cause);
            continue;
        }
        // A try that the deadline has cut short says less than the one before it.
        let cause = match (cause, before) {
            (LinkError::Timeout, Some(before)) if until == deadline => before,
            (cause, _) => cause,
        };
        let cause = Arc::new(cause);
        fail(settings, &cause, began, once || !is_passing);
        return Err(ExecuteError::unreachable(&settings.address, &cause, None));
    }
}
