//! Learning which master has which slots, from any node that answers.

use std::time::{Duration, Instant};

use chatpush_resp::Value;
use chatpush_wire::address::{Endpoint, Nodes};
use chatpush_wire::cluster::{Redirection, SlotRange, Topology};

use super::super::answer::Answer;
use super::super::command;
use super::super::connection::Connection;
use super::super::error::LinkError;
use super::super::execute::Place;
use super::super::redis_error::RedisError;
use super::masters::of_node;
use super::{Cluster, Failed};
use crate::settings::Settings;

/// How long it is used for what a wrong master answers, too.
const FRESH: Duration = Duration::from_secs(10);

/// How long after a change daemons may not be subscribed at the new masters yet.
const SETTLING: Duration = Duration::from_secs(3);

/// What is known of who has which slots.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) topology: Topology,
    /// When it was learnt. `None`: it is to be learnt again.
    learnt: Option<Instant>,
    /// When the masters were found to be others than before.
    changed: Option<Instant>,
    /// The node that another one has named as a master.
    named: Option<Endpoint>,
    /// The node that failed last: it is asked last.
    failed: Option<Endpoint>,
    /// How often it was learnt, so that it is not always the same node that is asked.
    turn: usize,
}

impl Known {
    /// Whether nothing is known yet.
    fn is_empty(&self) -> bool {
        self.topology == Topology::default()
    }

    /// It is learnt again with the next try.
    pub(super) fn set_stale(&mut self) {
        self.learnt = None;
    }

    /// Whether this node failed last.
    pub(super) fn has_failed(&self, node: &Endpoint) -> bool {
        self.failed.as_ref() == Some(node)
    }

    /// A call has succeeded on this master.
    pub(super) fn set_works(&mut self, node: &Endpoint) {
        if self.has_failed(node) {
            self.failed = None;
        }
    }

    /// Takes from a failure where to ask.
    pub(super) fn take_hint(&mut self, failed: &Failed) {
        match (failed.cause.of_rest(), &failed.endpoint) {
            (LinkError::NoScript | LinkError::Unanswered(_) | LinkError::Installation(_), _) => return,
            (LinkError::Redis(error) | LinkError::Subscription(error), Some(endpoint))
                if error.is_of_slot() =>
            {
                if let Some(Redirection::Moved(node)) = Redirection::parse(error.text(), endpoint) {
                    self.named = Some(node);
                }
            }
            (_, Some(endpoint)) => self.failed = Some(endpoint.clone()),
            (_, None) => {}
        }
        self.set_stale();
    }

    /// Whether masters have changed a moment ago.
    pub(super) fn is_settling(&self) -> bool {
        self.changed.is_some_and(|changed| changed.elapsed() < SETTLING)
    }

    fn set(&mut self, topology: Topology) {
        if !self.is_empty() && topology != self.topology {
            self.changed = Some(Instant::now());
        }
        self.topology = topology;
        self.learnt = Some(Instant::now());
        self.named = None;
    }
}

impl Cluster {
    /// Learns the topology, if it is not known, or was found to be out of date, or is too old for this place. While
    /// nobody answers, the old one is used.
    pub(super) fn learn_if_due(
        &mut self,
        place: Place,
        settings: &Settings,
        nodes: &Nodes,
        deadline: Instant,
    ) -> Result<(), LinkError> {
        let is_due = match (place, self.known.learnt) {
            (_, None) => true,
            (Place::Subscribers(_), Some(learnt)) => learnt.elapsed() >= FRESH,
            (Place::Any | Place::Record | Place::Keys(_) | Place::Channels(_), Some(_)) => false,
        };
        if !is_due {
            return Ok(());
        }
        match self.learn(settings, nodes, deadline) {
            Err(_) if !self.known.is_empty() => Ok(()),
            learnt => learnt,
        }
    }

    /// Asks one node after the other. Each gets its share of the time that is left.
    fn learn(&mut self, settings: &Settings, nodes: &Nodes, deadline: Instant) -> Result<(), LinkError> {
        let mut last = LinkError::NoSlots;
        let candidates = self.candidates(nodes);
        for (rest, node) in (1..=u32::try_from(candidates.len()).unwrap_or(u32::MAX)).rev().zip(candidates) {
            let now = Instant::now();
            // One share is for the call itself.
            let share = deadline.saturating_duration_since(now) / (rest + 1);
            match self.slots_of(&node, settings, now + share.min(settings.connect_timeout)) {
                Ok(topology) => {
                    self.masters.retain(|endpoint| topology.has(endpoint));
                    self.known.set(topology);
                    return Ok(());
                }
                Err(cause) => last = of_node(&node, cause),
            }
        }
        Err(last)
    }

    /// The nodes to ask, each once: first the one that was named, then connected masters, then others.
    fn candidates(&mut self, nodes: &Nodes) -> Vec<Endpoint> {
        let partitions = self.known.topology.partitions();
        let mut candidates: Vec<Endpoint> = partitions.into_keys().cloned().collect();
        candidates.extend(nodes.endpoints());
        if !candidates.is_empty() {
            let turn = self.known.turn % candidates.len();
            candidates.rotate_left(turn);
        }
        self.known.turn = self.known.turn.wrapping_add(1);
        candidates.extend(self.known.named.clone());
        candidates.sort_by_key(|node| {
            let is_named = self.known.named.as_ref() == Some(node);
            let has_failed = self.known.has_failed(node) || self.masters.back_off(node).is_some();
            (!is_named, has_failed, !self.masters.is_open(node))
        });
        let mut once = Vec::with_capacity(candidates.len());
        for node in candidates {
            if !once.contains(&node) {
                once.push(node);
            }
        }
        once
    }

    /// What a node answers. The connection is kept if it is a master.
    fn slots_of(
        &mut self,
        node: &Endpoint,
        settings: &Settings,
        deadline: Instant,
    ) -> Result<Topology, LinkError> {
        let (mut connection, role) = if let Some(connection) = self.masters.take_open(node) {
            (connection, Ok(()))
        } else {
            let unacknowledged = settings.timeout / 2;
            let (opened, role) = Connection::open_any(node, &settings.address, unacknowledged, deadline)?;
            (Box::new(opened), role)
        };
        let mut question = Vec::new();
        command(&mut question, &[b"CLUSTER", b"SLOTS"]);
        connection.send(&question, deadline)?;
        let ranges = connection.receive(deadline)?.into_array()?;
        let ranges: Vec<_> = ranges.into_iter().map(slot_range).collect::<Result<_, _>>()?;
        if ranges.is_empty() {
            return Err(LinkError::NoSlots);
        }
        if role.is_ok() {
            self.masters.keep(connection);
        }
        Ok(Topology::new(ranges, node))
    }
}

/// A line of the answer to `CLUSTER SLOTS`. The replicas that follow the master are not read.
fn slot_range(line: Answer) -> Result<SlotRange, LinkError> {
    let number =
        |answer: Answer| u16::try_from(answer.into_number()?).map_err(|_| LinkError::OtherVersion(None));
    let mut parts = line.into_array()?.into_iter();
    let (Some(first), Some(last), Some(master)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(LinkError::TooShort);
    };
    let mut master = master.into_array()?.into_iter();
    let (Some(host), Some(port)) = (master.next(), master.next()) else { return Err(LinkError::TooShort) };
    let host = match host.0 {
        Value::Nil => None,
        host => {
            let host = Answer(host).into_bytes()?;
            Some(String::from_utf8(host).map_err(|_| LinkError::OtherVersion(None))?)
        }
    };
    Ok(SlotRange { first: number(first)?, last: number(last)?, host, port: number(port)? })
}

/// The node that is to be asked with `ASKING`, if the error says so.
pub(super) fn asked_node(error: &RedisError, endpoint: &Endpoint) -> Option<Endpoint> {
    match Redirection::parse(error.text(), endpoint) {
        Some(Redirection::Ask(node)) => Some(node),
        _ => None,
    }
}
