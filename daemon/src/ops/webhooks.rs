//! `chatpushd webhook`: lists, retries and drops webhooks that were not accepted yet, and sends one for a test.

mod trial;

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::base::clock;
use crate::base::output;
use crate::cli::{WebhookCommand, WebhookSelection};
use crate::config::{Config, Event};
use crate::store::notified::Undelivered;
use crate::store::webhook_events::QueuedEvent;
use crate::store::{Store, StoreError};
use crate::webhook;

/// Most webhooks of each kind that are listed or changed by one command.
const MOST: u32 = 100_000;

/// Most webhooks that are changed by one statement.
const CHANGED: usize = 1_000;

/// A webhook that waits.
#[derive(Debug)]
pub(super) enum Waiting {
    /// Somebody is to be told that messages wait.
    Due(Undelivered),
    /// Something has happened.
    Queued(QueuedEvent),
}

/// What waits, as a command has read it.
#[derive(Debug)]
struct Found {
    store: Store,
    /// By MySQL's clock, as all times of what waits.
    now: u64,
    waiting: Vec<Waiting>,
}

/// Runs the command and prints a line for each webhook.
///
/// # Errors
///
/// When nobody is told by webhook, or MySQL cannot be reached.
pub async fn perform(config: &Config, command: WebhookCommand) -> anyhow::Result<ExitCode> {
    let Some(webhook) = &config.webhook else {
        anyhow::bail!("nobody is told by webhook: set webhook.url");
    };
    match command {
        WebhookCommand::Test => trial::perform(config, webhook).await,
        WebhookCommand::List { json } => Found::read(config).await?.list(json),
        WebhookCommand::Retry(selection) => Found::read(config).await?.retry(&selection).await,
        WebhookCommand::Drop(selection) => Found::read(config).await?.drop(&selection).await,
    }
}

impl Found {
    async fn read(config: &Config) -> anyhow::Result<Self> {
        let mysql = config.mysql.as_ref().context("nothing is stored")?;
        let store = Store::new(mysql, &config.prefix);
        let now = store.now().await?;
        let waiting = waiting(config, &store, MOST).await?;
        Ok(Self { store, now, waiting })
    }

    fn list(&self, json: bool) -> anyhow::Result<ExitCode> {
        if json {
            let list: Vec<_> = self.waiting.iter().map(as_json).collect();
            output::line(serde_json::to_string_pretty(&list)?);
        } else {
            for webhook in &self.waiting {
                output::line(described(webhook, self.now, Some(&next(webhook, self.now))));
            }
            output::error_line(format_args!("{} waiting", self.waiting.len()));
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn retry(&self, selection: &WebhookSelection) -> anyhow::Result<ExitCode> {
        let Self { store, now, waiting } = self;
        let chosen = chosen(waiting, selection);
        let mut retried = Vec::new();
        let mut leased = 0;
        for webhook in &chosen {
            let Some(until) = leased_until(webhook, *now) else {
                retried.push(*webhook);
                continue;
            };
            leased += 1;
            output::error_line(format_args!(
                "{} is leased until {}, by a job of PHP or a request under way; not retried",
                id(webhook),
                clock::rfc3339(until)
            ));
        }
        retry(store, &retried, *now).await?;
        for webhook in &retried {
            output::line(format_args!("retried {}", described(webhook, *now, Some("next now"))));
        }
        let outcome = outcome(selection, chosen.len());
        Ok(if leased == 0 { outcome } else { ExitCode::FAILURE })
    }

    async fn drop(&self, selection: &WebhookSelection) -> anyhow::Result<ExitCode> {
        let Self { store, now, waiting } = self;
        let chosen = chosen(waiting, selection);
        give_up(store, &chosen, *now).await?;
        for webhook in &chosen {
            output::line(format_args!("dropped {}", described(webhook, *now, None)));
        }
        Ok(outcome(selection, chosen.len()))
    }
}

/// Those that wait, at most so many of each kind; none if there are no webhooks.
pub(super) async fn waiting(config: &Config, store: &Store, most: u32) -> Result<Vec<Waiting>, StoreError> {
    let mut waiting = Vec::new();
    let Some(webhook) = &config.webhook else { return Ok(waiting) };
    if config.notify.is_some() && webhook.events.has(Event::Waiting) {
        let now = store.now().await?;
        waiting.extend(store.undelivered(now, most).await?.into_iter().map(Waiting::Due));
    }
    if webhook.events.are_queued() {
        waiting.extend(store.waiting_events(most).await?.into_iter().map(Waiting::Queued));
    }
    Ok(waiting)
}

async fn retry(store: &Store, chosen: &[&Waiting], now: u64) -> Result<(), StoreError> {
    for users in due(chosen).chunks(CHANGED) {
        store.offer_now(users, now).await?;
    }
    for events in queued(chosen).chunks(CHANGED) {
        let rows: Vec<_> = events.iter().map(|event| event.row).collect();
        store.offer_events_now(&rows).await?;
    }
    Ok(())
}

async fn give_up(store: &Store, chosen: &[&Waiting], now: u64) -> Result<(), StoreError> {
    for user in due(chosen) {
        store.mark_leased_told(&[(&user.user, user.at)], now).await?;
    }
    for events in queued(chosen).chunks(CHANGED) {
        store.drop_events(events).await?;
    }
    Ok(())
}

fn due<'a>(chosen: &[&'a Waiting]) -> Vec<&'a Undelivered> {
    let due = chosen.iter().filter_map(|webhook| match webhook {
        Waiting::Due(user) => Some(user),
        Waiting::Queued(_) => None,
    });
    due.collect()
}

fn queued<'a>(chosen: &[&'a Waiting]) -> Vec<&'a QueuedEvent> {
    let queued = chosen.iter().filter_map(|webhook| match webhook {
        Waiting::Due(_) => None,
        Waiting::Queued(event) => Some(event),
    });
    queued.collect()
}

/// When the lease of a webhook ends, if somebody is about to tell.
fn leased_until(webhook: &Waiting, now: u64) -> Option<u64> {
    let (is_leased, at) = match webhook {
        Waiting::Due(Undelivered { is_leased, at, .. }) => (is_leased, at),
        Waiting::Queued(QueuedEvent { has_lease, offer_at, .. }) => (has_lease, offer_at),
    };
    (*is_leased && *at > now).then_some(*at)
}

fn chosen<'a>(waiting: &'a [Waiting], selection: &WebhookSelection) -> Vec<&'a Waiting> {
    let is_chosen = |webhook: &&Waiting| selection.all || selection.ids.contains(&id(webhook));
    waiting.iter().filter(is_chosen).collect()
}

/// Fails if one of the named webhooks does not wait.
fn outcome(selection: &WebhookSelection, found: usize) -> ExitCode {
    if selection.all || found == selection.ids.len() {
        return ExitCode::SUCCESS;
    }
    output::error_line(format_args!(
        "{} of {} are not waiting; see `chatpushd webhook list`",
        selection.ids.len() - found,
        selection.ids.len()
    ));
    ExitCode::FAILURE
}

fn id(waiting: &Waiting) -> String {
    match waiting {
        Waiting::Due(user) => webhook::waiting_id(&user.user, user.due_at),
        Waiting::Queued(event) => webhook::queued_id(event),
    }
}

/// When it is tried next.
fn next(waiting: &Waiting, now: u64) -> String {
    let at = match waiting {
        Waiting::Due(user) => user.at,
        Waiting::Queued(event) => event.offer_at,
    };
    match at.saturating_sub(now) / 1_000 {
        0 => "next now".to_owned(),
        seconds if leased_until(waiting, now).is_some() => format!("leased for {seconds} s"),
        seconds => format!("next in {seconds} s"),
    }
}

/// One line: its id, the user, how often it was tried, what comes next, and why it was not accepted.
fn described(waiting: &Waiting, now: u64, next: Option<&str>) -> String {
    let (what, tries, error) = match waiting {
        Waiting::Due(Undelivered { user, due_at, tries, error, .. }) => {
            let age = now.saturating_sub(*due_at) / 1_000;
            (format!("{} of user {user}, due for {age} s", Event::Waiting.name()), tries, error)
        }
        Waiting::Queued(QueuedEvent { event, user, message, time, tries, error, .. }) => {
            let age = now.saturating_sub(*time) / 1_000;
            let message = message.as_ref().map_or_else(String::new, |(_, id)| format!(", message {id}"));
            (format!("{} of user {user}{message}, {age} s ago", event.name()), tries, error)
        }
    };
    let next = next.map_or_else(String::new, |next| format!(", {next}"));
    let error = error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
    format!("{}  {what}, tried {tries} times{next}{error}", id(waiting))
}

pub(super) fn as_json(waiting: &Waiting) -> Value {
    match waiting {
        Waiting::Due(Undelivered { user, at, due_at, tries, is_leased, error }) => json!({
            "id": id(waiting), "event": Event::Waiting.name(), "user_id": user,
            "due_at": due_at, "tries": tries, "next_at": at, "leased": is_leased, "error": error,
        }),
        Waiting::Queued(QueuedEvent {
            event,
            user,
            message,
            time,
            offer_at,
            tries,
            has_lease,
            error,
            ..
        }) => json!({
            "id": id(waiting), "event": event.name(), "user_id": user, "time": time,
            "message_id": message.as_ref().map(|(_, id)| id), "tries": tries, "next_at": offer_at, "leased": has_lease,
            "error": error,
        }),
    }
}
