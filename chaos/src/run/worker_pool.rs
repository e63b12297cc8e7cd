//! The PHP workers of a run, which faults kill and start again.

use std::sync::{Arc, Mutex};

use crate::cli::Arguments;
use crate::cluster::Cluster;
use crate::history::History;
use crate::notifications::ABSENT;
use crate::schema::{OFFLINE, Schema};
use crate::workers::{Identity, Message, Worker};

/// The PHP workers.
pub(super) struct WorkerPool {
    pub(super) next: u64,
    pub(super) workers: Vec<Worker>,
    pub(super) arguments: Arguments,
    pub(super) history: Arc<Mutex<History>>,
}

impl WorkerPool {
    pub(super) fn start_worker(&mut self, cluster: &Cluster) -> anyhow::Result<()> {
        self.next += 1;
        let seed = self.arguments.seed.wrapping_mul(1_000_003).wrapping_add(self.next);
        let identity = Identity { number: self.next, seed, schema: &cluster.schema };
        let users = self.arguments.users();
        let (url, broken) = (cluster.php_redis_url(), self.arguments.fault_injection.as_deref());
        self.workers.push(Worker::start(identity, users, (&url, broken), self.history.clone())?);
        Ok(())
    }

    /// A message from a worker that sends nothing else.
    pub(super) fn message<'a>(&'a mut self, number: usize, schema: &'a Schema) -> Message<'a> {
        self.next += 1;
        Message {
            identity: Identity { number: self.next, seed: 0, schema },
            receiver: u32::try_from(number).unwrap_or(0) % self.arguments.users() + 1,
            operation: "store",
            suffix: "",
            tries: 1,
            fault_injection: self.arguments.fault_injection.clone(),
            history: &self.history,
        }
    }

    /// A message that MySQL refuses: to somebody who never connects, or, several times with one id, to
    /// somebody who may see it before MySQL has refused it.
    pub(super) fn poison<'a>(&'a mut self, number: usize, schema: &'a Schema) -> Message<'a> {
        let message = Message { suffix: "-poison", ..self.message(number, schema) };
        if number.is_multiple_of(2) {
            // The first of them come now and then, where an application is told of who is away.
            Message { receiver: message.receiver.max(ABSENT + 1) + OFFLINE, ..message }
        } else {
            Message { operation: "send", tries: 3, ..message }
        }
    }

    pub(super) async fn kill(&mut self, number: usize) {
        let number = number % self.workers.len();
        self.workers.swap_remove(number).kill().await;
    }

    pub(super) async fn stop_all(&mut self) {
        for worker in self.workers.drain(..) {
            worker.kill().await;
        }
    }
}
