//! Executing exchanges on the masters of their partitions, within the deadline of the call.

use std::time::Instant;

use chatpush_wire::address::Nodes;

use super::super::execute::{Exchange, Place};
use super::super::execute_error::ExecuteError;
use super::Cluster;
use super::route::NoMaster;
use super::tries::Tries;
use crate::settings::Settings;

/// Executes an exchange whose names are in one partition. It is executed again within the deadline when the partition
/// is elsewhere, or will be in a moment, and otherwise as on one server.
pub(in super::super) fn execute<E: Exchange>(
    settings: &Settings,
    nodes: &Nodes,
    exchange: &mut E,
    deadline: Instant,
) -> Result<E::Outcome, ExecuteError> {
    let mut cluster = Cluster::take(settings);
    let done = cluster.execute(settings, nodes, exchange, deadline);
    cluster.keep();
    done
}

impl Cluster {
    fn execute<E: Exchange>(
        &mut self,
        settings: &Settings,
        nodes: &Nodes,
        exchange: &mut E,
        deadline: Instant,
    ) -> Result<E::Outcome, ExecuteError> {
        let mut tries = Tries::new(deadline, Instant::now());
        loop {
            let place = exchange.place();
            let master = self
                .prepare(place, exchange.needs(), settings, nodes, &mut tries)
                .and_then(|()| self.master(place, settings, nodes, &mut tries));
            let failed = match master {
                Err(NoMaster::BackedOff(error)) => return Err(error),
                Err(NoMaster::Yet(failed)) => failed,
                Ok(master) => {
                    let unchecked: Vec<_> = match place {
                        Place::Subscribers(partition) => vec![partition],
                        _ => Vec::new(),
                    };
                    let begun = self.begin(&master, exchange, &unchecked, settings, deadline);
                    match self.finish(begun, deadline) {
                        Ok(outcome) => {
                            self.end_outage(place);
                            if !E::is_refusal(&outcome) {
                                return Ok(outcome);
                            }
                            if self.known.is_settling() && tries.has_time() && tries.pause() {
                                continue;
                            }
                            // This try was refused, and an earlier one may have been executed.
                            return tries.before.map_or(Ok(outcome), |unanswered| {
                                Err(ExecuteError::TimedOut { unanswered, cause: None, silence: None })
                            });
                        }
                        Err(failed) => failed,
                    }
                }
            };
            self.known.take_hint(&failed);
            let again = tries.note(&failed, exchange.is_repeatable(), exchange.unanswered());
            if !again || !tries.pause() {
                return Err(self.give_up(failed, false, &tries, settings));
            }
        }
    }
}
