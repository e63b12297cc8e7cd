//! What each function asks of Redis. No PHP types here.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chatpush_wire::entry::Entry;
use chatpush_wire::envelope;
use chatpush_wire::frame::{Message, MessageType};
use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::limit::{
    CHOSEN_SEEN_TTL, LOG_ENTRIES, QUERY_TTL, ROWS_PER_PAGE, SEEN_TTL, WAITING_QUERIES,
};
use chatpush_wire::lua::{ACCEPT, APPEND, QUERY};
use chatpush_wire::partition::Partition;
use chatpush_wire::query::{Query, QueryRequest};
use chatpush_wire::reply::{Reply, Row};
use chatpush_wire::token;

use crate::delivery::Delivery;
use crate::error::Error;
use crate::exchange::{Command, Keys, Progress, ScriptCall, ScriptOutcome};
use crate::fetched_rows;
use crate::link::{self, Answer, LinkError};
use crate::settings::{self, Settings};

/// Pushes to whoever is connected now; whether somebody was.
pub(crate) fn push(receiver: UserId, content: &str, message_type: &MessageType) -> Result<bool, Error> {
    let settings = settings::current()?;
    let envelope = if let Some(row) = fetched_rows::take(receiver, content) {
        let message =
            Message { id: &row.id, message_type: Some(message_type), data: content, from: Some(row.sender) };
        envelope::tracked(&row.id, false) + &message.stored(row.time_ms)
    } else {
        let (id, now) = new_id()?;
        let message = Message { id: &id, message_type: Some(message_type), data: content, from: None };
        envelope::EPHEMERAL.to_owned() + &message.live(now)
    };
    let channel = settings.prefix.user_channel(receiver);
    let parts: [&[u8]; 3] = [b"SPUBLISH", channel.as_bytes(), envelope.as_bytes()];
    Ok(link::execute(
        &settings,
        &mut Command { parts: &parts, repeatable: false, read: Answer::into_number },
        settings.deadline(),
    )? > 0)
}

/// Ends the user's connections on every daemon; whether there were any.
pub(crate) fn disconnect(user: UserId) -> Result<bool, Error> {
    let settings = settings::current()?;
    let channel = settings.prefix.user_channel(user);
    let parts: [&[u8]; 3] = [b"SPUBLISH", channel.as_bytes(), envelope::DISCONNECT.as_bytes()];
    let mut exchange = Command { parts: &parts, repeatable: true, read: Answer::into_number };
    Ok(link::execute(&settings, &mut exchange, settings.deadline())? > 0)
}

/// Whether a daemon holds a connection of the user.
pub(crate) fn is_online(user: UserId) -> Result<bool, Error> {
    let settings = settings::current()?;
    let channel = settings.prefix.user_channel(user);
    let parts: [&[u8]; 3] = [b"PUBSUB", b"SHARDNUMSUB", channel.as_bytes()];
    let read = |answer: Answer| {
        let count = answer.into_array()?.into_iter().nth(1);
        count
            .map_or_else(|| Err(LinkError::Broken("the answer is too short".to_owned())), Answer::into_number)
    };
    Ok(link::execute(&settings, &mut Command { parts: &parts, repeatable: true, read }, settings.deadline())?
        > 0)
}

/// Stores a message: true once it is committed, or in the log where that is enough.
pub(crate) fn store(sender: UserId, receiver: UserId, content: &str) -> Result<bool, Error> {
    let settings = settings::current()?;
    let (id, _) = new_id()?;
    accept(&settings, &id, remembered(&settings), sender, receiver, content, None).map(|_live| true)
}

/// Stores a message and pushes it in the same step. Under an id that the sender has chosen, a second call is
/// the same message.
pub(crate) fn send(
    sender: UserId,
    receiver: UserId,
    content: &str,
    message_type: &MessageType,
    chosen: Option<MessageId>,
) -> Result<Delivery, Error> {
    let settings = settings::current()?;
    let (id, remembered) = match chosen {
        Some(id) => (id, CHOSEN_SEEN_TTL),
        None => (new_id()?.0, remembered(&settings)),
    };
    let live = accept(&settings, &id, remembered, sender, receiver, content, Some(message_type))?;
    Ok(if live { Delivery::Live } else { Delivery::Stored })
}

/// How long a generated message id is remembered.
fn remembered(settings: &Settings) -> Duration {
    SEEN_TTL.max(settings.timeout * 2)
}

/// Accepts a message under an id that makes a repeated call the same message; whether its receiver was
/// connected.
fn accept(
    settings: &Settings,
    id: &MessageId,
    remembered: Duration,
    sender: UserId,
    receiver: UserId,
    content: &str,
    message_type: Option<&MessageType>,
) -> Result<bool, Error> {
    let partition = Partition::of(receiver);
    let prefix = &settings.prefix;
    let message = Message { id, message_type, data: content, from: Some(sender.get().into()) };
    let envelope = envelope::tracked(id, message_type.is_none()) + &message.open();
    let entry = Entry::Message {
        id: id.clone(),
        sender,
        receiver,
        content: content.to_owned(),
        message_type: message_type.cloned(),
        receiver_online: false,
        reply_to: None,
    };
    let mut arguments = vec![LOG_ENTRIES.to_string(), remembered.as_millis().to_string(), envelope];
    arguments.extend(fields(&entry));
    let mut exchange = ScriptCall {
        script: &ACCEPT,
        keys: Keys::Known(vec![
            prefix.log(partition),
            prefix.seen(receiver, id),
            prefix.user_channel(receiver),
            prefix.daemons_channel(partition),
        ]),
        arguments,
        repeatable: true,
        partition,
        prefix,
        waits: settings.committed,
        unanswered: "the message is queued and will be stored once, but it was not committed in time (is MySQL away, \
                     or does the calling transaction hold this user's row?)",
        progress: Progress::default(),
    };
    match link::execute(settings, &mut exchange, settings.deadline())? {
        ScriptOutcome::Accepted(live) => Ok(live == "1"),
        ScriptOutcome::Replied(Reply::Stored { receiver_online }) => Ok(receiver_online),
        ScriptOutcome::Replied(other) => Err(unexpected(other)),
    }
}

/// Stored rows with ids above `after`, oldest first, at most `limit`; asked for in pages, all
/// of them within one deadline.
pub(crate) fn rows(user: UserId, limit: u32, mut after: u64) -> Result<Vec<Row>, Error> {
    let settings = settings::current()?;
    let deadline = settings.deadline();
    let mut rows = Vec::new();
    loop {
        let left = limit.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        let query = Query::Rows { user, after, limit: left.min(ROWS_PER_PAGE) };
        let (page, more) = match read(&settings, query, deadline)? {
            Reply::Rows { rows, more } => (rows, more),
            other => return Err(unexpected(other)),
        };
        after = page.last().map_or(after, |row| row.id);
        let empty = page.is_empty();
        rows.extend(page);
        if !more || empty || rows.len() >= limit as usize {
            fetched_rows::remember(user, &rows);
            return Ok(rows);
        }
    }
}

/// The unread counter.
pub(crate) fn unread(user: UserId) -> Result<u64, Error> {
    let settings = settings::current()?;
    match read(&settings, Query::Unread { user }, settings.deadline())? {
        Reply::Unread(count) => Ok(count),
        other => Err(unexpected(other)),
    }
}

/// Sets the unread counter to 0.
pub(crate) fn clear_unread(user: UserId) -> Result<(), Error> {
    match append(&Entry::Clear { receiver: user, reply_to: None })? {
        Reply::Cleared => Ok(()),
        other => Err(unexpected(other)),
    }
}

/// Removes rows that the application has rendered itself; how many there were.
pub(crate) fn acknowledge(user: UserId, rows: Vec<u64>) -> Result<u64, Error> {
    if rows.is_empty() {
        return Ok(0);
    }
    match append(&Entry::AppDelete { receiver: user, rows, reply_to: None })? {
        Reply::Removed(count) => Ok(count),
        other => Err(unexpected(other)),
    }
}

/// A connect token.
pub(crate) fn connect_token(user: UserId, ttl: u64) -> Result<String, Error> {
    let settings = settings::current()?;
    match &settings.secret {
        Ok(Some(secret)) => {
            Ok(token::sign(secret, user, settings.audience.as_deref(), now_ms() / 1000, ttl))
        }
        Ok(None) => Err(Error::Setting(
            "chatpush.secret is not set: give it the CHATPUSH_SECRET of chatpushd (make one with: openssl rand -hex 32)"
                .to_owned(),
        )),
        Err(wrong) => Err(Error::Setting(wrong.clone())),
    }
}

fn read(settings: &Settings, query: Query, deadline: Instant) -> Result<Reply, Error> {
    let partition = Partition::of(query.user());
    let json = serde_json::to_string(&QueryRequest::new(query))
        .map_err(|error| Error::Refused(error.to_string()))?;
    let prefix = &settings.prefix;
    let keys = |daemon: &str| {
        vec![
            prefix.log(partition),
            prefix.query_channel(partition, daemon),
            prefix.daemons_channel(partition),
            prefix.query_list(partition),
        ]
    };
    let mut exchange = ScriptCall {
        script: &QUERY,
        keys: Keys::By(&keys),
        arguments: vec![json, WAITING_QUERIES.to_string(), QUERY_TTL.as_millis().to_string()],
        repeatable: true,
        partition,
        prefix,
        waits: true,
        unanswered: "chatpushd did not answer in time (is MySQL away or behind?)",
        progress: Progress::default(),
    };
    replied(link::execute(settings, &mut exchange, deadline)?)
}

fn append(entry: &Entry) -> Result<Reply, Error> {
    let settings = settings::current()?;
    let partition = Partition::of(entry.receiver());
    let prefix = &settings.prefix;
    let mut exchange = ScriptCall {
        script: &APPEND,
        keys: Keys::Known(vec![prefix.log(partition), prefix.daemons_channel(partition)]),
        arguments: fields(entry).collect(),
        // A second ack would count other rows, and a second clear what came meanwhile.
        repeatable: false,
        partition,
        prefix,
        waits: true,
        unanswered: "it is queued and will be done, but not in time (is MySQL away, or does the calling transaction \
                     hold this user's row?)",
        progress: Progress::default(),
    };
    replied(link::execute(&settings, &mut exchange, settings.deadline())?)
}

fn replied(outcome: ScriptOutcome) -> Result<Reply, Error> {
    match outcome {
        ScriptOutcome::Replied(Reply::Refused(refusal)) => Err(refusal.into()),
        ScriptOutcome::Replied(reply) => Ok(reply),
        ScriptOutcome::Accepted(_) => Err(Error::Connection("Redis answered half".to_owned())),
    }
}

fn unexpected(reply: Reply) -> Error {
    match reply {
        Reply::Refused(refusal) => refusal.into(),
        _ => Error::Connection("chatpushd answered another question: is it of another version?".to_owned()),
    }
}

fn fields(entry: &Entry) -> impl Iterator<Item = String> {
    entry.fields().into_iter().flat_map(|(name, value)| [name.to_owned(), value])
}

/// A new id and the time it was made at, in milliseconds since 1970.
fn new_id() -> Result<(MessageId, u64), Error> {
    let mut entropy = [0; 10];
    getrandom::fill(&mut entropy).map_err(|error| Error::Refused(format!("no random numbers: {error}")))?;
    let now = now_ms();
    Ok((MessageId::generate(now, entropy), now))
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
