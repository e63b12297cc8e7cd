//! `chatpushd status`: what an operator looks at first. The admin page shows the same.

mod failures;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;

use self::failures::Failures;
use super::state::{State, TIMEOUT};
use crate::base::backoff::Failure as _;
use crate::base::clock;
use crate::base::output::{self, Count};
use crate::broker::answers::{self, Answer};
use crate::broker::{BrokerError, replicas, writes};
use crate::config::{Config, Reading};
use crate::services::Services;

/// How long a log entry may wait before that counts as a problem.
const LONG: Duration = Duration::from_secs(10);

/// The status of the installation.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Status {
    /// The daemons that are connected to Redis.
    daemons: Vec<DaemonStatus>,
    /// The log of each partition; none if Redis cannot be used, or nothing is stored.
    partitions: Vec<PartitionStatus>,
    /// None if that is not known.
    dead_letters: Option<u64>,
    redis: Server,
    /// None with `storage = "none"`.
    mysql: Option<Server>,
    /// Users of whom somebody is to be told; none without `notify.after`.
    due: Option<u64>,
    /// Webhooks that were not accepted yet; none without `webhook.url`.
    webhooks_waiting: Option<u64>,
    /// Why the webhook that waits for longest was not accepted.
    webhook_error: Option<String>,
    /// Why a browser of a user who is due could not be told.
    web_push_error: Option<String>,
    /// What is not well, each with what to do.
    problems: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
struct DaemonStatus {
    name: String,
    /// None if it does not answer.
    connections: Option<u64>,
    writer: bool,
    /// None from an older daemon, and from one that does not answer.
    configuration: Option<Reading>,
}

#[derive(Clone, Debug, Serialize)]
struct PartitionStatus {
    partition: u16,
    /// Entries, those included that MySQL has held for some seconds.
    log_length: u64,
    /// How long the oldest entry waits for MySQL; 0 if none does.
    oldest_seconds: f64,
}

#[derive(Clone, Debug, Serialize)]
struct Server {
    up: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Prints the status. Exits with 1 if something is not well.
///
/// # Errors
///
/// None: what cannot be reached is a problem that is printed.
pub async fn print(config: Config, json: bool) -> anyhow::Result<ExitCode> {
    let services = Services::new(config);
    let status = Status::read(&services).await;
    if json {
        output::line(serde_json::to_string(&status)?);
    } else {
        status.print_lines();
    }
    Ok(if status.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Status {
    /// Reads the status from Redis, MySQL and every daemon. Takes some seconds if one of them hangs.
    pub(crate) async fn read(services: &Arc<Services>) -> Self {
        let state = State::read(services).await;
        let ids = services.config.user_id_type;
        let asked = answers::ask(&services.commands, (&services.prefix, ids), "");
        let answers = if state.redis.is_ok() { asked.await.unwrap_or_default() } else { Vec::new() };
        let failures = Failures::read(services).await;
        let written = writes::try_one(&services.commands, &services.prefix);
        let refused =
            if state.redis.is_ok() { written.await.err().filter(BrokerError::is_refusal) } else { None };
        let mut problems = problems(services, &state, &answers, refused.as_ref());
        problems.extend(failures.problem());
        if state.redis.is_ok() && refused.is_none() {
            problems.extend(shortage(services).await);
        }
        let counts = state.mysql.as_ref().and_then(|mysql| mysql.as_ref().ok());
        let backlog = state.redis.as_ref().ok();
        let writer = backlog.and_then(|backlog| backlog.writer.as_deref());
        let logs = backlog.filter(|_| services.store.is_some()).map(|backlog| backlog.logs.as_slice());
        let partitions = logs.unwrap_or_default().iter().map(|log| PartitionStatus {
            partition: log.partition.number().into(),
            log_length: log.entries,
            oldest_seconds: Duration::from_millis(log.oldest_ms.unwrap_or(0)).as_secs_f64(),
        });
        let daemons = answers.into_iter().map(|answer| DaemonStatus {
            writer: writer == Some(answer.daemon.as_str()),
            configuration: reading(&answer),
            name: answer.daemon,
            connections: answer.connections,
        });
        Self {
            partitions: partitions.collect(),
            daemons: daemons.collect(),
            dead_letters: counts.map(|counts| counts.dead_letters),
            due: counts.and_then(|counts| counts.due),
            webhooks_waiting: state.webhooks_waiting(services),
            webhook_error: failures.webhook.map(|webhook| webhook.error),
            web_push_error: failures.push,
            redis: Server::of(&state.redis),
            mysql: state.mysql.as_ref().map(Server::of),
            problems,
        }
    }

    fn print_lines(&self) {
        output::line(format_args!("Redis        {}", self.redis));
        if let Some(mysql) = &self.mysql {
            output::line(format_args!("MySQL        {mysql}"));
        }
        for DaemonStatus { name, connections, writer, configuration } in &self.daemons {
            let connections =
                connections.map_or("no answer".to_owned(), |count| Count(count, "connection").to_string());
            let writer = if *writer { ", writer" } else { "" };
            output::line(format_args!("daemon       {name}: {connections}{writer}"));
            if let Some(Reading { read_at, needs_restart, .. }) = configuration {
                let read = clock::rfc3339(read_at.saturating_mul(1_000));
                let waits = match needs_restart.as_slice() {
                    [] => String::new(),
                    settings => format!("; needs a restart for {}", settings.join(", ")),
                };
                output::line(format_args!("             configuration read at {read}{waits}"));
            }
        }
        if !self.partitions.is_empty() {
            let entries: u64 = self.partitions.iter().map(|log| log.log_length).sum();
            let oldest = self.partitions.iter().map(|log| log.oldest_seconds).fold(0.0, f64::max);
            output::line(format_args!(
                "logs         {}, the oldest waits {oldest:.1} s for MySQL",
                Count(entries, "change")
            ));
        }
        let counts = [
            ("dead letters", self.dead_letters),
            ("users due", self.due),
            ("webhooks", self.webhooks_waiting),
        ];
        for (name, count) in counts {
            if let Some(count) = count {
                output::line(format_args!("{name:<12} {count}"));
            }
        }
        let errors = [("webhooks", &self.webhook_error), ("Web Push", &self.web_push_error)];
        for (name, error) in errors {
            if let Some(error) = error {
                output::line(format_args!("{name:<12} the last error: {error}"));
            }
        }
        for problem in &self.problems {
            output::line(format_args!("PROBLEM      {problem}"));
        }
    }
}

impl Server {
    fn of<T>(state: &Result<T, String>) -> Self {
        Self { up: state.is_ok(), error: state.as_ref().err().cloned() }
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.error.as_deref().unwrap_or("ok"))
    }
}

/// What a daemon says of its configuration.
fn reading(answer: &Answer) -> Option<Reading> {
    serde_json::from_str(answer.configuration.as_deref()?).ok()
}

/// That too few replicas have what Redis has accepted, so that nothing is committed.
async fn shortage(services: &Services) -> Option<String> {
    let wanted = services.config.replicas;
    if wanted == 0 || services.store.is_none() {
        return None;
    }
    let asked = replicas::shortage(&services.commands, &services.prefix, wanted);
    match timeout(TIMEOUT, asked).await {
        Ok(Ok(shortage)) => {
            let shortage = shortage?;
            Some(format!("nothing is committed: {}: {}", shortage.report(), replicas::REMEDY))
        }
        Ok(Err(error)) => Some(format!(
            "replicas of Redis cannot be waited for ({}): run `chatpushd check`",
            error.report()
        )),
        Err(_) => Some("Redis does not say in time which replicas it has: run `chatpushd check`".to_owned()),
    }
}

/// `refused`: why Redis takes no writes. Daemons cannot answer then, so nothing is said about those that do not.
fn problems(
    services: &Services,
    state: &State,
    answers: &[Answer],
    refused: Option<&BrokerError>,
) -> Vec<String> {
    let mut problems = Vec::new();
    match (&state.redis, refused) {
        (Err(error), _) => problems.push(format!("Redis cannot be used ({error}): run `chatpushd check`")),
        (Ok(_), Some(error)) => {
            let error = error.summary();
            problems.push(format!("Redis takes no messages ({error}): {}", writes::REMEDY));
        }
        (Ok(backlog), None) => {
            if answers.is_empty() {
                problems.push("no daemon is connected to Redis: systemctl status chatpushd".to_owned());
            } else if services.store.is_some() && backlog.writer.is_none() {
                problems.push(
                    "no daemon is the writer, so nothing is stored: see /ready and the logs".to_owned(),
                );
            }
        }
    }
    let silent = answers.iter().filter(|answer| answer.connections.is_none() && refused.is_none());
    for answer in silent {
        problems.push(format!("{} does not answer: see its log, and restart it if it hangs", answer.daemon));
    }
    for answer in answers {
        if let Some(Reading { refused: Some(error), .. }) = reading(answer) {
            problems.push(format!(
                "{} could not read its configuration again and goes on with the old one ({error}): correct it, and \
                 send SIGHUP",
                answer.daemon
            ));
        }
    }
    if let Some(Err(error)) = &state.mysql {
        problems.push(format!("MySQL cannot be used ({error}): run `chatpushd check`"));
    }
    if let Some(oldest) = state.oldest_waiting().filter(|oldest| services.store.is_some() && *oldest > LONG) {
        let seconds = oldest.as_secs();
        problems.push(format!(
            "a log entry has waited {seconds} s for MySQL: see /ready and the log of the writer"
        ));
    }
    if let Some(Ok(counts)) = &state.mysql
        && counts.dead_letters > 0
    {
        problems
            .push(format!("entries that MySQL has refused: {} (chatpushd dead list)", counts.dead_letters));
    }
    problems
}
