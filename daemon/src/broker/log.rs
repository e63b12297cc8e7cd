//! The log in Redis: reading, appending, trimming what MySQL holds, repairing.

use std::collections::HashMap;

use chatpush_wire::entry::{self, Entry};
use chatpush_wire::id::{UserId, UserIdType};
use chatpush_wire::key::Prefix;
use chatpush_wire::limit::CHOSEN_SEEN_TTL;
use chatpush_wire::new_entry::Fields;
use chatpush_wire::partition::Partition;
use redis::{FromRedisValue as _, Pipeline, RedisError, RedisResult, Value};

use super::commands::ConnectionNumber;
use super::{BrokerError, Commands, scripts};
use crate::log::position::Position;
use crate::log::receivers::EntryHead;

/// Most entries that one call looks at for their receivers. It takes Redis about a millisecond.
const HEADS_PER_READ: usize = 256;

/// Bytes after which such a call looks at no more entries.
const BYTES_PER_READ: usize = 512 * 1024;

/// A part of a log: who is named by its entries.
#[derive(Debug)]
pub(crate) struct LogSlice {
    /// In the order of the log.
    pub(crate) entries: Vec<EntryHead>,
    /// Whether more entries may follow now.
    pub(crate) has_more: bool,
    /// Which connection it was read over.
    pub(crate) connection: ConnectionNumber,
}

/// Reads who is named by the entries after `after`, without their contents: one slice, so that Redis stays
/// free for others.
pub(crate) async fn receivers(
    commands: &Commands,
    (prefix, ids): (&Prefix, UserIdType),
    partition: Partition,
    after: Position,
) -> Result<LogSlice, BrokerError> {
    let mut call = scripts::RECEIVERS.key(prefix.log(partition));
    call.arg(after.to_string()).arg(HEADS_PER_READ).arg(BYTES_PER_READ);
    let (answer, connection) = commands.invoke_numbered(&call).await?;
    let (has_more, heads): (bool, Vec<Vec<String>>) = answer;
    let entries = heads.into_iter().filter_map(|head| {
        let mut texts = head.into_iter();
        let position = texts.next()?.parse().ok()?;
        let fields: Vec<_> = std::iter::from_fn(|| Some((texts.next()?, texts.next()?))).collect();
        let kind = entry::kind(&fields);
        Some(EntryHead { position, receivers: entry::receivers(&fields, ids).ok(), kind })
    });
    Ok(LogSlice { entries: entries.collect(), has_more, connection })
}

/// The id of the last entry that was appended to a partition's log, even if it was trimmed since.
pub(crate) async fn last(
    commands: &Commands,
    prefix: &Prefix,
    partition: Partition,
) -> Result<Position, BrokerError> {
    Ok(last_of_each(commands, prefix, [partition]).await?.into_iter().next().unwrap_or_default())
}

/// As [`last`], of each of these partitions in order, in one round trip.
pub(crate) async fn last_of_each(
    commands: &Commands,
    prefix: &Prefix,
    partitions: impl IntoIterator<Item = Partition>,
) -> Result<Vec<Position>, BrokerError> {
    // XREVRANGE finds nothing in a log that was trimmed to its end, XINFO still has the last id. If the key
    // does not exist, XINFO answers an error; EXISTS distinguishes it from other errors.
    let mut pipeline = redis::pipe();
    pipeline.ignore_errors();
    for key in partitions.into_iter().map(|partition| prefix.log(partition)) {
        pipeline.cmd("EXISTS").arg(&key).cmd("XINFO").arg("STREAM").arg(&key);
    }
    let answers: Vec<RedisResult<Value>> = commands.send(&pipeline).await?;
    let mut answers = answers.into_iter();
    let mut ids = Vec::with_capacity(answers.len() / 2);
    while let (Some(exists), Some(info)) = (answers.next(), answers.next()) {
        ids.push(if bool::from_redis_value(exists?).map_err(RedisError::from)? {
            last_generated_id(info?)?
        } else {
            Position::default()
        });
    }
    Ok(ids)
}

/// The last id in the answer to XINFO STREAM.
fn last_generated_id(info: Value) -> Result<Position, BrokerError> {
    let mut info = HashMap::<String, Value>::from_redis_value(info).map_err(RedisError::from)?;
    let last = info.remove("last-generated-id").and_then(|id| String::from_redis_value(id).ok());
    Ok(last.and_then(|id| id.parse().ok()).unwrap_or_default())
}

/// Repairs each log that ends before the position in MySQL, because Redis lost its last entries or its clock
/// went back: new entries would get ids that count as applied. XSETID makes the next id follow the position
/// (Redis manual, "XSETID"). Returns whether a log was repaired.
pub(crate) async fn repair(
    commands: &Commands,
    prefix: &Prefix,
    positions: &[(Partition, Position)],
) -> Result<bool, BrokerError> {
    let partitions = positions.iter().map(|(partition, _)| *partition);
    let ends = last_of_each(commands, prefix, partitions).await?;
    let mut repaired = false;
    for ((partition, applied), last) in
        positions.iter().zip(ends).filter(|((_, applied), last)| last < applied)
    {
        tracing::warn!(%partition, %last, %applied, "the log ends before MySQL's position, moving its next id");
        let mut call = scripts::REPAIR.key(prefix.log(*partition));
        commands.invoke::<()>(call.arg(applied.to_string())).await?;
        repaired = true;
    }
    Ok(repaired)
}

/// Adds the command that appends these fields to the log of `receiver` to a pipeline. It returns the entry's
/// id.
pub(crate) fn append(pipeline: &mut Pipeline, prefix: &Prefix, receiver: &UserId, fields: &Fields<'_>) {
    pipeline.cmd("XADD").arg(prefix.log(Partition::of(receiver))).arg("*");
    for (field, value) in fields {
        pipeline.arg(*field).arg(value.as_ref());
    }
}

/// As [`append`], to a Redis at `maxmemory`, which refuses that command.
pub(crate) async fn append_beyond_maxmemory(
    commands: &Commands,
    prefix: &Prefix,
    receiver: &UserId,
    fields: &Fields<'_>,
) -> Result<String, BrokerError> {
    let mut call = scripts::ACK.key(prefix.log(Partition::of(receiver)));
    for (field, value) in fields {
        call.arg(*field).arg(value.as_ref());
    }
    commands.invoke(&call).await
}

/// Puts a dead letter back into the log. Repeating it has no effect. The entry loses `reply_to`, since its
/// caller has had an answer.
pub(crate) async fn requeue(
    commands: &Commands,
    (prefix, ids): (&Prefix, UserIdType),
    partition: Partition,
    number: u64,
    fields: &[(String, String)],
) -> Result<(), BrokerError> {
    let requeued = prefix.requeued(partition, number);
    let seen = match Entry::decode(fields, ids) {
        Ok(Entry::Message { id, receiver, .. }) => prefix.seen(&receiver, &id),
        _ => requeued.clone(),
    };
    let mut call = scripts::REQUEUE.key(prefix.log(partition));
    call.key(requeued).key(seen).arg(CHOSEN_SEEN_TTL.as_millis());
    for (field, value) in entry::without_reply_to(fields) {
        call.arg(field).arg(value);
    }
    commands.invoke(&call).await
}

/// Adds the command that trims a log up to and including `applied` to a pipeline.
pub(crate) fn trim(pipeline: &mut Pipeline, prefix: &Prefix, partition: Partition, applied: Position) {
    pipeline.cmd("XTRIM").arg(prefix.log(partition)).arg("MINID").arg(applied.next().to_string()).ignore();
}
