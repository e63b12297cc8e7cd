//! Calls about the process's connection to Redis.

use crate::link;
use crate::settings;

/// Whether Redis can be used now.
pub(crate) fn ping() -> bool {
    settings::current().is_ok_and(|settings| link::ping(&settings))
}

/// Closes the connection.
pub(crate) fn close() {
    link::close();
}
