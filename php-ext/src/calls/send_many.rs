//! Storing and pushing a message for many receivers, in one write and one wait.

use std::borrow::Cow;
use std::collections::HashMap;

use chatpush_wire::address::Address;
use chatpush_wire::conversation::Conversation;
use chatpush_wire::entry::MANY_RECEIVERS;
use chatpush_wire::envelope;
use chatpush_wire::frame::{AFTER_TIME, Message, MessageType};
use chatpush_wire::id::{MessageId, Sender, UserId};
use chatpush_wire::limit::{CHOSEN_SEEN_TTL, LOG_ENTRIES};
use chatpush_wire::lua::ACCEPT_MANY;
use chatpush_wire::new_entry::NewMessageToMany;
use chatpush_wire::reply::{Refusal, Reply};

use super::groups::{Group, groups};
use super::store::{awaits, seen_ttl};
use super::{new_id, now_ms, unexpected};
use crate::delivery::Delivery;
use crate::error::{Error, Partial};
use crate::exchange::{Awaits, Part, ScriptCalls, Waits};
use crate::link::{self, ExecuteError, Needs};
use crate::outcome::Outcome;
use crate::settings::Call;

/// What is sent to each receiver.
pub(crate) struct ToMany<'a> {
    pub(crate) sender: &'a UserId,
    pub(crate) receivers: Vec<UserId>,
    pub(crate) content: &'a str,
    pub(crate) message_type: &'a MessageType,
    /// The id that the sender chose, if any. With it the call can be repeated.
    pub(crate) chosen: Option<MessageId>,
    pub(crate) conversation: Option<&'a Conversation>,
}

/// Stores a message for each receiver and pushes it in the same step.
pub(crate) fn send(call: &Call, message: ToMany<'_>) -> Result<Vec<(UserId, Delivery)>, Error> {
    let ToMany { sender, receivers, content, message_type, chosen, conversation } = message;
    if receivers.is_empty() {
        return Ok(Vec::new());
    }
    let is_chosen = chosen.is_some();
    let (id, ttl) = match chosen {
        Some(id) => (id, CHOSEN_SEEN_TTL),
        None => (new_id(now_ms())?, seen_ttl(call)),
    };
    let prefix = &call.prefix;
    let message_type = Some(message_type);
    let from = Sender::from(sender);
    let frame = Message { id: &id, message_type, data: content, from: Some(&from), conversation };
    let before_time = envelope::tracked(&id, false) + &frame.before_time();
    let ttl = ttl.as_millis().to_string();
    let most = LOG_ENTRIES.to_string();
    let entry = NewMessageToMany { id: &id, sender, content, message_type, conversation };
    let fields: Vec<_> = entry.fields().into_iter().flat_map(|(name, value)| [name.into(), value]).collect();
    let groups = groups(&receivers);
    let parts = groups.iter().map(|group| {
        let users = || group.places.iter().filter_map(|place| receivers.get(*place));
        let mut keys = vec![prefix.log(group.partition), prefix.daemons_channel(group.partition)];
        keys.extend(users().flat_map(|user| [prefix.seen(user, &id), prefix.user_channel(user)]));
        let mut arguments: Vec<Cow<'_, str>> = vec![
            most.as_str().into(),
            ttl.as_str().into(),
            before_time.as_str().into(),
            AFTER_TIME.into(),
            envelope::MANY.into(),
            group.places.len().to_string().into(),
        ];
        arguments.extend(users().map(|user| user.to_string().into()));
        arguments.extend(fields.iter().map(|field| Cow::Borrowed(&**field)));
        Part::new(group.partition, keys, arguments)
    });
    let needs = Needs { prefix, content: Some(content), storage: true, entries: MANY_RECEIVERS };
    let (awaits, unanswered) = awaits(call);
    let is_wanted = if awaits == Awaits::Daemon { expects_reply } else { is_queued };
    let waits = (awaits != Awaits::Nothing).then_some(Waits { awaits, is_wanted, unanswered });
    let mut calls = ScriptCalls {
        script: &ACCEPT_MANY,
        prefix,
        parts: parts.collect(),
        repeatable: true,
        needs: Some(needs),
        found_no_daemon: |answer| answer.first().is_some_and(|marks| marks.contains(&b'n')),
        waits,
        subscribes: 0,
        loads: false,
        written: 0,
    };
    let failed = link::execute_parts(call, &mut calls, call.deadline()).err();
    let known = Known { address: &call.address, awaits, failed };
    let mut results = Results::default();
    for (group, part) in groups.iter().zip(&calls.parts) {
        known.add(group, part, &mut results);
    }
    results.in_order(receivers, is_chosen, known.failed.map(Error::from))
}

/// Whether the script has appended an entry.
fn expects_reply(answer: &[Vec<u8>]) -> bool {
    answer.first().is_some_and(|marks| marks.iter().any(|mark| is_listed(*mark)))
}

/// Whether the script has accepted the message for any receiver, now or before.
fn is_queued(answer: &[Vec<u8>]) -> bool {
    answer.first().is_some_and(|marks| marks.iter().any(|mark| is_accepted(*mark)))
}

/// Whether the message for a receiver with this mark was accepted, now or before.
const fn is_accepted(mark: u8) -> bool {
    is_listed(mark) || matches!(mark, b'W' | b'w')
}

/// Whether a receiver with this mark stands in the entry.
const fn is_listed(mark: u8) -> bool {
    matches!(mark, b'1' | b'0' | b'D' | b'd')
}

/// Whether the first of several answers says that the message for this receiver was accepted.
fn was_accepted(part: &Part<'_>, at: usize) -> bool {
    let mark = part.first_answer().and_then(|answer| answer.first()?.get(at));
    mark.is_some_and(|mark| is_accepted(*mark))
}

/// What became of the message for one receiver: delivered, or what is known and why.
type Sent = Result<Delivery, (Outcome, Cause)>;

/// Why it failed for a receiver.
enum Cause {
    /// As the exchange as a whole.
    Exchange,
    This(Error),
}

/// What is known of all calls.
struct Known<'a> {
    address: &'a Address,
    awaits: Awaits,
    failed: Option<ExecuteError>,
}

/// The results by the place of the receiver in the list.
#[derive(Default)]
struct Results(HashMap<usize, Sent>);

impl Known<'_> {
    /// Adds the result of each receiver of a call.
    fn add(&self, group: &Group, part: &Part<'_>, results: &mut Results) {
        let unknown = part.may_be_executed();
        let (is_daemon, is_replica) =
            (self.awaits == Awaits::Daemon, matches!(self.awaits, Awaits::Replica(_)));
        let Some([marks, error, refusals @ ..]) = part.answer() else {
            let outcome = if unknown { Outcome::Unknown } else { Outcome::NotQueued };
            results.0.extend(group.places.iter().map(|place| (*place, Err((outcome, Cause::Exchange)))));
            return;
        };
        let mut refusals = refusals.iter();
        let mut each = match part.reply() {
            Some(Reply::Each(each)) => Some(each.outcomes()),
            _ => None,
        };
        for (at, (place, mark)) in group.places.iter().zip(marks).enumerate() {
            // Redis has lost what it accepted before the connection broke. A daemon may have stored it.
            let unknown = unknown || was_accepted(part, at);
            let not_queued = if unknown { Outcome::Unknown } else { Outcome::NotQueued };
            let result = match mark {
                mark if is_accepted(*mark) && is_replica && !part.is_replicated() => {
                    let outcome = if part.may_be_gone() { Outcome::Unknown } else { Outcome::Queued };
                    Err((outcome, Cause::Exchange))
                }
                mark if is_listed(*mark) && is_daemon => match (part.reply(), &mut each) {
                    (Some(_), Some(each)) => match each.next() {
                        Some(Ok(online)) => Ok(delivery(online)),
                        Some(Err(refused)) => Err((Outcome::NotQueued, Cause::This(refused.into()))),
                        None => Err((Outcome::Unknown, Cause::This(Error::UnexpectedReply))),
                    },
                    (Some(other), None) => {
                        let error = unexpected(other.clone());
                        Err((error.outcome(), Cause::This(error)))
                    }
                    (None, _) if part.may_be_gone() => Err((Outcome::Unknown, Cause::Exchange)),
                    (None, _) => Err((Outcome::Queued, Cause::Exchange)),
                },
                b'W' | b'w' if is_daemon => Err((Outcome::Queued, Cause::This(Error::NotAwaited))),
                b'1' | b'D' | b'W' => Ok(Delivery::Live),
                b'0' | b'd' | b'w' => Ok(Delivery::Stored),
                b'n' => Err((not_queued, Cause::This(Refusal::NoDaemon.into()))),
                b'b' => Err((not_queued, Cause::This(Refusal::Backlog.into()))),
                b'x' => {
                    let reply = refusals.next().and_then(|json| serde_json::from_slice(json).ok());
                    let error = reply.map_or(Error::UnexpectedReply, unexpected);
                    Err((error.outcome(), Cause::This(error)))
                }
                _ => {
                    let text = String::from_utf8_lossy(error).into_owned();
                    Err((not_queued, Cause::This(ExecuteError::refused(self.address, text).into())))
                }
            };
            results.0.insert(*place, result);
        }
    }
}

impl Results {
    /// The deliveries in the order of the list; or an error that says what became of each.
    fn in_order(
        mut self,
        receivers: Vec<UserId>,
        is_chosen: bool,
        exchange: Option<Error>,
    ) -> Result<Vec<(UserId, Delivery)>, Error> {
        let mut deliveries = Vec::with_capacity(receivers.len());
        let mut outcomes = Vec::new();
        let exchange = exchange.unwrap_or(Error::UnexpectedReply);
        let mut worst: Option<((u8, bool), Outcome, Cause)> = None;
        let mut may_be_completed = false;
        for (place, user) in receivers.into_iter().enumerate() {
            match self.0.remove(&place) {
                Some(Ok(delivery)) => deliveries.push((user, delivery)),
                Some(Err((outcome, cause))) => {
                    outcomes.push((user, outcome));
                    let may_pass = match &cause {
                        Cause::Exchange => exchange.may_pass(),
                        Cause::This(error) => error.may_pass(),
                    };
                    may_be_completed |= may_pass && outcome != Outcome::Queued;
                    // Of equal outcomes the one whose cause may pass, wherever it stands in the list.
                    let rank = (severity(outcome), may_pass);
                    if worst.as_ref().is_none_or(|(known, ..)| *known < rank) {
                        worst = Some((rank, outcome, cause));
                    }
                }
                // Each place is in one group.
                None => {}
            }
        }
        let Some((_, outcome, cause)) = worst else { return Ok(deliveries) };
        let cause = match cause {
            Cause::This(error) => error,
            Cause::Exchange => exchange,
        };
        let cause = Box::new(if is_chosen { cause.idempotent() } else { cause });
        let may_be_completed = is_chosen && may_be_completed;
        Err(Error::Partial(Box::new(Partial { deliveries, outcomes, outcome, cause, may_be_completed })))
    }
}

/// The outcome that matters more has the higher number.
const fn severity(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Queued => 0,
        Outcome::NotQueued => 1,
        Outcome::Unknown => 2,
    }
}

const fn delivery(online: bool) -> Delivery {
    if online { Delivery::Live } else { Delivery::Stored }
}
