//! Functions about the process's connection to Redis.

use crate::calls::connection;
use crate::declaration::function;

function! {
    /// Returns whether Redis can be used now. It never throws, and gives no warning.
    ///
    /// A worker that lives long can ask it before a batch of work. Redis counts as there if it can be reached
    /// in time, accepts the account, and is a master. For a second after a call could not reach Redis the
    /// answer is false without a try.
    ///
    /// @return bool false: it cannot be reached, does not answer in `chatpush.timeout_ms`, refuses the account
    ///              or is a replica, or a setting is invalid
    fn ping() -> bool {
        Ok(connection::ping())
    }
}

function! {
    /// Closes this process's connection to Redis. The next call opens a new one.
    ///
    /// A worker that will be idle for hours can call it, and so can one that is about to fork. It does nothing
    /// if there is no connection.
    fn close() -> () {
        connection::close();
        Ok(())
    }
}
