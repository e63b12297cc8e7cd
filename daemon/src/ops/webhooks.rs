//! `chatpushd webhook`: lists, retries and drops webhooks that were not accepted yet.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::base::clock;
use crate::base::output;
use crate::cli::{WebhookCommand, WebhookSelection};
use crate::config::{Config, Event};
use crate::store::notified::Candidate;
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
    Due(Candidate),
    /// Something has happened.
    Queued(QueuedEvent),
}

/// Runs the command and prints a line for each webhook.
///
/// # Errors
///
/// When nobody is told by webhook, or MySQL cannot be reached.
pub async fn perform(config: &Config, command: WebhookCommand) -> anyhow::Result<ExitCode> {
    let (Some(mysql), Some(_)) = (&config.mysql, &config.webhook) else {
        anyhow::bail!("nobody is told by webhook: set webhook.url");
    };
    let store = Store::new(mysql, &config.prefix);
    let now = clock::unix_milliseconds();
    let waiting = waiting(config, &store, MOST).await?;
    match command {
        WebhookCommand::List { json: true } => {
            let list: Vec<_> = waiting.iter().map(as_json).collect();
            output::line(serde_json::to_string_pretty(&list)?);
            Ok(ExitCode::SUCCESS)
        }
        WebhookCommand::List { json: false } => {
            for webhook in &waiting {
                output::line(described(webhook, now));
            }
            output::error_line(format_args!("{} waiting", waiting.len()));
            Ok(ExitCode::SUCCESS)
        }
        WebhookCommand::Retry(selection) => {
            let chosen = chosen(&waiting, &selection);
            retry(&store, &chosen, now).await?;
            for webhook in &chosen {
                output::line(format_args!("retried {}", described(webhook, now)));
            }
            Ok(outcome(&selection, chosen.len()))
        }
        WebhookCommand::Drop(selection) => {
            let chosen = chosen(&waiting, &selection);
            give_up(&store, &chosen, now).await?;
            for webhook in &chosen {
                output::line(format_args!("dropped {}", described(webhook, now)));
            }
            Ok(outcome(&selection, chosen.len()))
        }
    }
}

/// Those that wait, at most so many of each kind; none if there are no webhooks.
pub(super) async fn waiting(config: &Config, store: &Store, most: u32) -> Result<Vec<Waiting>, StoreError> {
    let mut waiting = Vec::new();
    let Some(webhook) = &config.webhook else { return Ok(waiting) };
    if config.notify.is_some() && webhook.events.has(Event::Waiting) {
        waiting.extend(store.undelivered(most).await?.into_iter().map(Waiting::Due));
    }
    if webhook.events.are_queued() {
        waiting.extend(store.waiting_events(most).await?.into_iter().map(Waiting::Queued));
    }
    Ok(waiting)
}

async fn retry(store: &Store, chosen: &[&Waiting], now: u64) -> Result<(), StoreError> {
    for candidate in due(chosen) {
        store.offer_now(candidate, now).await?;
    }
    for rows in queued(chosen).chunks(CHANGED) {
        store.offer_events_now(rows).await?;
    }
    Ok(())
}

async fn give_up(store: &Store, chosen: &[&Waiting], now: u64) -> Result<(), StoreError> {
    for candidate in due(chosen) {
        store.mark_leased_told(&[(&candidate.user, candidate.at)], now).await?;
    }
    for rows in queued(chosen).chunks(CHANGED) {
        store.drop_events(rows).await?;
    }
    Ok(())
}

fn due<'a>(chosen: &'a [&'a Waiting]) -> impl Iterator<Item = &'a Candidate> {
    chosen.iter().filter_map(|webhook| match webhook {
        Waiting::Due(candidate) => Some(candidate),
        Waiting::Queued(_) => None,
    })
}

/// The rows of events.
fn queued(chosen: &[&Waiting]) -> Vec<u64> {
    let rows = chosen.iter().filter_map(|webhook| match webhook {
        Waiting::Due(_) => None,
        Waiting::Queued(event) => Some(event.row),
    });
    rows.collect()
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
        Waiting::Due(candidate) => webhook::waiting_id(&candidate.user, candidate.due_at),
        Waiting::Queued(event) => webhook::queued_id(event),
    }
}

/// One line: its id, the user, how often it was tried, and when it is tried next.
fn described(waiting: &Waiting, now: u64) -> String {
    let (what, tries, at) = match waiting {
        Waiting::Due(Candidate { user, at, due_at, tries, .. }) => {
            let age = now.saturating_sub(*due_at) / 1_000;
            (format!("{} of user {user}, due for {age} s", Event::Waiting.name()), tries, at)
        }
        Waiting::Queued(QueuedEvent { event, user, message, time, offer_at, tries, .. }) => {
            let age = now.saturating_sub(*time) / 1_000;
            let message = message.as_ref().map_or_else(String::new, |(_, id)| format!(", message {id}"));
            (format!("{} of user {user}{message}, {age} s ago", event.name()), tries, offer_at)
        }
    };
    let next = match at.saturating_sub(now) / 1_000 {
        0 => "now".to_owned(),
        seconds => format!("in {seconds} s"),
    };
    format!("{}  {what}, tried {tries} times, next {next}", id(waiting))
}

pub(super) fn as_json(waiting: &Waiting) -> Value {
    match waiting {
        Waiting::Due(Candidate { user, at, due_at, tries, .. }) => json!({
            "id": id(waiting), "event": Event::Waiting.name(), "user_id": user,
            "due_at": due_at, "tries": tries, "next_at": at,
        }),
        Waiting::Queued(QueuedEvent { event, user, message, time, offer_at, tries, .. }) => json!({
            "id": id(waiting), "event": event.name(), "user_id": user, "time": time,
            "message_id": message.as_ref().map(|(_, id)| id), "tries": tries, "next_at": offer_at,
        }),
    }
}
