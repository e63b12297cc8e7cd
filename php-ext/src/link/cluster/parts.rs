//! Exchanges of parts, each of which is executed by the master of its partition.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chatpush_wire::address::{Endpoint, Nodes};

use super::super::error::LinkError;
use super::super::execute::Parts;
use super::super::execute_error::ExecuteError;
use super::route::NoMaster;
use super::transfer::Begun;
use super::tries::{Tries, halfway};
use super::{Cluster, Failed};
use crate::settings::Settings;

/// A master that is not tried in a call, because calls have failed there a moment ago.
struct GivenUp {
    master: Endpoint,
    cause: Arc<LinkError>,
    /// For how long it is not tried.
    left: Duration,
}

/// Executes an exchange of parts: every master is sent its share before any is waited for.
pub(in super::super) fn execute_parts<E: Parts>(
    settings: &Settings,
    nodes: &Nodes,
    exchange: &mut E,
    deadline: Instant,
) -> Result<(), ExecuteError> {
    let mut cluster = Cluster::take(settings);
    let done = cluster.execute_parts(settings, nodes, exchange, deadline);
    cluster.keep();
    done
}

impl Cluster {
    fn execute_parts<E: Parts>(
        &mut self,
        settings: &Settings,
        nodes: &Nodes,
        exchange: &mut E,
        deadline: Instant,
    ) -> Result<(), ExecuteError> {
        let mut tries = Tries::new(deadline, Instant::now());
        // Masters that are not tried again, and why.
        let mut given_up: Vec<GivenUp> = Vec::new();
        loop {
            let place = exchange.place();
            let mut last = None;
            let mut again = true;
            match self.prepare(place, exchange.needs(), settings, nodes, &mut tries) {
                Err(NoMaster::BackedOff(error)) => return Err(error),
                Err(NoMaster::Yet(failed)) => {
                    self.known.take_hint(&failed);
                    again = tries.note(&failed, exchange.is_repeatable(), exchange.unanswered());
                    last = Some(failed);
                }
                Ok(()) => {
                    for (failed, may_pass) in self.try_parts(settings, exchange, &mut given_up, &mut tries) {
                        again &= may_pass;
                        last = Some(failed);
                    }
                }
            }
            let Some(failed) = last else {
                if let Some(GivenUp { cause, left, .. }) = given_up.pop() {
                    let is_halfway = exchange.has_effect();
                    return Err(if is_halfway {
                        halfway(settings, cause)
                    } else {
                        ExecuteError::unreachable(&settings.address, &cause, Some(left))
                    });
                }
                if self.known.is_settling() && tries.has_time() && exchange.forget_refusals() && tries.pause()
                {
                    continue;
                }
                self.end_outage(place);
                return Ok(());
            };
            if !again || !tries.pause() {
                return Err(self.give_up(failed, exchange.has_effect(), &tries, settings));
            }
        }
    }

    /// Sends each master its share, and reads the answers. Returns what has failed, and whether another try may
    /// succeed.
    fn try_parts<E: Parts>(
        &mut self,
        settings: &Settings,
        exchange: &mut E,
        given_up: &mut Vec<GivenUp>,
        tries: &mut Tries,
    ) -> Vec<(Failed, bool)> {
        let topology = std::mem::take(&mut self.known.topology);
        let mut failures = Vec::new();
        let mut shares = exchange.divide(|partition| topology.master_of(partition));
        if let Some(partition) = exchange.left() {
            let cause = LinkError::NoMaster(partition.slot());
            self.known.set_stale();
            failures.push((Failed { endpoint: None, sent: false, cause }, true));
        }
        // To open a connection may take time.
        shares.sort_by_key(|(master, _)| !self.masters.is_open(master));
        let mut begun = Vec::with_capacity(shares.len());
        for (master, share) in &mut shares {
            if given_up.iter().any(|known| known.master == **master) {
                continue;
            }
            if let Some((cause, left)) = self.masters.back_off(master)
                && tries.is_first
            {
                if left.is_zero() {
                    tries.probes.push(master.clone());
                } else {
                    let (master, cause) = (master.clone(), cause.clone());
                    given_up.push(GivenUp { master, cause, left });
                    continue;
                }
            }
            let unchecked = share.unchecked();
            begun.push(self.begin(master, share, &unchecked, settings, tries.deadline));
        }
        for share in begun {
            let Begun { master, exchange, checks, sent } = share;
            let begun = Begun { master, exchange: &mut *exchange, checks, sent };
            let Err(failed) = self.finish(begun, tries.deadline) else { continue };
            self.known.take_hint(&failed);
            let again = tries.note(&failed, exchange.is_repeatable(), exchange.unanswered());
            if failed.cause.is_of_connection() {
                exchange.on_failover();
            }
            failures.push((failed, again));
        }
        for (_, share) in shares {
            exchange.unite(share);
        }
        self.known.topology = topology;
        failures
    }
}
