//! Every webhook that has come, and what is wrong with them.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::calm::Calm;
use super::over::Over;
use super::presence::Presence;
use crate::schema::Schema;

/// The ledger, as the receiver and the users who are away share it.
#[derive(Debug)]
pub(crate) struct Ledger(Mutex<Entries>);

impl Ledger {
    pub(super) fn new(calm: Arc<Calm>, of_unread: bool) -> Self {
        Self(Mutex::new(Entries::new(calm, of_unread)))
    }

    /// The entries. The lock is never held across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has come.
#[derive(Debug)]
pub(crate) struct Entries {
    calm: Arc<Calm>,
    /// Whether webhooks say that messages are unread. What is delivered may be unread, and the newest message may
    /// not be known any more.
    of_unread: bool,
    /// Webhooks by id.
    webhooks: HashMap<String, Webhook>,
    /// Webhooks that say that messages wait, by user: each try.
    waiting: HashMap<String, Vec<Waiting>>,
    /// The ids of webhooks that were accepted.
    accepted: HashSet<String>,
    /// Receivers and ids of messages of whose confirmation a webhook was accepted.
    delivered: HashSet<(String, String)>,
    /// Who has come and gone.
    presence: Presence,
    /// How often one of each kind has come.
    counts: BTreeMap<String, u64>,
    /// Messages that are known to be confirmed, by id.
    confirmed: HashMap<String, Over>,
    /// Users for whom nothing waits, as far as can be known.
    idle: HashMap<String, Over>,
    /// Users of whom the application accepts no webhook.
    refused: HashSet<String>,
    /// How long it took at most until the application was told that a message waits, in calm time.
    latest: Duration,
    /// How long after the end of what it tells of a webhook came at most.
    latest_over: Duration,
    /// What is wrong.
    pub(crate) wrong: Vec<String>,
}

#[derive(Clone, Debug)]
struct Webhook {
    tries: u32,
    event: String,
    data: Value,
}

/// A try to say that messages wait for a user.
#[derive(Clone, Debug)]
struct Waiting {
    id: String,
    /// The id of the newest message.
    last: String,
    /// When it came, in calm time.
    at: Duration,
}

/// The text of an id, which is a number where ids are of type `int`.
fn text(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

impl Entries {
    fn new(calm: Arc<Calm>, of_unread: bool) -> Self {
        Self {
            calm,
            of_unread,
            webhooks: HashMap::new(),
            waiting: HashMap::new(),
            accepted: HashSet::new(),
            delivered: HashSet::new(),
            presence: Presence::default(),
            counts: BTreeMap::new(),
            confirmed: HashMap::new(),
            idle: HashMap::new(),
            refused: HashSet::new(),
            latest: Duration::ZERO,
            latest_over: Duration::ZERO,
            wrong: Vec::new(),
        }
    }

    /// Enters a request. Returns how often the webhook has come.
    pub(super) fn received(&mut self, id: &str, body: &[u8], is_signed: bool) -> u32 {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let (event, data) = (body["type"].as_str().unwrap_or_default().to_owned(), body["data"].clone());
        *self.counts.entry(event.clone()).or_default() += 1;
        if !is_signed || id.is_empty() || event.is_empty() {
            self.wrong.push(format!("a webhook is not signed or not readable: {id} {body}"));
        }
        if event == "message.waiting" {
            self.told_waiting(id, text(&data["user_id"]), text(&data["last"]["message_id"]));
        }
        if matches!(event.as_str(), "user.online" | "user.offline") && !self.webhooks.contains_key(id) {
            self.presence.told(text(&data["user_id"]), &event, &data["time"]);
        }
        let first = self.webhooks.entry(id.to_owned()).or_insert_with(|| Webhook {
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

    /// Whether the application refuses webhooks that say that messages wait for a user.
    pub(crate) fn refuse(&mut self, user: &str, refuses: bool) {
        if refuses {
            self.refused.insert(user.to_owned());
        } else {
            self.refused.remove(user);
        }
    }

    /// Whether it refuses this one.
    pub(super) fn is_refused(&self, id: &str) -> bool {
        self.webhooks.get(id).is_some_and(|webhook| {
            webhook.event == "message.waiting" && self.refused.contains(&text(&webhook.data["user_id"]))
        })
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

    /// A webhook has come that says that messages wait for a user, the newest of them this one.
    fn told_waiting(&mut self, id: &str, user: String, last: String) {
        let at = self.calm.elapsed();
        for (over, what) in [
            (self.idle.get_mut(&user), "told although nothing waits"),
            (self.confirmed.get_mut(&last), "told of what was delivered"),
        ] {
            let Some((late, wrong)) = over.map(|over| over.told(at)) else { continue };
            self.latest_over = self.latest_over.max(late);
            self.wrong.extend(wrong.map(|wrong| format!("{what}: {last} for {user}, {wrong}")));
        }
        self.waiting.entry(user).or_default().push(Waiting { id: id.to_owned(), last, at });
    }

    /// When a webhook came first, in calm time, that says that messages wait for a user, the newest of them one of
    /// these. It has none of the ids `before`.
    pub(crate) fn told_at(
        &self,
        user: &str,
        messages: &[String],
        before: &HashSet<String>,
    ) -> Option<Duration> {
        self.tries(user, messages).find(|one| !before.contains(&one.id)).map(|one| one.at)
    }

    /// Whether such a webhook was accepted.
    pub(crate) fn is_accepted(&self, user: &str, messages: &[String], before: &HashSet<String>) -> bool {
        let mut tries = self.tries(user, messages);
        tries.any(|one| !before.contains(&one.id) && self.accepted.contains(&one.id))
    }

    /// The ids of webhooks that say that messages wait for a user, the newest of them one of these; or of all, if
    /// they say that messages are unread.
    pub(crate) fn waiting(&self, user: &str, messages: &[String]) -> HashSet<String> {
        self.tries(user, messages).map(|one| one.id.clone()).collect()
    }

    fn tries(&self, user: &str, messages: &[String]) -> impl Iterator<Item = &Waiting> {
        let own = self.waiting.get(user).into_iter().flatten();
        own.filter(|one| self.of_unread || messages.contains(&one.last))
    }

    /// The application was told so long after it had to know, in calm time.
    pub(crate) fn told_after(&mut self, time: Duration) {
        self.latest = self.latest.max(time);
    }

    /// Whether the application was told that a user's client has confirmed a message.
    pub(crate) fn is_delivered(&self, user: &str, message: &str) -> bool {
        self.delivered.contains(&(user.to_owned(), message.to_owned()))
    }

    /// Whether it was told of everybody who came that they have left.
    pub(super) fn is_nobody_online(&self) -> bool {
        self.presence.online().next().is_none()
    }

    /// A message is known to be confirmed.
    pub(crate) fn confirmed(&mut self, message: &str) {
        if self.of_unread {
            return;
        }
        self.confirmed.insert(message.to_owned(), Over::new(self.calm.elapsed()));
    }

    /// Nothing waits for a user any more.
    pub(crate) fn nothing_waits(&mut self, user: &str) {
        let now = self.calm.elapsed();
        self.idle.entry(user.to_owned()).or_insert_with(|| Over::new(now));
    }

    /// Something may wait for a user from now on.
    pub(crate) fn something_waits(&mut self, user: &str) {
        self.idle.remove(user);
    }

    pub(super) fn violations(&self, schema: &Schema, delivered: &[(u32, String)]) -> Vec<String> {
        let mut found = self.wrong.clone();
        let mut ids: HashMap<(String, String), usize> = HashMap::new();
        for Webhook { data, .. } in
            self.webhooks.values().filter(|webhook| webhook.event == "message.delivered")
        {
            *ids.entry((text(&data["receiver_id"]), text(&data["message_id"]))).or_default() += 1;
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
        found.extend(self.presence.violations());
        found
    }

    pub(super) fn summary(&self) -> String {
        let Self { calm, webhooks, counts, latest, latest_over, .. } = self;
        format!(
            "webhooks   {} ({counts:?} requests)\n           in {:.1?} without a fault and what follows it: at most \
             {latest:.1?} until told, at most {latest_over:.1?} after the end of what is told",
            webhooks.len(),
            calm.elapsed()
        )
    }
}
