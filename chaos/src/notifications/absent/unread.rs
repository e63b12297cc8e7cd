//! The rounds of a user where the application is told of unread messages: a page that is open confirms them, and somebody
//! is told all the same, once until the user has read.

use std::time::Duration;

use fastrand::Rng;
use futures_util::SinkExt as _;
use serde_json::json;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;

use super::{Absent, LOOK, PROTOCOL, QUIET, STAY};
use crate::history::{LATE, lock};
use crate::schema::OFFLINE;

/// How long a page stays open that gets a message.
const OPEN: Duration = Duration::from_secs(3);

/// What happens when the application was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The application refuses the webhook, and the sender takes the message back before the next try.
    Recall,
    /// The same, and the user reads.
    Read,
    /// Another message comes, and the user does not read for a while.
    StayAway,
    /// The user comes, confirms everything, reads nothing and goes.
    Visit,
    /// As before, and a page was open when the message came.
    OpenPage,
}

const THEN: [Then; 5] = [Then::Recall, Then::Read, Then::StayAway, Then::Visit, Then::OpenPage];

/// How a user reads.
#[derive(Clone, Copy, Debug)]
enum Reading {
    /// PHP clears the counter.
    Php,
    /// A page says so.
    Page,
    /// A page says so of the conversation of each message.
    Conversations,
}

const READINGS: [Reading; 3] = [Reading::Php, Reading::Page, Reading::Conversations];

impl Absent {
    pub(super) async fn unread_round(&mut self, round: u64, rng: &mut Rng) {
        let Ok(user) = self.clients.schema.id(self.number + OFFLINE).map(ToString::to_string) else { return };
        let then = THEN[rng.usize(..THEN.len())];
        // Every webhook until now.
        let before = {
            let mut ledger = self.ledger.lock();
            ledger.refuse(&user, matches!(then, Then::Recall | Then::Read));
            ledger.waiting(&user, &[])
        };
        let sent = if then == Then::OpenPage {
            self.send_to_page(&user, round * 2, rng).await
        } else {
            self.send(&user, round * 2).await
        };
        let mut messages: Vec<_> = sent.into_iter().collect();
        if !messages.is_empty() && self.is_told(&user, &messages, &before).await {
            let mut stays_away = false;
            match then {
                Then::Recall => self.take_back(&user, &mut messages, round * 2).await,
                Then::Read => {
                    self.read(&user, &messages, round * 2, rng).await;
                    sleep(QUIET).await;
                }
                Then::StayAway | Then::Visit | Then::OpenPage => {
                    stays_away = self.is_accepted(&user, &messages, &before).await;
                }
            }
            if stays_away {
                match then {
                    Then::StayAway => messages.extend(self.send(&user, round * 2 + 1).await),
                    Then::Visit => _ = self.visit(PROTOCOL, rng).await,
                    _ => {}
                }
                sleep(QUIET).await;
                let ids: Vec<_> =
                    self.ledger.lock().waiting(&user, &[]).difference(&before).cloned().collect();
                if ids.len() > 1 {
                    self.wrong(format!("told twice, and nothing was read: {user} {ids:?}"));
                }
            }
        }
        if self.confirm(&user, &messages, rng).await {
            self.read(&user, &messages, round * 2, rng).await;
        }
    }

    /// Sends a message while a page is open, which confirms it.
    async fn send_to_page(&mut self, user: &str, number: u64, rng: &mut Rng) -> Option<String> {
        let (clients, receiver) = (self.clients.clone(), self.number + OFFLINE);
        let Ok(socket) = clients.connect(receiver, PROTOCOL, rng).await else {
            return self.send(user, number).await;
        };
        let open = clients.hold(receiver, socket, PROTOCOL, OPEN, "close");
        tokio::join!(open, self.send(user, number)).1
    }

    /// Reads until nothing is unread. What was delivered before, or is so late that it was stored before, is read then.
    async fn read(&mut self, user: &str, messages: &[String], number: u64, rng: &mut Rng) {
        let read: Vec<_> = {
            let ledger = self.ledger.lock();
            let is_later_delivered = messages.iter().any(|message| ledger.is_delivered(user, message));
            let is_read = |message: &str, at: &Duration| {
                is_later_delivered && *at > LATE * 2 || ledger.is_delivered(user, message)
            };
            let uncertain = self.uncertain.iter().map(|(message, at)| (message, at.elapsed()));
            uncertain
                .filter(|(message, at)| is_read(message, at))
                .map(|(message, _)| message.clone())
                .collect()
        };
        let deadline = self.calm.elapsed() + self.within;
        loop {
            let is_late = self.calm.elapsed() > deadline;
            self.read_once(messages, number, rng).await;
            if self.call(self.worker(number), "unread").await == "0" {
                break;
            }
            if is_late {
                self.wrong(format!("messages stay unread: {messages:?} of {user}"));
                return;
            }
            sleep(LOOK).await;
        }
        self.uncertain.retain(|(message, _)| !read.contains(message));
        if self.uncertain.is_empty() {
            self.ledger.lock().nothing_waits(user);
        }
    }

    async fn read_once(&self, messages: &[String], number: u64, rng: &mut Rng) {
        let receiver = self.number + OFFLINE;
        let reading = READINGS[rng.usize(..READINGS.len())];
        let by_conversation = self.clients.schema.is_application();
        let frames: Vec<_> = match reading {
            Reading::Php => {
                self.call(self.worker(number), "clear").await;
                return;
            }
            // A message without a conversation counts for its sender.
            Reading::Conversations if by_conversation => {
                let senders = messages.iter().filter_map(|message| message.split_once(':'));
                senders.map(|(sender, _)| json!({ "read": { "conversation": sender } })).collect()
            }
            Reading::Page | Reading::Conversations => vec![json!({ "read": true })],
        };
        let Ok(mut socket) = self.clients.connect(receiver, PROTOCOL, rng).await else { return };
        lock(&self.clients.history).cleared.insert(receiver);
        for frame in frames {
            if socket.send(Message::text(frame.to_string())).await.is_err() {
                return;
            }
        }
        self.clients.hold(receiver, socket, PROTOCOL, STAY, "close").await;
    }
}
