//! Asks the nodes which master has which slots.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::address::{Address, Endpoint, Nodes};
use chatpush_wire::cluster::{SlotRange, Topology};
use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, FromRedisValue as _, ProtocolVersion, RedisError, RedisResult, Value};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::broker::{BrokerError, server};

/// How long one node may take to answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(1);

/// How often the nodes are asked although nothing shows that anything has changed. A count of subscribers is answered
/// with 0 by a node that has the slot no more.
const ASK_INTERVAL: Duration = Duration::from_secs(1);

/// What the nodes say. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct Cluster(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    address: Arc<Address>,
    seeds: Nodes,
    /// Nothing until the first answer.
    topology: watch::Sender<Arc<Topology>>,
    /// An asynchronous lock, because it is held while asking: the others wait for that answer.
    asked: Mutex<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    /// When the nodes were asked last.
    at: Option<Instant>,
    connections: BTreeMap<Endpoint, MultiplexedConnection>,
}

/// What one node has answered. Of two, the one that knows a later change (`cluster_current_epoch`) is right.
#[derive(Clone, Debug)]
struct Answer {
    epoch: u64,
    topology: Topology,
}

impl Cluster {
    /// The cluster of these nodes. Nothing is asked yet.
    pub(crate) fn new(address: Arc<Address>, seeds: Nodes) -> Self {
        Self(Arc::new(Shared { address, seeds, topology: watch::Sender::default(), asked: Mutex::default() }))
    }

    /// Which master has which slots. The nodes are asked if that was never answered.
    ///
    /// # Errors
    ///
    /// When no node answers.
    pub(crate) async fn topology(&self) -> Result<Arc<Topology>, BrokerError> {
        if self.0.topology.borrow().is_empty() {
            self.ask_after(Instant::now()).await?;
        }
        Ok(self.0.topology.borrow().clone())
    }

    /// Watches it. It is empty until the nodes were asked.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Topology>> {
        self.0.topology.subscribe()
    }

    /// Asks the nodes, unless they were asked after `seen`: since then something may have changed.
    ///
    /// # Errors
    ///
    /// When no node answers.
    pub(crate) async fn ask_after(&self, seen: Instant) -> Result<(), BrokerError> {
        let mut asked = self.0.asked.lock().await;
        if asked.at.is_some_and(|at| at > seen) {
            return Ok(());
        }
        let now = Instant::now();
        let answers = self.answers(&mut asked.connections).await;
        let topology = latest(answers)?;
        asked.at = Some(now);
        drop(asked);
        self.0.topology.send_if_modified(|known| {
            let differs = **known != topology;
            if differs {
                if !known.is_empty() {
                    tracing::info!("partitions of the Redis Cluster have other masters now");
                }
                *known = Arc::new(topology);
            }
            differs
        });
        Ok(())
    }

    /// Asks the nodes now and then, for ever.
    pub(crate) async fn follow(&self) {
        loop {
            if let Err(error) = self.ask_after(Instant::now()).await {
                tracing::debug!(%error, "no node says which master has which slots");
            }
            sleep(ASK_INTERVAL).await;
        }
    }

    /// Asks the named nodes and the known masters, all at once.
    async fn answers(
        &self,
        connections: &mut BTreeMap<Endpoint, MultiplexedConnection>,
    ) -> Vec<Result<Answer, BrokerError>> {
        let known = self.0.topology.borrow().clone();
        let mut nodes: BTreeSet<_> = known.masters().into_iter().cloned().collect();
        nodes.extend(self.0.seeds.endpoints());
        connections.retain(|node, _| nodes.contains(node));
        let asked = nodes.into_iter().map(|node| {
            let open = connections.remove(&node);
            async move {
                let timed_out =
                    || RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut)).into();
                let answered = timeout(ASK_TIMEOUT, self.answer(&node, open)).await;
                (answered.unwrap_or_else(|_| Err(timed_out())), node)
            }
        });
        let mut answers = Vec::new();
        for (answered, node) in join_all(asked).await {
            answers.push(answered.map(|(answer, open)| {
                connections.insert(node, open);
                answer
            }));
        }
        answers
    }

    /// Asks one node, over the connection that is open, if there is one.
    async fn answer(
        &self,
        node: &Endpoint,
        open: Option<MultiplexedConnection>,
    ) -> Result<(Answer, MultiplexedConnection), BrokerError> {
        let mut open = if let Some(open) = open {
            open
        } else {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(ASK_TIMEOUT))
                .set_response_timeout(Some(ASK_TIMEOUT));
            let client = server::client(node.clone(), &self.0.address, ProtocolVersion::RESP2)?;
            client.get_multiplexed_async_connection_with_config(&config).await?
        };
        let mut pipeline = redis::pipe();
        pipeline.cmd("CLUSTER").arg("INFO").cmd("CLUSTER").arg("SLOTS");
        let (info, slots): (String, Vec<Vec<Value>>) = pipeline.query_async(&mut open).await?;
        let epoch = info.lines().find_map(|line| line.strip_prefix("cluster_current_epoch:"));
        let epoch = epoch.and_then(|epoch| epoch.trim().parse().ok()).unwrap_or_default();
        let ranges: RedisResult<Vec<_>> = slots.into_iter().map(range).collect();
        Ok((Answer { epoch, topology: Topology::new(ranges?, node) }, open))
    }
}

/// A line of the answer to `CLUSTER SLOTS`: first slot, last slot, and the nodes, of which the master is the first
/// (Redis manual, "CLUSTER SLOTS").
fn range(line: Vec<Value>) -> RedisResult<SlotRange> {
    let mut line = line.into_iter();
    let mut next = || line.next().unwrap_or(Value::Nil);
    let (first, last) = (u16::from_redis_value(next())?, u16::from_redis_value(next())?);
    let mut master = Vec::<Value>::from_redis_value(next())?.into_iter();
    let mut next = || master.next().unwrap_or(Value::Nil);
    let (host, port) = (Option::from_redis_value(next())?, u16::from_redis_value(next())?);
    Ok(SlotRange { first, last, host, port })
}

/// What most of those say that know the latest change.
fn latest(answers: Vec<Result<Answer, BrokerError>>) -> Result<Topology, BrokerError> {
    let mut failure = None;
    let mut said: Vec<Answer> = Vec::new();
    for answer in answers {
        match answer {
            Ok(answer) if answer.topology.is_empty() => {}
            Ok(answer) => said.push(answer),
            Err(error) => failure = Some(error),
        }
    }
    let latest = said.iter().map(|answer| answer.epoch).max().unwrap_or_default();
    let mut counts: HashMap<usize, usize> = HashMap::new();
    for answer in said.iter().filter(|answer| answer.epoch == latest) {
        if let Some(same) =
            said.iter().position(|other| other.epoch == latest && other.topology == answer.topology)
        {
            *counts.entry(same).or_default() += 1;
        }
    }
    let most = counts.into_iter().max_by_key(|(first, count)| (*count, usize::MAX - first));
    match most.and_then(|(first, _)| said.into_iter().nth(first)) {
        Some(answer) => Ok(answer.topology),
        None => {
            Err(failure
                .unwrap_or_else(|| BrokerError::new("no node of the cluster knows who has which slots")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(port: u16) -> Endpoint {
        Endpoint::Tcp { host: "h".to_owned(), port, tls: false }
    }

    fn answer(epoch: u64, port: u16) -> Answer {
        let range = SlotRange { first: 0, last: 16_383, host: None, port };
        Answer { epoch, topology: Topology::new([range], &node(port)) }
    }

    #[test]
    fn latest_change_counts_and_then_the_majority() {
        let master = |answers: Vec<Answer>| {
            let answers = answers.into_iter().map(Ok).chain([Err(BrokerError::new("away"))]);
            latest(answers.collect()).map(|topology| topology.master(0).cloned())
        };
        assert_eq!(master(vec![answer(3, 1), answer(4, 2), answer(3, 1)]).unwrap(), Some(node(2)));
        assert_eq!(master(vec![answer(4, 1), answer(4, 2), answer(4, 2)]).unwrap(), Some(node(2)));
        let unknown = || Answer { epoch: 9, topology: Topology::default() };
        assert_eq!(master(vec![unknown(), answer(1, 1)]).unwrap(), Some(node(1)));
        assert_eq!(master(vec![unknown()]).unwrap_err().to_string(), "away");
        assert!(latest(vec![Ok(unknown())]).is_err());
    }

    #[test]
    fn slots_are_read_with_and_without_a_host() {
        let line = |host: Value| {
            let node = Value::Array(vec![host, Value::Int(7), Value::BulkString(b"id".to_vec())]);
            vec![Value::Int(5), Value::Int(9), node.clone(), node]
        };
        let named = range(line(Value::BulkString(b"10.0.0.1".to_vec()))).unwrap();
        assert_eq!(named, SlotRange { first: 5, last: 9, host: Some("10.0.0.1".to_owned()), port: 7 });
        assert_eq!(range(line(Value::Nil)).unwrap().host, None);
        assert!(range(vec![Value::Int(5)]).is_err());
    }
}
