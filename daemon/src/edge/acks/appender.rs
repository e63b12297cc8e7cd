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

/// Appends what waits to the log. What has to be tried again stays in `waiting`.
async fn append_all(services: &Services, waiting: &mut Vec<Waiting>) -> Result<(), BrokerError> {
    let Services { commands, prefix, .. } = services;
    let mut pipeline = redis::pipe();
    for entry in &*waiting {
        let (receiver, fields) = entry.fields();
        log::append(&mut pipeline, prefix, receiver, &fields);
    }
    let result = match commands.send_each(&mut pipeline).await {
        Ok(results) => keep_failed(waiting, results),
        Err(error) => Err(error),
    };
    let result = match result {
        Err(error) if error.is_refusal() => {
            let calls = waiting.iter().map(async |entry| {
                let (receiver, fields) = entry.fields();
                log::append_beyond_maxmemory(commands, prefix, receiver, &fields).await
            });
            let results = join_all(calls).await;
            keep_failed(waiting, results)
        }
        other => other,
    };
    if result.is_err() {
        waiting.retain(Waiting::is_repeatable);
    }
    result
}

/// Removes the entries that were appended. Returns an error of those that are left.
fn keep_failed(
    waiting: &mut Vec<Waiting>,
    results: Vec<Result<String, BrokerError>>,
) -> Result<(), BrokerError> {
    let mut failed = Ok(());
    for (entry, result) in std::mem::take(waiting).into_iter().zip(results) {
        match result {
            Ok(id) => entry.appended(&id),
            Err(error) => {
                waiting.push(entry);
                failed = Err(error);
            }
        }
    }
    failed
}
