//! An application that receives webhooks, and users who are away and come back, with a ledger of both: whoever waits
//! is told of in time, once for each absence, and nobody of what was delivered, read or taken back; each confirmation is
//! told; coming and going alternate, and nobody who has left for good stays online.

mod absent;
mod calm;
mod ledger;
mod over;
mod presence;
mod receiver;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::absent::Absent;
use self::calm::Calm;
use self::ledger::Ledger;
use self::receiver::Receiver;
use crate::clients::Clients;
use crate::schema::Schema;

/// `notify.after`: how long a message waits before somebody is told.
const AFTER: Duration = Duration::from_secs(1);

/// How much later a webhook comes at most while a daemon runs (docs/notifications.md).
const WITHIN: Duration = Duration::from_secs(5);

/// How many times as long it may take in a run: other programs may keep the processors busy. Only calm time counts.
const BUSY: u32 = 3;

/// How much later it may come if a promise is broken: the run is short.
const BROKEN_MARGIN: Duration = Duration::from_secs(3);

/// How long after the end of what a webhook tells of it may be under way, in calm time: the wait for what was accepted
/// before, at most half a second, and the request.
const IN_FLIGHT: Duration = Duration::from_millis(500).saturating_add(ANSWER_TIMEOUT).saturating_mul(BUSY);

/// How long the application may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// The time between two looks whether enough calm time has passed.
const REST_INTERVAL: Duration = Duration::from_millis(250);

/// How long after the last connection the application is told that a user has left (docs/notifications.md).
const GONE_WITHIN: Duration = Duration::from_secs(13);

/// Users who are away.
pub(crate) const ABSENT: u32 = 6;

/// The events that are told.
const EVENTS: &str = "message.waiting message.delivered user.online user.offline";

/// The application and the users who are away.
#[derive(Debug)]
pub(crate) struct Notifications {
    receiver: Receiver,
    calm: Arc<Calm>,
    of_unread: bool,
    within: Duration,
    gone_within: Duration,
    users: TaskTracker,
    stop: CancellationToken,
}

impl Notifications {
    /// Starts the application. It answers some requests with an error, late or not at all, drawn from the seed.
    /// `of_unread`: whether it is told of unread messages. `is_broken`: whether a promise is broken on purpose.
    pub(crate) async fn start(seed: u64, of_unread: bool, is_broken: bool) -> anyhow::Result<Self> {
        let calm = Arc::new(Calm::start());
        let ledger = Arc::new(Ledger::new(calm.clone(), of_unread));
        let receiver = Receiver::start(seed, ledger).await.context("the receiver of webhooks")?;
        let longest = |time| if is_broken { time + BROKEN_MARGIN } else { time * BUSY };
        let (within, gone_within) = (longest(AFTER + WITHIN), longest(GONE_WITHIN));
        Ok(Self {
            receiver,
            calm,
            of_unread,
            within,
            gone_within,
            users: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// The settings of daemons that send to it.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let when = if self.of_unread { "unread" } else { "undelivered" };
        vec![
            ("CHATPUSH_NOTIFY_WHEN", when.to_owned()),
            ("CHATPUSH_NOTIFY_AFTER", AFTER.as_secs().to_string()),
            ("CHATPUSH_WEBHOOK_URL", format!("http://127.0.0.1:{}/", self.receiver.port())),
            ("CHATPUSH_WEBHOOK_SECRET", receiver::SECRET.to_owned()),
            ("CHATPUSH_WEBHOOK_EVENTS", EVENTS.to_owned()),
            ("CHATPUSH_WEBHOOK_TIMEOUT_MS", ANSWER_TIMEOUT.as_millis().to_string()),
        ]
    }

    /// Starts users who are away, get messages, are told of, come back and go again.
    pub(crate) fn start_users(
        &self,
        (clients, crowd): (&Clients, &TaskTracker),
        redis_url: &str,
        promise: Option<&str>,
        seed: u64,
    ) {
        for number in 1..=ABSENT {
            let absent = Absent {
                number,
                clients: clients.clone(),
                ledger: self.receiver.ledger(),
                calm: self.calm.clone(),
                of_unread: self.of_unread,
                within: self.within,
                redis_url: redis_url.to_owned(),
                fault_injection: promise.map(str::to_owned),
                calls: self.users.clone(),
                uncertain: Vec::new(),
            };
            self.users.spawn(absent.run(seed, self.stop.clone(), crowd.clone()));
        }
    }

    /// A fault begins.
    pub(crate) fn fault_began(&self) {
        self.calm.disturb();
    }

    /// A fault is over. What it has broken settles within a time.
    pub(crate) fn fault_ended(&self, within: Duration) {
        self.calm.settle(within);
    }

    /// Waits until so much calm time has passed, or until `is_over`.
    pub(crate) async fn rest(&self, time: Duration, is_over: impl Fn() -> bool) {
        let end = self.calm.elapsed() + time;
        while self.calm.elapsed() < end && !is_over() {
            sleep(REST_INTERVAL).await;
        }
    }

    /// How long it takes in calm time until whoever waits was told of, or is known to be forgotten.
    pub(crate) fn told_within(&self) -> Duration {
        self.within + REST_INTERVAL
    }

    /// What was wrong so far and cannot be explained later.
    pub(crate) fn wrong(&self) -> Vec<String> {
        self.receiver.ledger().lock().wrong.clone()
    }

    /// Lets the next requests wait, until one has come; then `kill` is called, before it is answered. `is_lost`: the
    /// application never sees it, as if its sender had been killed before.
    pub(crate) async fn hold<T>(&self, most: Duration, is_lost: bool, kill: impl AsyncFnOnce() -> T) -> T {
        self.receiver.hold(Some(is_lost));
        let deadline = Instant::now() + most;
        while !self.receiver.is_held() && Instant::now() < deadline {
            sleep(Duration::from_millis(2)).await;
        }
        let done = kill().await;
        self.receiver.hold(None);
        done
    }

    /// No user gets messages any more, and every request is accepted.
    pub(crate) async fn settle(&self) {
        self.stop.cancel();
        self.users.close();
        self.users.wait().await;
        self.receiver.accept_all();
    }

    /// Waits until the application was told that everybody has left, or as long as that may take. Nobody is connected.
    pub(crate) async fn wait_until_gone(&self) {
        self.rest(self.gone_within, || self.receiver.ledger().lock().is_nobody_online()).await;
    }

    /// Everything that was wrong. `delivered` has receivers and ids of messages that were certainly confirmed.
    pub(crate) fn violations(&self, schema: &Schema, delivered: &[(u32, String)]) -> Vec<String> {
        self.receiver.ledger().lock().violations(schema, delivered)
    }

    /// One line for the report.
    pub(crate) fn summary(&self) -> String {
        self.receiver.ledger().lock().summary()
    }
}
