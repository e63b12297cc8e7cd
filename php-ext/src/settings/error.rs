//! Directives with invalid values.

use std::ffi::CStr;
use std::fmt;
use std::rc::Rc;

use chatpush_wire::key::InvalidPrefix;
use chatpush_wire::token::WeakSecret;

use super::value::{LONGEST, LONGEST_POLL};
use chatpush_wire::address::InvalidAddress;

/// Every directive that has an invalid value. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct InvalidDirectives(Rc<[InvalidDirective]>);

/// A directive that has an invalid value.
#[derive(Clone, Debug)]
pub(crate) struct InvalidDirective {
    name: &'static CStr,
    problem: InvalidValue,
}

/// Why a value is invalid, and what would be valid.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum InvalidValue {
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    #[error("{0:?} {1}")]
    Prefix(String, InvalidPrefix),
    #[error(transparent)]
    Secret(#[from] WeakSecret),
    #[error("{0:?} must be a number of milliseconds between 1 and {LONGEST}")]
    Milliseconds(String),
    #[error("{0:?} must be a number of microseconds between 0 and {LONGEST_POLL}")]
    Microseconds(String),
    #[error("must be UTF-8 without a NUL byte")]
    Text,
    #[error("{0:?} must be committed, queued or replicated")]
    Durability(String),
    #[error("{0:?} must be exception or warning")]
    Errors(String),
}

impl InvalidDirective {
    pub(super) const fn new(name: &'static CStr, problem: InvalidValue) -> Self {
        Self { name, problem }
    }
}

impl fmt::Display for InvalidDirective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name.to_string_lossy(), self.problem)
    }
}

impl std::error::Error for InvalidDirective {}

impl From<Vec<InvalidDirective>> for InvalidDirectives {
    fn from(directives: Vec<InvalidDirective>) -> Self {
        Self(directives.into())
    }
}

impl fmt::Display for InvalidDirectives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, directive) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            directive.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidDirectives {}
