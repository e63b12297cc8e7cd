//! Every webhook that has come, and what is wrong with them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::history::LATE;
use crate::schema::Schema;

/// The ledger, as the receiver and the users who are away share it.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Entries>);

impl Ledger {
    /// The entries. The lock is never held across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has come.
#[derive(Debug)]
pub(crate) struct Entries {
    started: Instant,
    /// Webhooks by id, with the order of their first arrival.
    webhooks: HashMap<String, Webhook>,
    /// Webhooks that say that messages wait, by user: their ids, and the last message of each try.
    waiting: HashMap<String, Vec<(String, String)>>,
    /// The ids of webhooks that were accepted.
    accepted: HashSet<String>,
    /// Receivers and ids of messages of whose confirmation a webhook was accepted.
    delivered: HashSet<(String, String)>,
    /// How often one of each kind has come.
    counts: BTreeMap<String, u64>,
    /// When messages were known to be confirmed, by id.
    confirmed: HashMap<String, Duration>,
    /// How long it took at most until the application was told that a message waits.
    latest: Duration,
    /// What is wrong.
    pub(crate) wrong: Vec<String>,
}

#[derive(Clone, Debug)]
struct Webhook {
    number: usize,
    tries: u32,
    event: String,
    data: Value,
}

impl Default for Entries {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            webhooks: HashMap::new(),
            waiting: HashMap::new(),
            accepted: HashSet::new(),
            delivered: HashSet::new(),
            counts: BTreeMap::new(),
            confirmed: HashMap::new(),
            latest: Duration::ZERO,
            wrong: Vec::new(),
        }
    }
}

/// The text of an id, which is a number where ids are of type `int`.
fn text(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

impl Entries {
    /// Enters a request. Returns how often the webhook has come.
    pub(super) fn received(&mut self, id: &str, body: &[u8], is_signed: bool) -> u32 {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let (event, data) = (body["type"].as_str().unwrap_or_default().to_owned(), body["data"].clone());
        *self.counts.entry(event.clone()).or_default() += 1;
        if !is_signed || id.is_empty() || event.is_empty() {
            self.wrong.push(format!("a webhook is not signed or not readable: {id} {body}"));
        }
        let now = self.started.elapsed();
        if event == "message.waiting"
            && let Some(message) = data["last"]["message_id"].as_str()
            && let Some(at) = self.confirmed.get(message)
            && now > *at + LATE
        {
            self.wrong
                .push(format!("told of what was delivered: {message}, {:?} later", now.saturating_sub(*at)));
        }
        if event == "message.waiting" {
            let last = (id.to_owned(), text(&data["last"]["message_id"]));
            self.waiting.entry(text(&data["user_id"])).or_default().push(last);
        }
        let number = self.webhooks.len();
        let first = self.webhooks.entry(id.to_owned()).or_insert_with(|| Webhook {
            number,
            tries: 0,
            event: event.clone(),
            data: data.clone(),
        });
        first.tries += 1;
        let tries = first.tries;
        // What waits may be more in the next try.
        let is_same = first.event == event
            && if event == "message.waiting" {
                first.data["user_id"] == data["user_id"]
            } else {
                first.data == data
            };
        if !is_same {
            self.wrong.push(format!("two webhooks have one id: {id} {} {data}", first.data));
        }
        tries
    }

    /// A request was accepted in time.
    pub(super) fn accepted(&mut self, id: &str) {
        self.accepted.insert(id.to_owned());
        if let Some(Webhook { event, data, .. }) = self.webhooks.get(id)
            && event == "message.delivered"
        {
            self.delivered.insert((text(&data["receiver_id"]), text(&data["message_id"])));
        }
    }

    /// Whether a webhook was accepted that says that messages wait for a user, the last of them one of these.
    pub(crate) fn is_told(&self, user: &str, messages: &[String]) -> bool {
        self.waiting(user, messages).iter().any(|id| self.accepted.contains(id))
    }

    /// The application was told so long after the message was accepted.
    pub(crate) fn told_after(&mut self, time: Duration) {
        self.latest = self.latest.max(time);
    }

    /// The ids of webhooks that say that messages wait for a user, the last of them with one of these ids.
    pub(crate) fn waiting(&self, user: &str, messages: &[String]) -> HashSet<String> {
        let own = self.waiting.get(user).into_iter().flatten();
        own.filter(|(_, last)| messages.contains(last)).map(|(id, _)| id.clone()).collect()
    }

    /// Whether the application was told that a user's client has confirmed a message.
    pub(crate) fn is_delivered(&self, user: &str, message: &str) -> bool {
        self.delivered.contains(&(user.to_owned(), message.to_owned()))
    }

    /// A message was confirmed.
    pub(crate) fn confirmed(&mut self, message: &str) {
        self.confirmed.insert(message.to_owned(), self.started.elapsed());
    }

    pub(super) fn violations(&self, schema: &Schema, delivered: &[(u32, String)]) -> Vec<String> {
        let mut found = self.wrong.clone();
        let mut ids: HashMap<(String, String), usize> = HashMap::new();
        let mut presence: BTreeMap<String, Vec<&Webhook>> = BTreeMap::new();
        for webhook in self.webhooks.values() {
            match webhook.event.as_str() {
                "message.delivered" => {
                    let Webhook { data, .. } = webhook;
                    *ids.entry((text(&data["receiver_id"]), text(&data["message_id"]))).or_default() += 1;
                }
                "user.online" | "user.offline" => {
                    presence.entry(text(&webhook.data["user_id"])).or_default().push(webhook);
                }
                _ => {}
            }
        }
        for ((user, message), _) in ids.iter().filter(|(_, count)| **count > 1) {
            found.push(format!("a confirmation is told under two ids: {message} of {user}"));
        }
        for (receiver, message) in delivered {
            let Ok(user) = schema.id(*receiver) else { continue };
            if !self.is_delivered(&user.to_string(), message) {
                found.push(format!("a confirmation is not told: {message} of {user}"));
            }
        }
        for (user, mut webhooks) in presence {
            webhooks.sort_unstable_by_key(|webhook| webhook.number);
            let wrong = webhooks.iter().enumerate().find(|(number, webhook)| {
                let expected = if number.is_multiple_of(2) { "user.online" } else { "user.offline" };
                webhook.event != expected
            });
            if let Some((number, webhook)) = wrong {
                let time = &webhook.data["time"];
                found.push(format!("coming and going do not alternate: {user}, number {number}, at {time}"));
            }
        }
        found
    }

    pub(super) fn summary(&self) -> String {
        let Self { webhooks, counts, latest, .. } = self;
        format!("webhooks   {} ({counts:?} requests), at most {latest:.1?} until told", webhooks.len())
    }
}
