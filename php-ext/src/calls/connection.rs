//! Calls about the process's connection to Redis.

use crate::link;
use crate::settings::Call;

/// Whether Redis can be used now.
pub(crate) fn ping() -> bool {
    Call::begin().is_ok_and(|call| link::ping(&call, call.deadline()))
}

/// Closes the connection.
pub(crate) fn close() {
    link::close();
}
