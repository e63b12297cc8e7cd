//! Appends clients' entries to the log, and again until Redis has them.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::mpsc;

use super::waiting::Waiting;
use crate::base::backoff::Backoff;
use crate::broker::{BrokerError, log};
use crate::services::Services;

/// Entries in one pipeline.
const PIPELINE_ENTRIES: usize = 256;

/// Appends queued acknowledgements to the log until every sender is dropped.
pub(crate) async fn run(services: Arc<Services>, mut queue: mpsc::Receiver<Waiting>) {
    let mut redis = Backoff::new("Redis (acknowledgements)");
    let mut waiting = Vec::with_capacity(PIPELINE_ENTRIES);
    while queue.recv_many(&mut waiting, PIPELINE_ENTRIES).await > 0 {
        while !waiting.is_empty() {
            if let Err(error) = append_all(&services, &mut waiting).await {
                redis.failed(&error).await;
            }
        }
        redis.recovered();
    }
}

/// Appends what waits to the log. What was not appended stays in `waiting`.
async fn append_all(services: &Services, waiting: &mut Vec<Waiting>) -> Result<(), BrokerError> {
    let Services { commands, prefix, .. } = services;
    let mut pipeline = redis::pipe();
    for entry in &*waiting {
        let (receiver, fields) = entry.fields();
        log::append(&mut pipeline, prefix, receiver, &fields);
    }
    let results = commands.send_each::<String>(&mut pipeline).await;
    let results = results.inspect_err(|_| waiting.retain(Waiting::is_repeatable))?;
    let mut refused = keep_refused(waiting, results);
    if refused.as_ref().is_some_and(BrokerError::is_refusal) {
        let results = waiting.iter().map(async |entry| {
            let (receiver, fields) = entry.fields();
            log::append_beyond_maxmemory(commands, prefix, receiver, &fields).await
        });
        let results = join_all(results).await;
        refused = keep_refused(waiting, results);
    }
    refused.map_or(Ok(()), Err)
}

/// Removes the entries that were appended, and those that may have been and must not be repeated. Returns an
/// error of those that are left.
fn keep_refused(
    waiting: &mut Vec<Waiting>,
    results: Vec<Result<String, BrokerError>>,
) -> Option<BrokerError> {
    let mut refused = None;
    let entries = std::mem::take(waiting);
    for (entry, result) in entries.into_iter().zip(results) {
        match result {
            Ok(id) => entry.appended(&id),
            Err(error) => {
                if !error.is_broken() || entry.is_repeatable() {
                    waiting.push(entry);
                }
                refused = Some(error);
            }
        }
    }
    refused
}
