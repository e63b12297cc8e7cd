//! `chatpushd dead`: what to do with entries that MySQL refused.

use std::process::ExitCode;

use anyhow::Context as _;
use chatpush_wire::entry::Entry;
use redis::Client;

use crate::broker::{Commands, log};
use crate::cli::{Dead, Which};
use crate::config::Config;
use crate::store::Store;
use crate::store::dead_letters::DeadLetter;

/// Carries the command out and prints a line for each entry.
///
/// # Errors
///
/// When Redis or MySQL cannot be reached.
pub async fn perform(config: &Config, task: Dead) -> anyhow::Result<ExitCode> {
    let store = Store::new(&config.mysql);
    match task {
        Dead::List => {
            let entries = store.dead(None).await?;
            for entry in &entries {
                println!("{}", described(entry));
            }
            eprintln!("{} refused", entries.len());
            Ok(ExitCode::SUCCESS)
        }
        Dead::Drop(which) => {
            let entries = chosen(&store, &which).await?;
            for entry in &entries {
                store.forget_dead(entry.number).await?;
                println!("dropped {}", described(entry));
            }
            Ok(outcome(&which, entries.len()))
        }
        Dead::Retry(which) => {
            let client = Client::open(config.redis.clone()).context("CHATPUSH_REDIS_URL")?;
            let commands = Commands::new(client);
            let entries = chosen(&store, &which).await?;
            for entry in &entries {
                let partition =
                    entry.partition.with_context(|| format!("{} is of no partition", entry.number))?;
                // The script remembers the number, so that a retry which dies before the next line is not a
                // second message when it is repeated.
                log::put_back(&commands, &config.prefix, partition, entry.number, &entry.fields).await?;
                store.forget_dead(entry.number).await?;
                println!("retried {}", described(entry));
            }
            Ok(outcome(&which, entries.len()))
        }
    }
}

async fn chosen(store: &Store, which: &Which) -> anyhow::Result<Vec<DeadLetter>> {
    Ok(store.dead((!which.all).then_some(which.numbers.as_slice())).await?)
}

/// A number that is not there is a mistake of whoever typed it.
fn outcome(which: &Which, found: usize) -> ExitCode {
    if which.all || found == which.numbers.len() {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "{} of {} numbers are not there; see `chatpushd dead list`",
        which.numbers.len() - found,
        which.numbers.len()
    );
    ExitCode::FAILURE
}

/// One line for one entry. What people wrote to each other is not shown.
fn described(entry: &DeadLetter) -> String {
    let what = match Entry::decode(&entry.fields) {
        Ok(Entry::Message { id, sender, receiver, content, .. }) => {
            format!("message {id} from {sender} to {receiver}, {} bytes", content.len())
        }
        Ok(other) => format!("{} of {}", kind(&other), other.receiver()),
        Err(error) => error.to_string(),
    };
    format!("{}  {}  {what}: {}", entry.number, entry.died_at, entry.error)
}

const fn kind(entry: &Entry) -> &'static str {
    match entry {
        Entry::Message { .. } => "message",
        Entry::ClientAck { .. } => "confirmation",
        Entry::AppDelete { .. } => "acknowledgement",
        Entry::Clear { .. } => "clearing",
        Entry::Duplicate { .. } => "repetition",
    }
}
