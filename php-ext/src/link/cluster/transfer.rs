//! Sending an exchange to a master, and reading the answers.

use std::time::Instant;

use chatpush_resp::Value;
use chatpush_wire::address::Endpoint;
use chatpush_wire::partition::Partition;

use super::super::command;
use super::super::connection::Connection;
use super::super::error::LinkError;
use super::super::execute::{Exchange, send};
use super::super::redis_error::RedisError;
use super::{Cluster, Failed};
use crate::settings::Settings;

/// A master that was sent its share.
pub(super) struct Begun<'a, 'b, E> {
    pub(super) master: &'a Endpoint,
    pub(super) exchange: &'b mut E,
    /// How many partitions are asked whether they are still there.
    pub(super) checks: usize,
    /// The connection; or whether a part may have been sent, and why not all was.
    pub(super) sent: Result<Box<Connection>, (bool, LinkError)>,
}

impl Cluster {
    /// Sends an exchange. `unchecked`: the partitions of which the master would answer, if it did not have them any
    /// more, that nobody is there. It is asked for a name in each, which it refuses then.
    pub(super) fn begin<'a, 'b, E: Exchange>(
        &mut self,
        master: &'a Endpoint,
        exchange: &'b mut E,
        unchecked: &[Partition],
        settings: &Settings,
        deadline: Instant,
    ) -> Begun<'a, 'b, E> {
        let mut connection = match self.masters.take(master, settings, deadline) {
            Ok(connection) => connection,
            Err(cause) => return Begun { master, exchange, checks: 0, sent: Err((false, cause)) },
        };
        connection.set_busy_poll(settings.busy_poll);
        // The role is not asked for: a replica refuses every name.
        let mut commands = Vec::new();
        for partition in unchecked {
            // The name of a channel, under which there is no key.
            let name = settings.prefix.daemons_channel(*partition);
            command(&mut commands, &[b"GET", name.as_bytes()]);
        }
        let sent = match send(exchange, &mut connection, commands, deadline) {
            Ok(()) => Ok(connection),
            Err(cause) => Err((exchange.takes_effect_in_parts(), cause)),
        };
        Begun { master, exchange, checks: unchecked.len(), sent }
    }

    /// Reads the answers. The connection is kept if it is in order.
    pub(super) fn finish<E: Exchange>(
        &mut self,
        begun: Begun<'_, '_, E>,
        deadline: Instant,
    ) -> Result<E::Outcome, Failed> {
        let Begun { master, exchange, checks, sent } = begun;
        let failed = |sent, cause| Failed { endpoint: Some(master.clone()), sent, cause };
        let mut connection = sent.map_err(|(sent, cause)| failed(sent, cause))?;
        // The answers behind a refusal stay unread, so the connection is not kept.
        checked(&mut connection, checks, deadline).map_err(|cause| failed(true, cause))?;
        connection.swap_installation(&mut self.installation);
        let done = exchange.answers(&mut connection, deadline);
        connection.swap_installation(&mut self.installation);
        match &done {
            Ok(_) | Err(LinkError::Unanswered(Some(_))) => {
                self.known.set_works(master);
                self.masters.keep(connection);
            }
            Err(cause) if is_of_slot(cause) => {
                connection.forget_channels();
                self.masters.keep(connection);
            }
            Err(_) => {}
        }
        done.map_err(|cause| failed(true, cause))
    }
}

/// Whether the master still has the partitions that it was asked for. While their slots move, it answers `ASK`, but
/// subscribers are still there; and while the cluster is down, they stay where they are.
fn checked(connection: &mut Connection, checks: usize, deadline: Instant) -> Result<(), LinkError> {
    for _ in 0..checks {
        if let Value::Error(text) = connection.receive(deadline)?.0
            && text.starts_with("MOVED ")
        {
            return Err(RedisError::new(text).into());
        }
    }
    Ok(())
}

/// Whether the node has refused what is not there.
fn is_of_slot(cause: &LinkError) -> bool {
    match cause.of_rest() {
        LinkError::Redis(error) | LinkError::Subscription(error) => error.is_of_slot(),
        _ => false,
    }
}
