//! A user who is away, is told of, comes back, confirms, and goes again.

mod unread;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::calm::Calm;
use super::ledger::Ledger;
use crate::clients::Clients;
use crate::history::{LATE, lock};
use crate::schema::OFFLINE;
use crate::workers::{Identity, Message};

/// The numbers of the workers that send to users who are away begin here.
const WORKERS: u64 = 1_000_000;

/// How many each user may have.
const ROUNDS: u64 = 10_000;

/// How long nobody comes back after a webhook, to see whether there is another one.
const QUIET: Duration = Duration::from_secs(3);

/// How long an event may wait in its queue, in calm time: there may be thousands before it, and nothing says how soon it
/// comes.
const QUEUED: Duration = Duration::from_secs(180);

/// How long the user is connected at a time.
const STAY: Duration = Duration::from_millis(700);

/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(2);

/// The same before some rounds, and all of one of three users: long enough to count as gone.
const LONG_PAUSE: Duration = Duration::from_secs(14);

/// The time between two looks into the ledger.
const LOOK: Duration = Duration::from_millis(50);

/// The subprotocol whose clients confirm only what they want to.
const PROTOCOL: Option<&str> = Some("chatpush.v1");

/// What happens when the application was told.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// The application refuses the webhook, and the sender takes the message back before the next try.
    Recall,
    /// The same, and the user comes back and confirms.
    ComeBack,
    /// Another message comes, and the user stays away for a while.
    StayAway,
    /// The user comes, confirms nothing and goes: the application is told again.
    Visit,
}

const THEN: [Then; 4] = [Then::Recall, Then::ComeBack, Then::StayAway, Then::Visit];

/// The user.
#[derive(Debug)]
pub(crate) struct Absent {
    /// One of those who have no client otherwise.
    pub(crate) number: u32,
    /// How to connect.
    pub(crate) clients: Clients,
    /// What the application was told.
    pub(crate) ledger: Arc<Ledger>,
    /// The time that counts.
    pub(crate) calm: Arc<Calm>,
    /// Whether it is told of unread messages.
    pub(crate) of_unread: bool,
    /// How late the application may be told, in this time.
    pub(crate) within: Duration,
    /// Where PHP connects to.
    pub(crate) redis_url: String,
    /// The promise that the extension breaks.
    pub(crate) fault_injection: Option<String>,
    /// The calls that are under way.
    pub(crate) calls: TaskTracker,
    /// Messages of which nobody knows whether they wait, and since when.
    pub(crate) uncertain: Vec<(String, Instant)>,
}

impl Absent {
    /// Round after round until `stop` is cancelled. Then the user comes back for the final delivery.
    pub(super) async fn run(mut self, seed: u64, stop: CancellationToken, crowd: TaskTracker) {
        let mut rng = Rng::with_seed(seed ^ (u64::from(self.number) << 32));
        tokio::select! {
            () = async {
                for round in 0..ROUNDS / 2 {
                    if self.of_unread {
                        self.unread_round(round, &mut rng).await;
                    } else {
                        self.round(round, &mut rng).await;
                    }
                    let is_long = self.number.is_multiple_of(3) || rng.u8(..4) == 0;
                    sleep(if is_long { LONG_PAUSE } else { PAUSE }).await;
                }
            } => {}
            () = stop.cancelled() => {}
        }
        let user = self.number + OFFLINE;
        crowd.spawn(self.clients.run(user, seed));
    }

    /// Takes a user's messages back, of which one was sent as `number`. Afterwards nobody is told of them, unless it is
    /// not known whether they wait.
    async fn take_back(&mut self, user: &str, messages: &mut Vec<String>, number: u64) {
        if self.recall(number).await {
            messages.clear();
            self.nothing_waits(user, false);
            sleep(QUIET).await;
        } else {
            // It may have been taken back.
            self.uncertain.extend(messages.drain(..).map(|message| (message, Instant::now())));
        }
    }

    async fn round(&mut self, round: u64, rng: &mut Rng) {
        let Ok(user) = self.clients.schema.id(self.number + OFFLINE).map(ToString::to_string) else { return };
        let then = THEN[rng.usize(..THEN.len())];
        self.ledger.lock().refuse(&user, matches!(then, Then::Recall | Then::ComeBack));
        let mut messages: Vec<_> = self.send(&user, round * 2).await.into_iter().collect();
        if messages.is_empty() || !self.is_told(&user, &messages, &HashSet::new()).await {
            return self.come_back(&user, &messages, rng).await;
        }
        match then {
            Then::Recall => self.take_back(&user, &mut messages, round * 2).await,
            Then::ComeBack => {}
            Then::StayAway => {
                self.is_accepted(&user, &messages, &HashSet::new()).await;
                messages.extend(self.send(&user, round * 2 + 1).await);
                self.stay_away(&user, &messages, 1).await;
            }
            Then::Visit => {
                let is_accepted = self.is_accepted(&user, &messages, &HashSet::new()).await;
                let before = self.ledger.lock().waiting(&user, &messages);
                // Without its subprotocol nothing is confirmed.
                if is_accepted && self.visit(None, rng).await && self.is_told(&user, &messages, &before).await
                {
                    self.is_accepted(&user, &messages, &before).await;
                    self.stay_away(&user, &messages, 2).await;
                }
            }
        }
        self.come_back(&user, &messages, rng).await;
    }

    /// Stays away for a while: after so many absences, no more webhooks come.
    async fn stay_away(&self, user: &str, messages: &[String], absences: usize) {
        sleep(QUIET).await;
        let ids = self.ledger.lock().waiting(user, messages);
        if ids.len() > absences {
            self.wrong(format!("told twice of one absence: {user} {ids:?}"));
        }
    }

    /// Whether the application is told in time that these messages wait, by a webhook that has none of the ids
    /// `before`.
    async fn is_told(&self, user: &str, messages: &[String], before: &HashSet<String>) -> bool {
        let from = self.calm.elapsed();
        if !self.becomes_true(|| self.ledger.lock().told_at(user, messages, before).is_some()).await {
            // Somebody may have been told of another message, which still waits if it was not taken back, and the user may
            // not have got in since.
            if self.uncertain.is_empty() {
                let again = if before.is_empty() { "" } else { " again" };
                self.wrong(format!("nobody was told{again} that a message waits: {} of {user}", messages[0]));
            }
            return false;
        }
        let mut ledger = self.ledger.lock();
        if let Some(at) = ledger.told_at(user, messages, before) {
            ledger.told_after(at.saturating_sub(from));
        }
        true
    }

    /// Whether the application is told until it accepts that.
    async fn is_accepted(&self, user: &str, messages: &[String], before: &HashSet<String>) -> bool {
        let is_accepted = || self.ledger.lock().is_accepted(user, messages, before);
        let is_so = self.becomes_true(is_accepted).await;
        if !is_so {
            self.wrong(format!(
                "a webhook that was not accepted does not come again: {} of {user}",
                messages[0]
            ));
        }
        is_so
    }

    /// Comes, confirms by a protocol, and goes. False if no daemon lets the user in for too long.
    async fn visit(&self, confirms: Option<&str>, rng: &mut Rng) -> bool {
        let number = self.number + OFFLINE;
        let deadline = self.calm.elapsed() + self.within;
        while self.calm.elapsed() < deadline {
            let from = lock(&self.clients.history).connections.len();
            if let Ok(socket) = self.clients.connect(number, PROTOCOL, rng).await {
                self.clients.hold(number, socket, confirms, STAY, "close").await;
            }
            if self.has_seen_messages(from) {
                return true;
            }
            sleep(LOOK).await;
        }
        false
    }

    /// Whether a connection of the user has shown a message, among those with at least this number. Otherwise the
    /// daemon may have ended before it knew of the user.
    fn has_seen_messages(&self, from: usize) -> bool {
        let history = lock(&self.clients.history);
        let mut new = history.connections.iter().skip(from);
        new.any(|connection| connection.user == self.number + OFFLINE && !connection.shown.is_empty())
    }

    /// Comes back, and nothing waits any more.
    async fn come_back(&mut self, user: &str, messages: &[String], rng: &mut Rng) {
        if self.confirm(user, messages, rng).await {
            for message in messages {
                self.ledger.lock().confirmed(message);
            }
            self.nothing_waits(user, !messages.is_empty());
        }
    }

    /// Connects until the application was told that every message is confirmed. False if it takes too long.
    async fn confirm(&self, user: &str, messages: &[String], rng: &mut Rng) -> bool {
        let number = self.number + OFFLINE;
        let within = if self.fault_injection.is_some() { self.within } else { QUEUED };
        let deadline = self.calm.elapsed() + within;
        loop {
            if let Ok(socket) = self.clients.connect(number, PROTOCOL, rng).await {
                self.clients.hold(number, socket, PROTOCOL, STAY, "close").await;
            }
            sleep(LOOK).await;
            let is_late = self.calm.elapsed() > deadline;
            let missing: Vec<_> = {
                let ledger = self.ledger.lock();
                messages.iter().filter(|message| !ledger.is_delivered(user, message)).collect()
            };
            if missing.is_empty() {
                return true;
            }
            if is_late {
                self.wrong(format!("a confirmation is not told in time: {missing:?} of {user}"));
                return false;
            }
        }
    }

    /// Nothing waits any more, unless it is uncertain. If a later message was delivered, so was everything before it.
    fn nothing_waits(&mut self, user: &str, is_later_delivered: bool) {
        let mut ledger = self.ledger.lock();
        self.uncertain.retain(|(message, at)| {
            let is_over = is_later_delivered && at.elapsed() > LATE * 2;
            !is_over && !ledger.is_delivered(user, message)
        });
        if self.uncertain.is_empty() {
            ledger.nothing_waits(user);
        }
    }

    /// Sends a message. Returns its id if it is certainly stored.
    async fn send(&mut self, user: &str, number: u64) -> Option<String> {
        let worker = self.worker(number);
        let sender = self.clients.schema.sender(worker).ok()?;
        self.ledger.lock().something_waits(user);
        let outcome = self.call(worker, "send").await;
        let message = format!("{sender}:w{worker}-s-1");
        match outcome.as_str() {
            "ok" => return Some(message),
            "refused" | "rejected" => {}
            _ => self.uncertain.push((message, Instant::now())),
        }
        None
    }

    /// Takes a message back. Returns whether that is certain.
    async fn recall(&self, number: u64) -> bool {
        self.call(self.worker(number), "recall").await == "true"
    }

    fn worker(&self, number: u64) -> u64 {
        WORKERS + u64::from(self.number) * ROUNDS + number
    }

    /// Makes a call, and returns its outcome; an empty one is not known.
    async fn call(&self, worker: u64, operation: &'static str) -> String {
        let (clients, receiver) = (self.clients.clone(), self.number + OFFLINE);
        let (redis_url, fault_injection) = (self.redis_url.clone(), self.fault_injection.clone());
        // A call that has begun is recorded, also when the rounds end meanwhile.
        let call = self.calls.spawn(async move {
            let message = Message {
                identity: Identity { number: worker, seed: 0, schema: &clients.schema },
                receiver,
                operation,
                suffix: "",
                tries: 1,
                fault_injection,
                history: &clients.history,
            };
            message.send(&redis_url, 5_000).await
        });
        call.await.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Whether something becomes true in time.
    async fn becomes_true(&self, is_so: impl Fn() -> bool) -> bool {
        let deadline = self.calm.elapsed() + self.within;
        loop {
            let is_late = self.calm.elapsed() > deadline;
            if is_so() || is_late {
                return is_so();
            }
            sleep(LOOK).await;
        }
    }

    fn wrong(&self, text: String) {
        self.ledger.lock().wrong.push(text);
    }
}
