//! The error that a task meets now, for whoever reports on it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The last error of a task, until it succeeds. Cloning is shallow.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastError(Arc<Mutex<Option<String>>>);

impl LastError {
    /// The task has failed.
    pub(crate) fn failed(&self, error: String) {
        *self.lock() = Some(error);
    }

    /// The task has succeeded, or it is another daemon's now.
    pub(crate) fn clear(&self) {
        *self.lock() = None;
    }

    /// The error, if the task has failed last.
    pub(crate) fn get(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
