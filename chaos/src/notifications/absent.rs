//! A user who is away, is told of, comes back, confirms, and goes again.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ledger::Ledger;
use super::{AFTER, BROKEN_MARGIN, MARGIN, WITHIN};
use crate::clients::Clients;
use crate::schema::OFFLINE;
use crate::workers::{Identity, Message};

/// The numbers of the workers that send to users who are away begin here.
const WORKERS: u64 = 1_000_000;

/// How many each user may have.
const ROUNDS: u64 = 10_000;

/// How long nobody comes back after the first webhook, to see whether there is a second one.
const QUIET: Duration = Duration::from_secs(3);

/// How long the user is connected at a time.
const STAY: Duration = Duration::from_millis(700);

/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(2);

/// The same before some rounds, and all of one of three users: long enough to count as gone.
const LONG_PAUSE: Duration = Duration::from_secs(14);

/// The time between two looks into the ledger.
const LOOK: Duration = Duration::from_millis(50);

/// The user.
#[derive(Debug)]
pub(crate) struct Absent {
    /// One of those who have no client otherwise.
    pub(crate) number: u32,
    /// How to connect.
    pub(crate) clients: Clients,
    /// What the application was told.
    pub(crate) ledger: Arc<Ledger>,
    /// Where PHP connects to.
    pub(crate) redis_url: String,
    /// The promise that the extension breaks.
    pub(crate) fault_injection: Option<String>,
    /// The calls that are under way.
    pub(crate) calls: TaskTracker,
}

impl Absent {
    /// Round after round until `stop` is cancelled. Then the user comes back for the final delivery.
    pub(super) async fn run(self, seed: u64, stop: CancellationToken, crowd: TaskTracker) {
        let mut rng = Rng::with_seed(seed ^ (u64::from(self.number) << 32));
        tokio::select! {
            () = async {
                for round in 0..ROUNDS / 2 {
                    self.round(round, &mut rng).await;
                    let is_long = self.number.is_multiple_of(3) || rng.u8(..4) == 0;
                    sleep(if is_long { LONG_PAUSE } else { PAUSE }).await;
                }
            } => {}
            () = stop.cancelled() => {}
        }
        let user = self.number + OFFLINE;
        crowd.spawn(self.clients.run(user, seed));
    }

    async fn round(&self, round: u64, rng: &mut Rng) {
        let Ok(user) = self.clients.schema.id(self.number + OFFLINE).map(ToString::to_string) else { return };
        let Some(first) = self.send(round * 2).await else { return self.come_back(&user, &[], rng).await };
        let mut messages = vec![first];
        let accepted = Instant::now();
        let told = || self.ledger.lock().is_told(&user, &messages);
        if !within(AFTER + self.within(), told).await {
            self.wrong(format!("nobody was told that a message waits: {} of {user}", messages[0]));
            return self.come_back(&user, &messages, rng).await;
        }
        self.ledger.lock().told_after(accepted.elapsed());
        if rng.bool() {
            messages.extend(self.send(round * 2 + 1).await);
            sleep(QUIET).await;
            let ids = self.ledger.lock().waiting(&user, &messages);
            if ids.len() > 1 {
                self.wrong(format!("told twice of one absence: {user} {ids:?}"));
            }
        }
        self.come_back(&user, &messages, rng).await;
    }

    /// Connects until the application was told that every message is confirmed.
    async fn come_back(&self, user: &str, messages: &[String], rng: &mut Rng) {
        let deadline = Instant::now() + self.within();
        loop {
            let number = self.number + OFFLINE;
            if let Ok(socket) = self.clients.connect(number, Some("chatpush.v1"), rng).await {
                self.clients.hold(number, socket, Some("chatpush.v1"), STAY, "close").await;
            }
            sleep(LOOK).await;
            let mut ledger = self.ledger.lock();
            let missing: Vec<_> =
                messages.iter().filter(|message| !ledger.is_delivered(user, message)).collect();
            if missing.is_empty() {
                for message in messages {
                    ledger.confirmed(message);
                }
                return;
            }
            if Instant::now() > deadline {
                let wrong = format!("a confirmation is not told in time: {missing:?} of {user}");
                ledger.wrong.push(wrong);
                return;
            }
        }
    }

    /// Sends a message. Returns its id if it is certainly stored.
    async fn send(&self, number: u64) -> Option<String> {
        let worker = WORKERS + u64::from(self.number) * ROUNDS + number;
        let sender = self.clients.schema.sender(worker).ok()?;
        let (clients, receiver) = (self.clients.clone(), self.number + OFFLINE);
        let (redis_url, fault_injection) = (self.redis_url.clone(), self.fault_injection.clone());
        // A call that has begun is recorded, also when the rounds end meanwhile.
        let call = self.calls.spawn(async move {
            let message = Message {
                identity: Identity { number: worker, seed: 0, schema: &clients.schema },
                receiver,
                operation: "send",
                suffix: "",
                tries: 1,
                fault_injection,
                history: &clients.history,
            };
            message.send(&redis_url, 5_000).await
        });
        let outcome = call.await.ok()?.ok()?;
        (outcome == "ok").then(|| format!("{sender}:w{worker}-s-1"))
    }

    /// How late the application may be told.
    fn within(&self) -> Duration {
        WITHIN + if self.fault_injection.is_some() { BROKEN_MARGIN } else { MARGIN }
    }

    fn wrong(&self, text: String) {
        self.ledger.lock().wrong.push(text);
    }
}

/// Whether something becomes true in time.
async fn within(time: Duration, is_so: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + time;
    while !is_so() {
        if Instant::now() > deadline {
            return false;
        }
        sleep(LOOK).await;
    }
    true
}
