//! The installation record of a cluster, which one master has: it is read from there, and kept for all of them.

use std::time::Instant;

use chatpush_wire::address::Endpoint;
use chatpush_wire::installation::Installation;

use super::super::command;
use super::super::connection::Connection;
use super::super::error::LinkError;
use super::super::installation::{self, KNOWN, Needs};
use super::topology::asked_node;
use super::{Cluster, Failed};
use crate::settings::Settings;

impl Cluster {
    /// Whether the record that is known says that the installation serves.
    pub(super) fn serves(&self, needs: Needs<'_>) -> bool {
        let known = self.installation.as_ref().filter(|(prefix, ..)| prefix == needs.prefix);
        known.is_some_and(|(_, record, _)| needs.are_met(record).is_ok())
    }

    /// Whether the record was not read for a while.
    pub(super) fn record_is_old(&self) -> bool {
        self.installation.as_ref().is_some_and(|(.., read)| read.elapsed() >= KNOWN)
    }

    /// Reads the record, and makes sure that the installation serves. `master`: of the record's slot.
    pub(super) fn read_record(
        &mut self,
        master: &Endpoint,
        settings: &Settings,
        needs: Needs<'_>,
        deadline: Instant,
    ) -> Result<(), Failed> {
        let failed = |cause| Failed { endpoint: Some(master.clone()), sent: false, cause };
        let record = match self.read_at(master, false, settings, needs, deadline) {
            Err(LinkError::Redis(error)) => match asked_node(&error, master) {
                Some(node) => self.read_at(&node, true, settings, needs, deadline),
                None => Err(error.into()),
            },
            read => read,
        };
        if let Some(record) = record.map_err(failed)? {
            self.installation = Some((needs.prefix.clone(), record, Instant::now()));
        }
        Ok(())
    }

    /// Reads the record again, for the next call. That it cannot be read hinders nobody.
    pub(super) fn read_record_again(
        &mut self,
        master: &Endpoint,
        settings: &Settings,
        needs: Needs<'_>,
        deadline: Instant,
    ) {
        let share = deadline.saturating_duration_since(Instant::now()) / 2;
        let until = Instant::now() + share.min(settings.connect_timeout);
        let is_known = match self.read_record(master, settings, needs, until) {
            Ok(()) => return,
            Err(Failed { cause: LinkError::Installation(_), .. }) => false,
            Err(failed) => {
                self.known.take_hint(&failed);
                true
            }
        };
        self.installation = self.installation.take().filter(|_| is_known);
        if let Some((.., read)) = &mut self.installation {
            *read = Instant::now();
        }
    }

    fn read_at(
        &mut self,
        endpoint: &Endpoint,
        asking: bool,
        settings: &Settings,
        needs: Needs<'_>,
        deadline: Instant,
    ) -> Result<Option<Installation>, LinkError> {
        let mut connection = self.masters.take(endpoint, settings, deadline)?;
        let read = if asking { ask(&mut connection, deadline) } else { Ok(()) };
        let read = read.and_then(|()| installation::read_for(&mut connection, needs, deadline));
        let is_in_order = match &read {
            Ok(_) | Err(LinkError::Installation(_)) => true,
            Err(LinkError::Redis(error)) => error.is_of_slot(),
            Err(_) => false,
        };
        if is_in_order {
            self.masters.keep(connection);
        }
        read
    }
}

/// The next command is for a slot that moves here.
fn ask(connection: &mut Connection, deadline: Instant) -> Result<(), LinkError> {
    let mut commands = Vec::new();
    command(&mut commands, &[b"ASKING"]);
    connection.send(&commands, deadline)?;
    connection.receive(deadline)?.into_result().map(drop)
}
