//! Promises that can be broken on purpose, to show that the fault tests detect it. Compiled in only with the
//! feature `fault_injection`; without it [`breaks`] is the constant `false`.

/// A promise that can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// A writer that has lost its lease commits nothing: `fence`.
    Fence,
    /// A row is deleted only after a client has confirmed it: `confirm`.
    Confirm,
    /// What was accepted before a query is in MySQL before the query is answered: `barrier`.
    Barrier,
    /// A record belongs to the row of its message: `ids`.
    Ids,
    /// Nothing is identified by its time: `identity`.
    Identity,
    /// A message that was confirmed is not stored again: `memory`.
    Memory,
    /// A transaction that the server takes away in the middle is noticed: `last_fence`.
    LastFence,
    /// A clear takes away what its conversation counts: `by`.
    By,
    /// Every receiver in a list gets a row: `receivers`.
    Receivers,
    /// A row of a history is marked when it was delivered: `mark`.
    Mark,
    /// And only once: `mark_once`.
    MarkOnce,
    /// A repeated call of a message that MySQL refused is told so: `refusals`.
    Refusals,
    /// And nobody sees it again: `shown_once`.
    ShownOnce,
    /// What a database that is not durable has lost is applied again: `replay`.
    Replay,
    /// Two installations do not share a database: `prefix`.
    Prefix,
    /// A user counts as told only when the application has accepted the webhook: `told`.
    Told,
    /// An event stays in the queue until then: `events`.
    Events,
    /// A webhook has the same id in every try: `webhook_id`.
    WebhookId,
    /// Whoever was told and has come back since is told again: `returned`.
    Returned,
    /// Whether a user is still due is looked at again before each try: `recheck`.
    Recheck,
    /// The application is told of whoever has left: `offline`.
    Offline,
    /// And of whoever has unread messages, although a page has confirmed them: `unread`.
    Unread,
}

/// Whether `CHATPUSH_FAULT_INJECTION` names this promise.
#[cfg(feature = "fault_injection")]
pub(crate) fn breaks(promise: Promise) -> bool {
    let name = match promise {
        Promise::Fence => "fence",
        Promise::Confirm => "confirm",
        Promise::Barrier => "barrier",
        Promise::Ids => "ids",
        Promise::Identity => "identity",
        Promise::Memory => "memory",
        Promise::LastFence => "last_fence",
        Promise::By => "by",
        Promise::Receivers => "receivers",
        Promise::Mark => "mark",
        Promise::MarkOnce => "mark_once",
        Promise::Refusals => "refusals",
        Promise::ShownOnce => "shown_once",
        Promise::Replay => "replay",
        Promise::Prefix => "prefix",
        Promise::Told => "told",
        Promise::Events => "events",
        Promise::WebhookId => "webhook_id",
        Promise::Returned => "returned",
        Promise::Recheck => "recheck",
        Promise::Offline => "offline",
        Promise::Unread => "unread",
    };
    std::env::var("CHATPUSH_FAULT_INJECTION").is_ok_and(|broken| broken == name)
}

/// Always `false` in a normal build.
#[cfg(not(feature = "fault_injection"))]
pub(crate) const fn breaks(_promise: Promise) -> bool {
    false
}
