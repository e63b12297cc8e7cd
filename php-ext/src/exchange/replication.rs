//! The wait for a replica, behind what was written on the same connection.
//!
//! `WAIT` counts the replicas that have acknowledged the last write of its connection (Redis manual, "WAIT"). A script that
//! finds a message accepted before has written nothing, so a mark is written first: replication is one stream, and a replica
//! that has the mark has everything before it.

use std::time::Instant;

use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;

use crate::link::{Answer, Connection, LinkError, command};

/// How long the mark stays, in milliseconds.
const MARK_TTL: &[u8] = b"60000";

/// Adds the mark and the wait to the commands. Redis answers before `until`, so that the answer can still be read.
pub(super) fn ask(prefix: &Prefix, partition: Partition, until: Instant, commands: &mut Vec<u8>) {
    let mark = prefix.replication_mark(partition);
    command(commands, &[b"SET", mark.as_bytes(), b"", b"PX", MARK_TTL]);
    let left = until.saturating_duration_since(Instant::now());
    // 0 would wait for ever.
    let wait = (left.mul_f64(0.9).as_millis().max(1)).to_string();
    command(commands, &[b"WAIT", b"1", wait.as_bytes()]);
}

/// Receives the answers to both. The connection is blocked until then.
///
/// # Errors
///
/// [`LinkError::Unanswered`] if no replica has it in time, [`LinkError::Replication`] if Redis refuses to wait.
pub(super) fn receive(connection: &mut Connection, deadline: Instant) -> Result<(), LinkError> {
    let refused = |error| match error {
        LinkError::Redis(error) => LinkError::Replication(error),
        other => other,
    };
    let marked = connection.receive(deadline)?.into_result();
    let replicas = connection.receive(deadline)?;
    connection.set_blocked(false);
    marked.map_err(refused)?;
    match Answer::into_number(replicas).map_err(refused)? {
        0 => Err(LinkError::Unanswered(None)),
        _ => Ok(()),
    }
}
