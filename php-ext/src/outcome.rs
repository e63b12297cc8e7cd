//! What is known of the effect of a call that failed.

use ext_php_rs::prelude::*;

use crate::link::Known;

/// What is known of the effect of a call that failed.
#[php_enum]
#[php(name = "ChatPush\\Outcome")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is not stored, and will not be by itself. Nobody has seen it, unless MySQL refused it.
    #[php(value = "not_queued")]
    NotQueued,
    /// It is in the log and will be done once. Do not repeat the call.
    #[php(value = "queued")]
    Queued,
    /// It may have been done, or may still be done.
    #[php(value = "unknown")]
    Unknown,
}

impl From<Known> for Outcome {
    fn from(known: Known) -> Self {
        match known {
            Known::NotQueued => Self::NotQueued,
            Known::Queued => Self::Queued,
            Known::Unknown => Self::Unknown,
        }
    }
}
