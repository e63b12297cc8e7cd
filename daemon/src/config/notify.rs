//! When somebody is told of messages that wait.

use std::time::Duration;

use super::setting::Setting;
use super::source::Source;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::integer(
        "notify.after",
        "0",
        0..=2_592_000,
        "seconds",
        "How long a message waits before somebody is told that it does",
    )
    .details(
        "0: nobody is told. The time counts from the message, or from the end of the receiver's last connection. \
         `getDueNotifications()` gives who is due.",
    ),
    Setting::choice("notify.when", &["undelivered", "unread"], "What a user is told of").details(
        "`undelivered`: messages that no client has confirmed, once until the user connects again. `unread`: an \
         unread counter above 0, once until it is cleared, even while a page is open.",
    ),
    Setting::boolean("notify.show_content", false, "Whether notifications show what a message says")
        .details("`getDueNotifications()` gives the content to PHP in any case."),
];

/// What a user is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Messages that no client has confirmed.
    Undelivered,
    /// An unread counter above 0.
    Unread,
}

/// When somebody is told of messages that wait.
#[derive(Clone, Copy, Debug)]
pub struct Notify {
    /// How long a message waits before.
    pub after: Duration,
    /// What a user is told of.
    pub when: When,
    /// Whether notifications show what a message says.
    pub show_content: bool,
}

impl Notify {
    /// None if nobody is told, or after an error.
    pub(super) fn read(source: &mut Source) -> Option<Self> {
        let after = source.seconds("notify.after");
        let when = source.text("notify.when");
        let show_content = source.boolean("notify.show_content");
        let when = if when? == "unread" { When::Unread } else { When::Undelivered };
        let Some(after) = after.filter(|after| !after.is_zero()) else {
            source.require("notify.after", "set it to a number of seconds");
            return None;
        };
        Some(Self { after, when, show_content: show_content? })
    }
}
