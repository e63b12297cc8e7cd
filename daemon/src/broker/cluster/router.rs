//! Sends each command to the master that has its key.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use chatpush_wire::address::Endpoint;
use chatpush_wire::cluster::{Redirection, Topology};
use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;
use chatpush_wire::slot::slot;
use futures_util::future::join_all;
use redis::aio::ConnectionLike;
use redis::{
    Arg, AsyncConnectionConfig, Cmd, Pipeline, ProtocolVersion, RedisError, RedisFuture, RedisResult, Value,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout_at};

use super::nodes::Cluster;
use super::redirected::Again;
use crate::broker::connection::{Connection, Connector};
use crate::broker::{BrokerError, COMMAND_TIMEOUT};

/// How long to wait before a command is sent again that no node executes for now. While a master is being replaced
/// that takes seconds.
const PAUSE: Duration = Duration::from_millis(50);

/// Connections to the masters, each opened when it is first needed. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Router(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connector: Connector,
    cluster: Cluster,
    prefix: Prefix,
    /// A plain mutex: nothing awaits while holding it.
    links: std::sync::Mutex<BTreeMap<Endpoint, Arc<Link>>>,
    /// How often a connection was opened.
    opened: AtomicU64,
}

/// An asynchronous lock, because it is held while connecting: the others wait for that connection.
type Link = Mutex<Option<Connection>>;

/// Where a command goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// To the master of this slot.
    Slot(u16),
    /// To every master; the first one's answer counts.
    Everywhere,
}

/// A command that was not executed yet, and where to send it if a node has named another one.
#[derive(Debug)]
struct Pending {
    at: usize,
    place: Place,
    redirected: Option<Redirection>,
}

/// Why the commands for one master have no answers.
enum Failed {
    /// They were not sent.
    NotSent(RedisError),
    /// They may have been executed.
    Lost(RedisError),
}

impl Router {
    /// To the masters of this cluster, with the keys of this installation.
    pub(crate) fn new(connector: Connector, cluster: Cluster, prefix: Prefix) -> Self {
        let (links, opened) = (std::sync::Mutex::default(), AtomicU64::new(0));
        Self(Arc::new(Shared { connector, cluster, prefix, links, opened }))
    }

    /// How often a connection was opened.
    pub(crate) fn opened(&self) -> u64 {
        self.0.opened.load(Ordering::SeqCst)
    }

    /// The cluster.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.0.cluster
    }

    /// Sends a pipeline to one master and returns all answers. It is not redirected.
    ///
    /// # Errors
    ///
    /// When the master cannot be reached in time.
    pub(crate) async fn ask(
        &self,
        master: &Endpoint,
        commands: &Pipeline,
    ) -> Result<Vec<Value>, BrokerError> {
        let commands: Vec<_> = commands.cmd_iter().collect();
        let failed = |failed| match failed {
            Failed::NotSent(error) | Failed::Lost(error) => BrokerError::from(error),
        };
        self.exchange(master, &commands, false).await.map_err(failed)
    }

    /// Where a command goes: its first argument that is one of our names is its key. One without a key goes to the
    /// master of the first partition, but a script is loaded everywhere.
    fn place(&self, command: &Cmd) -> Place {
        let mut texts = command.args_iter().filter_map(|argument| match argument {
            Arg::Simple(text) => Some(text),
            _ => None,
        });
        if command.args_iter().next() == Some(Arg::Simple(b"SCRIPT")) {
            return Place::Everywhere;
        }
        let key = texts.find(|text| self.0.prefix.names(text));
        Place::Slot(key.map_or_else(|| Partition::FIRST.slot(), slot))
    }

    /// Sends commands, those for one master in their order, and returns all answers in order. What a node has not
    /// executed is sent again until the deadline.
    async fn request(&self, commands: &[&Cmd]) -> RedisResult<Vec<Value>> {
        let deadline = Instant::now() + COMMAND_TIMEOUT;
        let mut answers: Vec<Option<Value>> = vec![None; commands.len()];
        let places = commands.iter().map(|command| self.place(command)).enumerate();
        let mut pending: Vec<_> = places.map(|(at, place)| Pending { at, place, redirected: None }).collect();
        let mut failure = None;
        while !pending.is_empty() {
            let began = Instant::now();
            let round = timeout_at(deadline, self.round(commands, pending, &mut answers, &mut failure)).await;
            pending = round.map_err(|_| failure.take().unwrap_or_else(timed_out))??;
            if pending.is_empty() {
                break;
            }
            if Instant::now() >= deadline {
                // The answers say why.
                break;
            }
            if pending.iter().any(|command| command.redirected.is_none()) {
                sleep(PAUSE).await;
            }
            // Whoever is redirected by ASK alone finds nothing new.
            let moved = |command: &Pending| !matches!(command.redirected, Some(Redirection::Ask(_)));
            if pending.iter().any(moved) {
                // Without an answer the old knowledge is tried again.
                let _ = timeout_at(deadline, self.0.cluster.ask_after(began)).await;
            }
        }
        let lost = || failure.clone().unwrap_or_else(timed_out);
        answers.into_iter().map(|answer| answer.ok_or_else(lost)).collect()
    }

    /// Sends what is pending, once. Returns what is still pending.
    async fn round(
        &self,
        commands: &[&Cmd],
        pending: Vec<Pending>,
        answers: &mut [Option<Value>],
        failure: &mut Option<RedisError>,
    ) -> RedisResult<Vec<Pending>> {
        let topology = match self.0.cluster.topology().await {
            Ok(topology) => topology,
            Err(error) => return Err(io::Error::other(error).into()),
        };
        let mut groups: BTreeMap<(Endpoint, bool), Vec<&Pending>> = BTreeMap::new();
        let mut again = Vec::new();
        for command in &pending {
            let nodes = destinations(command, &topology);
            if nodes.is_empty() {
                // For now nobody has the slot.
                again.push((command.at, Again::Later));
            }
            for node in nodes {
                groups.entry(node).or_default().push(command);
            }
        }
        let sent = groups.into_iter().map(|((node, asks), group)| async move {
            let own: Vec<_> = group.iter().filter_map(|command| commands.get(command.at).copied()).collect();
            (self.exchange(&node, &own, asks).await, node, group)
        });
        for (answered, node, group) in join_all(sent).await {
            match answered {
                Ok(values) => {
                    for (command, value) in group.into_iter().zip(values) {
                        let Some(answer) = answers.get_mut(command.at) else { continue };
                        match Again::of(&value, &node) {
                            Some(reason) => again.push((command.at, reason)),
                            // What goes everywhere has one answer.
                            None if answer.is_some() && command.place == Place::Everywhere => continue,
                            None => {}
                        }
                        *answer = Some(value);
                    }
                }
                Err(Failed::NotSent(error)) => {
                    again.extend(group.into_iter().map(|command| (command.at, Again::Later)));
                    *failure = Some(error);
                }
                Err(Failed::Lost(error)) => return Err(error),
            }
        }
        Ok(still_pending(pending, again))
    }

    /// Sends commands to one node.
    async fn exchange(&self, node: &Endpoint, commands: &[&Cmd], asks: bool) -> Result<Vec<Value>, Failed> {
        let mut pipeline = redis::pipe();
        for command in commands {
            if asks {
                pipeline.cmd("ASKING");
            }
            if let Some(channel) = counted(command) {
                pipeline.cmd("GET").arg(channel);
            }
            pipeline.add_command((*command).clone());
        }
        let mut connection = self.link(node).await.map_err(|error| Failed::NotSent(not_sent(error)))?;
        let mut answers = connection.values(&pipeline).await.map_err(Failed::Lost)?.into_iter();
        let mut next = || answers.next().unwrap_or(Value::Nil);
        let own = commands.iter().map(|command| {
            if asks {
                next();
            }
            let refused = counted(command).map(|_| next()).filter(|answer| Again::of(answer, node).is_some());
            let answer = next();
            refused.unwrap_or(answer)
        });
        Ok(own.collect())
    }

    /// The connection to a node, opened if there is none that is trusted.
    async fn link(&self, node: &Endpoint) -> Result<Connection, BrokerError> {
        let link = self
            .0
            .links
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(node.clone())
            .or_default()
            .clone();
        let mut link = link.lock().await;
        if let Some(connection) = link.as_ref().filter(|connection| connection.is_trusted()) {
            return Ok(connection.clone());
        }
        // The old one is closed first.
        *link = None;
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(COMMAND_TIMEOUT));
        let connection = self.0.connector.open_to(Some(node), ProtocolVersion::RESP2, config).await?;
        self.0.opened.fetch_add(1, Ordering::SeqCst);
        *link = Some(connection.clone());
        Ok(connection)
    }
}

/// The first channel whose subscribers a command counts. A node that has its slot no more answers 0; a `GET` before it, in
/// the same write, it refuses.
fn counted(command: &Cmd) -> Option<&[u8]> {
    let mut arguments = command.args_iter();
    let is_count = arguments.next() == Some(Arg::Simple(b"PUBSUB"));
    let Arg::Simple(channel) = arguments.nth(1).filter(|_| is_count)? else { return None };
    Some(channel)
}

/// The nodes that a command is sent to now, and whether it is announced there by `ASKING`.
fn destinations(command: &Pending, topology: &Topology) -> Vec<(Endpoint, bool)> {
    match (&command.redirected, command.place) {
        (Some(Redirection::Moved(node)), _) => vec![(node.clone(), false)],
        (Some(Redirection::Ask(node)), _) => vec![(node.clone(), true)],
        (None, Place::Slot(slot)) => {
            topology.master(slot).map(|node| (node.clone(), false)).into_iter().collect()
        }
        (None, Place::Everywhere) => {
            topology.masters().into_iter().map(|node| (node.clone(), false)).collect()
        }
    }
}

/// The commands that are to be sent again. `again` has them by their number, in any order.
fn still_pending(pending: Vec<Pending>, again: Vec<(usize, Again)>) -> Vec<Pending> {
    let mut again: BTreeMap<_, _> = again.into_iter().collect();
    let kept = pending.into_iter().filter_map(|command| {
        let redirected = match again.remove(&command.at)? {
            // A node that names itself, or the one that has just failed, is asked again after a pause.
            Again::Redirected(named) if command.redirected.as_ref() != Some(&named) => Some(named),
            Again::Redirected(_) | Again::Later => None,
        };
        Some(Pending { redirected, ..command })
    });
    kept.collect()
}

fn timed_out() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

fn not_sent(error: BrokerError) -> RedisError {
    io::Error::new(io::ErrorKind::NotConnected, error).into()
}

impl ConnectionLike for Router {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let answers = self.request(&[command]).await?;
            answers.into_iter().next().ok_or_else(timed_out)?.extract_error()
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let commands: Vec<_> = pipeline.cmd_iter().collect();
            let answers = self.request(&commands).await?;
            Ok(answers.into_iter().skip(offset).take(count).collect())
        })
    }

    fn get_db(&self) -> i64 {
        0
    }
}
