//! The lines that workers write: see `worker/calls.php`.

use std::time::{Duration, Instant};

use super::{Counted, History, Key, Message, Outcome, Recall};

impl History {
    /// Records a line that a worker wrote.
    pub(crate) fn line(&mut self, line: &str) {
        let fields: Vec<_> = line.split('\t').collect();
        let since = self.started.elapsed();
        match fields[..] {
            [">", key, operation, receivers, conversation, sender] => {
                for receiver in receivers.split(',').filter_map(|number| number.parse().ok()) {
                    let key = key_of(key, operation, receiver);
                    self.called(key, operation, receiver, (conversation, sender));
                }
            }
            ["<", key, outcomes] => self.ended(key, outcomes),
            ["R>", key, _] => {
                self.recalling.insert(key.to_owned(), since);
            }
            ["R<", key, _, outcome] => {
                *self.outcomes.entry(format!("recall {outcome}")).or_default() += 1;
                let from = self.recalling.remove(key).unwrap_or(since);
                let recall = match outcome {
                    "true" => Recall::Taken,
                    "false" => Recall::NotTaken,
                    "refused" => Recall::Refused,
                    _ => Recall::Unknown,
                };
                if let Some(message) = self.messages.get_mut(key) {
                    message.recalls.push((from, since, recall));
                }
            }
            ["C>", user, conversation] => {
                self.clearing.insert((user.parse().unwrap_or(0), conversation.to_owned()), since);
            }
            ["C<", user, conversation, outcome] => {
                *self.outcomes.entry(format!("clear {outcome}")).or_default() += 1;
                let counted = (user.parse().unwrap_or(0), conversation.to_owned());
                let from = self.clearing.remove(&counted).unwrap_or(since);
                self.clear(counted, from, outcome);
            }
            ["!", text] => self.wrong.push(format!("a worker ended: {text}")),
            // A killed worker may leave half a line; its call counts as not reported.
            _ => {}
        }
    }

    fn called(&mut self, key: Key, operation: &str, receiver: u32, (conversation, sender): (&str, &str)) {
        let since = self.started.elapsed();
        let number = self.messages.len();
        let counted = &mut self.counted;
        let message = self.messages.entry(key).or_insert_with_key(|key| {
            let message = Message {
                number,
                operation: operation.to_owned(),
                receiver,
                conversation: Some(conversation.to_owned()).filter(|name| !name.is_empty()),
                sender: sender.to_owned(),
                outcome: Outcome::Refused,
                calls: Vec::new(),
                recalls: Vec::new(),
                may_be_lost: false,
                pending: 0,
            };
            if message.is_stored() {
                let part = (receiver, message.counts_for().to_owned());
                counted.entry(part).or_default().push(Counted::Sent(key.clone()));
            }
            message
        });
        message.pending += 1;
        message.calls.push((since, "called".to_owned()));
    }

    /// Records the outcome of a call, or one for each of many receivers. Whoever has none is as all of them.
    fn ended(&mut self, key: &str, outcomes: &str) {
        if !outcomes.contains('=') {
            let prefix = format!("{key}@");
            let keys = self.messages.range(prefix.clone()..).map(|(key, _)| key);
            let mut many: Vec<_> = keys.take_while(|key| key.starts_with(&prefix)).cloned().collect();
            if self.messages.contains_key(key) {
                many.push(key.to_owned());
            }
            for key in many {
                self.ended_for(&key, outcomes);
            }
            return;
        }
        for (receiver, word) in outcomes.split(',').filter_map(|outcome| outcome.split_once('=')) {
            self.ended_for(&format!("{key}@{receiver}"), word);
        }
    }

    fn ended_for(&mut self, key: &str, word: &str) {
        let since = self.started.elapsed();
        *self.outcomes.entry(word.to_owned()).or_default() += 1;
        let Some(message) = self.messages.get_mut(key) else { return };
        message.pending -= 1;
        message.calls.push((since, word.to_owned()));
        let outcome = match word {
            "ok" | "queued" => Outcome::Accepted,
            "refused" | "rejected" => Outcome::Refused,
            _ => Outcome::Unknown,
        };
        message.outcome = message.outcome.max(outcome);
        if word == "ok" && message.is_stored() {
            let now = Instant::now();
            let gap = self.last_success.map_or(Duration::ZERO, |last| now - last);
            self.longest_gap = self.longest_gap.max(gap);
            self.last_success = Some(now);
        }
    }

    /// Records a clear of a conversation, or of everything that a user has unread.
    pub(super) fn clear(&mut self, counted: (u32, String), from: Duration, outcome: &str) {
        let to = self.started.elapsed();
        if counted.1.is_empty() {
            self.cleared.insert(counted.0);
            return;
        }
        let done = match outcome {
            "ok" | "queued" => Some(true),
            "refused" => Some(false),
            _ => None,
        };
        let queued = outcome == "queued";
        self.counted.entry(counted).or_default().push(Counted::Cleared { from, to, done, queued });
    }
}

fn key_of(key: &str, operation: &str, receiver: u32) -> Key {
    if operation == "group" { format!("{key}@{receiver}") } else { key.to_owned() }
}
