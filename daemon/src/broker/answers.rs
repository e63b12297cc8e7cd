//! An operator's question to every daemon, and their answers. They go to a stream that expires, since nobody waits
//! for them for long.

use std::collections::BTreeMap;
use std::time::Duration;

use chatpush_wire::envelope;
use chatpush_wire::id::{UserId, UserIdType};
use chatpush_wire::key::Prefix;
use tokio::time::{Instant, sleep};

use super::{BrokerError, Commands, heartbeats};

/// Users in one part of an answer.
const USERS_PER_PART: usize = 1_000;

/// How long a daemon may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// How often the answers are read.
const READ_INTERVAL: Duration = Duration::from_millis(10);

/// When the answers are deleted, if whoever has asked does not.
const EXPIRY: Duration = Duration::from_secs(60);

/// What a daemon has answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Its name.
    pub(crate) daemon: String,
    /// How many connections it holds; none if it has not answered in time.
    pub(crate) connections: Option<u64>,
    /// How many the users have that were asked for, of those who have any.
    pub(crate) users: BTreeMap<UserId, u64>,
    /// What it says of its configuration, as JSON. None from an older daemon.
    pub(crate) configuration: Option<String>,
}

/// Appends a daemon's answer.
pub(crate) async fn append(
    commands: &Commands,
    prefix: &Prefix,
    question: &str,
    daemon: &str,
    (connections, configuration): (u64, &str),
    users: &[(UserId, u64)],
) -> Result<(), BrokerError> {
    let key = prefix.answers(question);
    let mut parts: Vec<_> = users.chunks(USERS_PER_PART).collect();
    if parts.is_empty() {
        parts.push(&[]);
    }
    let last = parts.len() - 1;
    // In an entry of its own, which older versions of whoever asks pass over.
    let mut about = redis::pipe();
    about
        .cmd("XADD")
        .arg(&key)
        .arg("*")
        .arg("daemon")
        .arg(daemon)
        .arg("configuration")
        .arg(configuration)
        .ignore();
    about.cmd("PEXPIRE").arg(&key).arg(u64::try_from(EXPIRY.as_millis()).unwrap_or(u64::MAX)).ignore();
    commands.send::<()>(&about).await?;
    for (number, part) in parts.into_iter().enumerate() {
        let counts: Vec<_> = part.iter().map(|(user, count)| format!("{user} {count}")).collect();
        let mut pipeline = redis::pipe();
        pipeline.cmd("XADD").arg(&key).arg("*").arg("daemon").arg(daemon).arg("connections").arg(connections);
        pipeline.arg("users").arg(counts.join("\n")).arg("more").arg(u8::from(number < last)).ignore();
        pipeline.cmd("PEXPIRE").arg(&key).arg(u64::try_from(EXPIRY.as_millis()).unwrap_or(u64::MAX)).ignore();
        commands.send::<()>(&pipeline).await?;
    }
    Ok(())
}

/// Asks every daemon that is connected to Redis how many connections it holds, and how many these users have:
/// their ids, separated by spaces, or `*`. One that hangs is in the answer without a number.
pub(crate) async fn ask(
    commands: &Commands,
    (prefix, ids): (&Prefix, UserIdType),
    users: &str,
) -> Result<Vec<Answer>, BrokerError> {
    let known = heartbeats::daemons(commands, prefix).await?;
    let subscribers = heartbeats::subscribers(commands, prefix, &known).await?;
    let living = known.into_iter().zip(subscribers).filter(|(_, count)| *count > 0).map(|(daemon, _)| daemon);
    let mut answers: Vec<_> = living.map(|daemon| Answer { daemon, ..Answer::default() }).collect();
    let question = format!("{:016x}", fastrand::u64(..));
    let envelope = format!("{}{question}\n{users}", envelope::CONNECTIONS);
    let mut pipeline = redis::pipe();
    for Answer { daemon, .. } in &answers {
        pipeline.cmd("SPUBLISH").arg(prefix.daemon_channel(daemon)).arg(&envelope).ignore();
    }
    if !answers.is_empty() {
        commands.send::<()>(&pipeline).await?;
    }
    let key = prefix.answers(&question);
    let until = Instant::now() + ANSWER_TIMEOUT;
    let mut after = "0".to_owned();
    while answers.iter().any(|answer| answer.connections.is_none()) && Instant::now() < until {
        let mut read = redis::pipe();
        read.cmd("XRANGE").arg(&key).arg(format!("({after}")).arg("+");
        let (parts,): (Vec<(String, Vec<String>)>,) = commands.send(&read).await?;
        for (id, fields) in parts {
            add(&mut answers, ids, &fields);
            after = id;
        }
        sleep(READ_INTERVAL).await;
    }
    commands.send::<()>(redis::pipe().cmd("DEL").arg(&key).ignore()).await?;
    Ok(answers)
}

/// Adds a part of an answer.
fn add(answers: &mut [Answer], ids: UserIdType, fields: &[String]) {
    let [_, daemon, about @ ..] = fields else { return };
    let Some(answer) = answers.iter_mut().find(|answer| answer.daemon == *daemon) else { return };
    if let [_, configuration] = about {
        answer.configuration = Some(configuration.clone());
    }
    let [_, connections, _, users, _, more] = about else { return };
    answer.users.extend(users.lines().filter_map(|line| {
        let (user, count) = line.split_once(' ')?;
        Some((ids.text(user).ok()?, count.parse().ok()?))
    }));
    if more == "0" {
        answer.connections = connections.parse().ok();
    }
}
