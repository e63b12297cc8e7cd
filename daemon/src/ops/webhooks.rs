//! `chatpushd webhook`: lists, retries and drops webhooks that were not accepted yet.

use std::process::ExitCode;

use serde_json::json;

use crate::base::clock;
use crate::cli::{WebhookCommand, WebhookSelection};
use crate::config::Config;
use crate::store::Store;
use crate::store::notified::Candidate;
use crate::webhook;

/// Most webhooks that are listed or changed by one command.
const MOST: u32 = 100_000;

/// Runs the command and prints a line for each webhook.
///
/// # Errors
///
/// When nobody is told by webhook, or MySQL cannot be reached.
pub async fn perform(config: &Config, command: WebhookCommand) -> anyhow::Result<ExitCode> {
    let (Some(mysql), true) = (&config.mysql, config.webhook.is_some()) else {
        anyhow::bail!("nobody is told by webhook: set webhook.url");
    };
    let store = Store::new(mysql, &config.prefix);
    let now = clock::unix_milliseconds();
    let waiting = store.undelivered(MOST).await?;
    match command {
        WebhookCommand::List { json: true } => {
            let list: Vec<_> = waiting.iter().map(as_json).collect();
            println!("{}", serde_json::to_string_pretty(&list)?);
            Ok(ExitCode::SUCCESS)
        }
        WebhookCommand::List { json: false } => {
            for webhook in &waiting {
                println!("{}", described(webhook, now));
            }
            eprintln!("{} waiting", waiting.len());
            Ok(ExitCode::SUCCESS)
        }
        WebhookCommand::Retry(selection) => {
            let chosen = chosen(&waiting, &selection);
            for webhook in &chosen {
                store.offer_now(webhook, now).await?;
                println!("retried {}", described(webhook, now));
            }
            Ok(outcome(&selection, chosen.len()))
        }
        WebhookCommand::Drop(selection) => {
            let chosen = chosen(&waiting, &selection);
            for webhook in &chosen {
                store.mark_leased_told(&webhook.user, webhook.at, now).await?;
                println!("dropped {}", described(webhook, now));
            }
            Ok(outcome(&selection, chosen.len()))
        }
    }
}

fn chosen<'a>(waiting: &'a [Candidate], selection: &WebhookSelection) -> Vec<&'a Candidate> {
    let is_chosen = |webhook: &&Candidate| selection.all || selection.ids.contains(&id(webhook));
    waiting.iter().filter(is_chosen).collect()
}

/// Fails if one of the named webhooks does not wait.
fn outcome(selection: &WebhookSelection, found: usize) -> ExitCode {
    if selection.all || found == selection.ids.len() {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "{} of {} are not waiting; see `chatpushd webhook list`",
        selection.ids.len() - found,
        selection.ids.len()
    );
    ExitCode::FAILURE
}

fn id(webhook: &Candidate) -> String {
    webhook::id(&webhook.user, webhook.due_at)
}

/// One line: its id, the user, how often it was tried, and when it is tried next.
fn described(webhook: &Candidate, now: u64) -> String {
    let Candidate { user, at, due_at, tries, .. } = webhook;
    let age = now.saturating_sub(*due_at) / 1_000;
    let next = match at.saturating_sub(now) / 1_000 {
        0 => "now".to_owned(),
        seconds => format!("in {seconds} s"),
    };
    format!(
        "{}  message.waiting of user {user}, due for {age} s, tried {tries} times, next {next}",
        id(webhook)
    )
}

fn as_json(webhook: &Candidate) -> serde_json::Value {
    let Candidate { user, at, due_at, tries, .. } = webhook;
    json!({
        "id": id(webhook), "event": "message.waiting", "user_id": user,
        "due_at": due_at, "tries": tries, "next_at": at,
    })
}
