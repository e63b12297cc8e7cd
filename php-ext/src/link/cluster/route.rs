//! Finding the master of a call, and whether it is worth a try.

use std::time::Instant;

use chatpush_wire::address::{Endpoint, Nodes};
use chatpush_wire::slot::slot;

use super::super::error::LinkError;
use super::super::execute::Place;
use super::super::execute_error::ExecuteError;
use super::super::installation::Needs;
use super::tries::Tries;
use super::{Cluster, Failed};
use crate::settings::Settings;

/// Why there is no master to send to.
pub(super) enum NoMaster {
    /// It is tried again.
    Yet(Failed),
    /// A call before has failed there, which was a moment ago.
    BackedOff(ExecuteError),
}

impl From<Failed> for NoMaster {
    fn from(failed: Failed) -> Self {
        Self::Yet(failed)
    }
}

impl Cluster {
    /// Makes sure that the topology is known and that the installation serves.
    pub(super) fn prepare(
        &mut self,
        place: Place,
        needs: Option<Needs<'_>>,
        settings: &Settings,
        nodes: &Nodes,
        tries: &mut Tries,
    ) -> Result<(), NoMaster> {
        if let Some(outage) = &self.outage
            && tries.is_first
            && (!outage.publishes || matches!(place, Place::Keys(_)))
        {
            let left = outage.until.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                let error = ExecuteError::unreachable(&settings.address, &outage.cause, Some(left));
                return Err(NoMaster::BackedOff(error));
            }
            tries.is_probe = true;
        }
        let learnt = self.learn_if_due(place, settings, nodes, tries.deadline);
        learnt.map_err(|cause| Failed { endpoint: None, sent: false, cause })?;
        let Some(needs) = needs else { return Ok(()) };
        if !self.serves(needs) {
            let master = self.master(Place::Record, settings, nodes, tries)?;
            return Ok(self.read_record(&master, settings, needs, tries.deadline)?);
        }
        if self.record_is_old()
            && let Some(master) = self.named(Place::Record, settings).cloned()
            && self.masters.back_off(&master).is_none()
        {
            self.read_record_again(&master, settings, needs, tries.deadline);
        }
        Ok(())
    }

    /// A call has succeeded.
    pub(super) fn end_outage(&mut self, place: Place) {
        let has_keys = matches!(place, Place::Keys(_));
        self.outage = self.outage.take().filter(|outage| outage.publishes && !has_keys);
    }

    /// The master of a place. If calls have failed there a moment ago, this one does, too.
    pub(super) fn master(
        &mut self,
        place: Place,
        settings: &Settings,
        nodes: &Nodes,
        tries: &mut Tries,
    ) -> Result<Endpoint, NoMaster> {
        let no_master = || {
            let cause = match place {
                Place::Keys(partition) | Place::Channels(partition) | Place::Subscribers(partition) => {
                    LinkError::NoMaster(partition.slot())
                }
                Place::Record => LinkError::NoMaster(slot(settings.prefix.installation().as_bytes())),
                Place::Any => LinkError::NoSlots,
            };
            Failed { endpoint: None, sent: false, cause }
        };
        let master = self.named(place, settings).ok_or_else(no_master)?.clone();
        if !tries.is_first {
            return Ok(master);
        }
        match self.masters.back_off(&master) {
            None => return Ok(master),
            Some((cause, left)) if !left.is_zero() => {
                let error = ExecuteError::unreachable(&settings.address, cause, Some(left));
                return Err(NoMaster::BackedOff(error));
            }
            Some(_) => {}
        }
        // Another one may be the master by now.
        self.known.set_stale();
        let learnt = self.learn_if_due(place, settings, nodes, tries.deadline);
        learnt.map_err(|cause| Failed { endpoint: None, sent: false, cause })?;
        let master = self.named(place, settings).ok_or_else(no_master)?.clone();
        if self.masters.back_off(&master).is_some() {
            tries.probes.push(master.clone());
        }
        Ok(master)
    }

    /// The master that the topology names for a place.
    fn named(&self, place: Place, settings: &Settings) -> Option<&Endpoint> {
        let topology = &self.known.topology;
        match place {
            Place::Keys(partition) | Place::Channels(partition) | Place::Subscribers(partition) => {
                topology.master_of(partition)
            }
            Place::Record => topology.master(slot(settings.prefix.installation().as_bytes())),
            Place::Any => {
                let rank =
                    |master: &&Endpoint| (self.known.has_failed(master), !self.masters.is_open(master));
                topology.partitions().into_keys().min_by_key(rank)
            }
        }
    }
}
