//! What a process keeps between calls: an open connection, or why Redis could not be reached.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::error::LinkError;
use super::execute_error::ExecuteError;
use crate::settings::Settings;
use chatpush_wire::address::Address;

/// After Redis could not be reached, calls fail at once for this long. So an outage does not cost every
/// request the connect timeout.
const BACK_OFF: Duration = Duration::from_secs(1);

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
/// Opens a new one otherwise.
pub(super) fn take(settings: &Settings, deadline: Instant) -> Result<Box<Connection>, ExecuteError> {
    match SLOT.replace(Slot::Empty) {
        Slot::Open(mut connection) if connection.is_own() && *connection.address() == settings.address => {
            if connection.is_alive() {
                return Ok(connection);
            }
        }
        Slot::Unreachable { address, cause, until } if address == settings.address => {
            let left = until.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                let error =
                    ExecuteError::StillUnreachable { address: address.clone(), cause: cause.clone(), left };
                SLOT.set(Slot::Unreachable { address, cause, until });
                return Err(error);
            }
        }
        // Dropping a connection that another process opened closes this process's copy of the socket and
        // sends nothing on it.
        Slot::Open(_) | Slot::Unreachable { .. } | Slot::Empty => {}
    }
    open(&settings.address, deadline.min(Instant::now() + settings.connect_timeout))
}

/// Keeps a connection for the next call.
pub(super) fn keep(connection: Box<Connection>) {
    SLOT.set(Slot::Open(connection));
}

/// The address of the open connection, for `phpinfo()`. A connection that the parent process opened does not
/// count.
pub(crate) fn open_address() -> Option<String> {
    SLOT.with_borrow(|slot| match slot {
        Slot::Open(connection) if connection.is_own() => Some(connection.address().to_string()),
        _ => None,
    })
}

fn open(address: &Address, deadline: Instant) -> Result<Box<Connection>, ExecuteError> {
    Connection::open(address, deadline).map(Box::new).map_err(|cause| {
        let (address, cause) = (address.clone(), Arc::new(cause));
        SLOT.set(Slot::Unreachable {
            address: address.clone(),
            cause: cause.clone(),
            until: Instant::now() + BACK_OFF,
        });
        ExecuteError::Unreachable { address, cause }
    })
}
