//! `chatpushd dead`: lists, retries and drops dead letters, the log entries that MySQL refused.

use std::process::ExitCode;

use anyhow::Context as _;
use chatpush_wire::entry::{self, Entry};
use chatpush_wire::id::UserIdType;
use chatpush_wire::installation::Installation;
use serde_json::{Value, json};

use crate::base::output;
use crate::broker::{Commands, log};
use crate::cli::{DeadLetterCommand, DeadLetterSelection};
use crate::config::Config;
use crate::store::Store;
use crate::store::dead_letters::DeadLetter;

/// Runs the command and prints a line for each dead letter.
///
/// # Errors
///
/// When Redis or MySQL cannot be reached.
pub async fn perform(config: &Config, command: DeadLetterCommand) -> anyhow::Result<ExitCode> {
    let Some(mysql) = &config.mysql else {
        anyhow::bail!("nothing is stored (storage = \"none\"), so there are no dead letters");
    };
    let store = Store::new(mysql, &config.prefix);
    match command {
        DeadLetterCommand::List { json: true } => {
            let entries = store.dead_letters(None).await?;
            let list: Vec<_> = entries.iter().map(|entry| as_json(entry, config.user_id_type)).collect();
            output::line(serde_json::to_string(&list)?);
            Ok(ExitCode::SUCCESS)
        }
        DeadLetterCommand::List { json: false } => {
            let entries = store.dead_letters(None).await?;
            for entry in &entries {
                output::line(described(entry, config.user_id_type));
            }
            output::error_line(format_args!("{} refused", entries.len()));
            Ok(ExitCode::SUCCESS)
        }
        DeadLetterCommand::Drop(selection) => {
            let entries = chosen(&store, &selection).await?;
            for entry in &entries {
                store.delete_dead_letter(entry.number).await?;
                output::line(format_args!("dropped {}", described(entry, config.user_id_type)));
            }
            Ok(outcome(&selection, entries.len()))
        }
        DeadLetterCommand::Retry(selection) => {
            let commands = Commands::new(config.redis.clone(), &config.prefix);
            // No daemon may have done so yet.
            log::repair(&commands, &config.prefix, &store.positions().await?).await?;
            let entries = chosen(&store, &selection).await?;
            let record = commands.installation(&config.prefix).await?;
            let record = record.map(|record| Installation::decode(&record)).transpose()?;
            let generation = record.map_or(entry::OLDEST_GENERATION, |record| record.entries);
            for entry in &entries {
                let read = Entry::decode(&entry.fields, config.user_id_type);
                anyhow::ensure!(
                    read.map_or(0, |read| read.generation()) <= generation,
                    "{} cannot be retried yet: a chatpushd of an older version is running, which cannot read it",
                    entry.number
                );
                let partition =
                    entry.partition.with_context(|| format!("{} belongs to no partition", entry.number))?;
                // The script remembers the number: if the process dies before the next line, repeating the
                // retry does not store the message twice.
                log::requeue(
                    &commands,
                    (&config.prefix, config.user_id_type),
                    partition,
                    entry.number,
                    &entry.fields,
                )
                .await?;
                store.delete_dead_letter(entry.number).await?;
                output::line(format_args!("retried {}", described(entry, config.user_id_type)));
            }
            Ok(outcome(&selection, entries.len()))
        }
    }
}

async fn chosen(store: &Store, selection: &DeadLetterSelection) -> anyhow::Result<Vec<DeadLetter>> {
    Ok(store.dead_letters((!selection.all).then_some(selection.numbers.as_slice())).await?)
}

/// Fails if one of the named dead letters does not exist.
fn outcome(selection: &DeadLetterSelection, found: usize) -> ExitCode {
    if selection.all || found == selection.numbers.len() {
        return ExitCode::SUCCESS;
    }
    output::error_line(format_args!(
        "{} of {} numbers do not exist; see `chatpushd dead list`",
        selection.numbers.len() - found,
        selection.numbers.len()
    ));
    ExitCode::FAILURE
}

/// One line for one dead letter, without the message's content.
fn described(entry: &DeadLetter, ids: UserIdType) -> String {
    let what = match Entry::decode(&entry.fields, ids) {
        Ok(Entry::Message { id, sender, receiver, content, .. }) => {
            format!("message {id} from {sender} to {receiver}, {} bytes", content.len())
        }
        Ok(other) => {
            let receivers = entry::receivers(&entry.fields, ids).unwrap_or_default();
            let receivers: Vec<_> = receivers.iter().map(ToString::to_string).collect();
            format!("{} of {}", entry_kind(&other), receivers.join(", "))
        }
        Err(error) => error.to_string(),
    };
    format!("{}  {}  {what}: {}", entry.number, entry.died_at, entry.error)
}

/// The same as an object.
pub(super) fn as_json(entry: &DeadLetter, ids: UserIdType) -> Value {
    let decoded = Entry::decode(&entry.fields, ids);
    let kind = decoded.as_ref().map_or("unreadable", entry_kind);
    let (receivers, id) = match entry::message(&entry.fields, ids) {
        Some((receivers, id)) => (receivers, Some(id)),
        None => (entry::receivers(&entry.fields, ids).unwrap_or_default(), None),
    };
    json!({
        "number": entry.number, "time": entry.died_at, "kind": kind, "user_ids": receivers, "message_id": id,
        "error": entry.error,
    })
}

const fn entry_kind(entry: &Entry) -> &'static str {
    match entry {
        Entry::Message { .. } | Entry::MessageToMany { .. } => "message",
        Entry::ClientAck { .. } => "client ack",
        Entry::AppDelete { .. } => "application delete",
        Entry::Clear { .. } => "clear",
        Entry::Duplicate { .. } | Entry::DuplicateToMany { .. } => "duplicate",
        Entry::Recall { .. } => "recall",
        Entry::Forget { .. } => "forget",
    }
}
