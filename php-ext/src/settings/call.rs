//! One call of a PHP function.

use std::ops::Deref;
use std::rc::Rc;
use std::time::Instant;

use super::{InvalidDirectives, Settings, current};

/// The settings at the beginning of a call, and until when it may take. However often a call goes to Redis, it has
/// this one deadline (`chatpush.timeout_ms`).
#[derive(Clone, Debug)]
pub(crate) struct Call {
    settings: Rc<Settings>,
    deadline: Instant,
}

impl Call {
    /// A call that begins now.
    ///
    /// # Errors
    ///
    /// [`InvalidDirectives`], which names every directive that has an invalid value.
    pub(crate) fn begin() -> Result<Self, InvalidDirectives> {
        let settings = current()?;
        let deadline = Instant::now() + settings.timeout;
        Ok(Self { settings, deadline })
    }

    /// When it ends, with or without an answer.
    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl Deref for Call {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}
