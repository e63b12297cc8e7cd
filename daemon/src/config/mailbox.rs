//! How much waits for a user who is away.

use std::time::Duration;

use super::setting::Setting;
use super::source::Source;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::integer(
        "mailbox.max_messages",
        "0",
        0..=u32::MAX,
        "",
        "Messages that may wait for a user who is not connected",
    )
    .details(
        "Further ones are refused: PHP gets an `UnavailableException`. One whose caller does not wait for the \
         answer becomes a dead letter. 0: no limit.",
    ),
    Setting::integer(
        "mailbox.max_age_days",
        "0",
        0..=36_500,
        "days",
        "How long a message waits",
    )
    .details(
        "Then it is deleted, or marked in a history, and does not count as unread any more. 0: for ever.",
    ),
];

/// What is kept for users who are away.
#[derive(Clone, Copy, Debug)]
pub struct Mailbox {
    /// Messages that may wait for a user who is not connected; none for any number.
    pub max_messages: Option<u32>,
    /// How long a message waits; none for ever.
    pub max_age: Option<Duration>,
}

impl Mailbox {
    /// Without limits.
    pub(super) const UNLIMITED: Self = Self { max_messages: None, max_age: None };

    pub(super) fn read(source: &mut Source) -> Option<Self> {
        let max_messages: Option<u32> = source.integer("mailbox.max_messages");
        let max_age_days: Option<u32> = source.integer("mailbox.max_age_days");
        let days = |days: u32| Duration::from_secs(u64::from(days) * 24 * 60 * 60);
        Some(Self {
            max_messages: max_messages.map(|most| (most > 0).then_some(most))?,
            max_age: max_age_days.map(|most| (most > 0).then(|| days(most)))?,
        })
    }
}
