//! `chatpushd log --user`: what is known of a user and the messages for them. It answers why somebody did not get a
//! message.

use std::process::ExitCode;

use anyhow::Context as _;
use chatpush_wire::entry;
use chatpush_wire::frame::MessageType;
use chatpush_wire::id::{AnyUserId, MessageId, Sender, UserId};
use chatpush_wire::partition::Partition;
use serde::Serialize;
use serde_json::{Value, json};

use super::{dead_letters, online};
use crate::base::output::{self, Count};
use crate::broker::{BrokerError, log};
use crate::config::Config;
use crate::log::position::Position;
use crate::services::Services;
use crate::store::Store;
use crate::store::dead_letters::DeadLetter;
use crate::store::rows::{Cursor, StoredRow};

/// Bytes of content that are read to list what waits.
const READ_BYTES: usize = 1024 * 1024;

/// Most messages that are listed.
const LISTED: usize = 20;

/// Dead letters that are searched.
const SEARCHED: u32 = 10_000;

/// What is known.
#[derive(Debug, Serialize)]
struct Known {
    user_id: UserId,
    connections: u64,
    unread: u64,
    /// The oldest messages that wait.
    waiting: Vec<Value>,
    /// Whether more wait.
    more: bool,
    /// Log entries that name the user and are not in MySQL yet.
    in_log: usize,
    dead_letters: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Fate>,
}

/// What became of one message.
#[derive(Debug, Serialize)]
struct Fate {
    message_id: MessageId,
    state: &'static str,
    text: String,
}

/// Prints what is known of `user`, and of one message for them.
///
/// # Errors
///
/// When Redis or MySQL cannot be reached, a daemon does not answer, or an id cannot be one.
pub async fn print(
    config: Config,
    user: &AnyUserId,
    message: Option<String>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let services = Services::new(config);
    let user = user.of_type(services.config.user_id_type).context("USER_ID")?;
    let id = message.map(MessageId::try_from).transpose().context("MESSAGE_ID")?;
    let known = known(&services, user, id).await?;
    if json {
        output::line(serde_json::to_string(&known)?);
    } else {
        known.print_lines();
    }
    Ok(ExitCode::SUCCESS)
}

async fn known(services: &Services, user: UserId, id: Option<MessageId>) -> anyhow::Result<Known> {
    let counted = online::of_users(services, std::slice::from_ref(&user)).await?;
    let connections: u64 = counted.iter().map(|(_, count)| count).sum();
    let Some(store) = &services.store else {
        anyhow::bail!("{user} has {connections} connections; nothing is stored (storage = \"none\")");
    };
    let (page, unread) =
        store.rows_and_unread(&user, Position::default(), &Cursor::new(0), READ_BYTES).await?;
    let letters: Vec<_> = store.last_dead_letters(SEARCHED).await?;
    let letters: Vec<_> = letters.into_iter().filter(|letter| names(services, letter, &user)).collect();
    let in_log = in_log(services, store, &user).await.context("the log")?;
    let fate = match id {
        Some(id) => Some(fate(services, store, &user, id, (connections, in_log, letters.as_slice())).await?),
        None => None,
    };
    let more = page.has_more || page.rows.len() > LISTED;
    let ids = services.config.user_id_type;
    Ok(Known {
        user_id: user,
        connections,
        unread: unread.count,
        waiting: page.rows.iter().take(LISTED).map(as_json).collect(),
        more,
        in_log,
        dead_letters: letters.iter().take(LISTED).map(|letter| dead_letters::as_json(letter, ids)).collect(),
        message: fate,
    })
}

/// Whether a dead letter is one for the user.
fn names(services: &Services, letter: &DeadLetter, user: &UserId) -> bool {
    let receivers = entry::receivers(&letter.fields, services.config.user_id_type);
    receivers.is_ok_and(|receivers| receivers.contains(user))
}

/// How many entries of the log name the user and are not in MySQL.
async fn in_log(services: &Services, store: &Store, user: &UserId) -> anyhow::Result<usize> {
    let partition = Partition::of(user);
    let positions = store.positions().await?;
    let own = positions.into_iter().find(|(of, _)| *of == partition);
    let mut after = own.map(|(_, position)| position).unwrap_or_default();
    let names = (&services.prefix, services.config.user_id_type);
    let mut count = 0;
    loop {
        let slice = log::receivers(&services.commands, names, partition, after).await?;
        let is_one = |receivers: &Vec<UserId>| receivers.contains(user);
        count += slice.entries.iter().filter(|head| head.receivers.as_ref().is_some_and(is_one)).count();
        match slice.entries.last() {
            Some(last) if slice.has_more => after = last.position,
            _ => return Ok(count),
        }
    }
}

async fn fate(
    services: &Services,
    store: &Store,
    user: &UserId,
    id: MessageId,
    (connections, in_log, letters): (u64, usize, &[DeadLetter]),
) -> anyhow::Result<Fate> {
    let refused = letters.iter().find(|letter| {
        let message = entry::message(&letter.fields, services.config.user_id_type);
        message.is_some_and(|(_, other)| other == id)
    });
    let (state, text) = if let Some(letter) = refused {
        let number = letter.number;
        let fix = format!("mend the cause, then: chatpushd dead retry {number}");
        ("refused", format!("MySQL has refused it at {}: {}; {fix}", letter.died_at, letter.error))
    } else if store.waits(user, &id).await? {
        let text = match connections {
            0 => "it waits for the user to connect: nobody is connected".to_owned(),
            count => format!(
                "it waits, though the user has {}: no client of theirs has confirmed it; see which close codes the \
                 log names",
                Count(count, "connection")
            ),
        };
        ("waiting", text)
    } else if let Some(ended) = store.ended(user, &id).await? {
        let what = if ended.recalled {
            "its sender has recalled it"
        } else {
            "a client of the user has confirmed it"
        };
        (if ended.recalled { "recalled" } else { "confirmed" }, format!("{what}, at {} ms", ended.at))
    } else if in_log > 0 {
        (
            "in_log",
            format!(
                "{in_log} entries for the user are in the log and not in MySQL yet; it may be one of them"
            ),
        )
    } else if was_accepted(services, user, &id).await? {
        let text =
            "it was accepted and waits no more: a client has confirmed it, or the application has deleted it";
        ("gone", text.to_owned())
    } else {
        let text = "no message with this id was stored, or that was long ago; what is only pushed (pushMessage, \
                    pushToUsers, pushToRoom) is stored nowhere: the steps of the log show it at the level debug";
        ("unknown", text.to_owned())
    };
    Ok(Fate { message_id: id, state, text })
}

/// Whether Redis remembers that it has accepted the message.
async fn was_accepted(services: &Services, user: &UserId, id: &MessageId) -> Result<bool, BrokerError> {
    let mut exists = redis::pipe();
    exists.cmd("EXISTS").arg(services.prefix.seen(user, id));
    let (found,): (bool,) = services.commands.send(&exists).await?;
    Ok(found)
}

fn as_json(StoredRow { row, message_type }: &StoredRow) -> Value {
    let message_type = message_type.as_ref().map(|message_type| match message_type {
        MessageType::Name(name) => json!(name),
        MessageType::Number(number) => json!(number),
    });
    let sender = match &row.sender {
        Sender::Int(id) => json!(id),
        Sender::BigInt(id) => json!(id.to_string()),
        Sender::Text(id) => json!(id),
    };
    json!({ "message_id": row.message_id, "sender_id": sender, "type": message_type, "time": row.time_ms })
}

impl Known {
    fn print_lines(&self) {
        let Self { user_id, connections, unread, waiting, more, in_log, dead_letters, message } = self;
        output::line(format_args!("user {user_id}: {}, {unread} unread", Count(*connections, "connection")));
        let and_more = if *more { ", and more" } else { "" };
        output::line(format_args!("waiting: {}{and_more}", Count(waiting.len() as u64, "message")));
        for row in waiting {
            output::line(format_args!(
                "  {} from {}, accepted at {} ms",
                row["message_id"], row["sender_id"], row["time"]
            ));
        }
        if *in_log > 0 {
            output::line(format_args!("in the log, not in MySQL yet: {}", Count(*in_log as u64, "change")));
        }
        for letter in dead_letters {
            output::line(format_args!("dead letter {}: {}", letter["number"], letter["error"]));
        }
        if let Some(Fate { message_id, state, text }) = message {
            output::line(format_args!("message {message_id}: {state}: {text}"));
        }
    }
}
