//! PHP workers that call the extension as fast as it answers.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use chatpush_stack::artifacts;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::cluster::NAME;
use crate::history::{History, lock};
use crate::schema::Schema;

/// One worker process, and the task that reads its output.
#[derive(Debug)]
pub(crate) struct Worker {
    process: Child,
    reading: JoinHandle<()>,
}

/// Who a worker is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity<'a> {
    /// Its number, which is in the keys of its messages.
    pub(crate) number: u64,
    /// From what it draws its calls.
    pub(crate) seed: u64,
    /// The ids of users.
    pub(crate) schema: &'a Schema,
}

impl Identity<'_> {
    /// The argument of the script: see `worker/calls.php`.
    fn argument(&self, users: impl Iterator<Item = u32>, more: Value) -> anyhow::Result<String> {
        let ids: Vec<_> = users.map(|user| self.schema.id(user)).collect::<Result<_, _>>()?;
        // A 64-bit id is a number in PHP.
        let value = |id: &_| serde_json::to_value(id).map(number_of);
        let ids: Vec<_> = ids.into_iter().map(value).collect::<Result<_, _>>()?;
        let mut argument = more;
        argument["name"] = json!(format!("w{}", self.number));
        argument["seed"] = json!(self.seed % 0x7FFF_FFFF);
        argument["ids"] = json!(ids);
        argument["sender"] = value(&self.schema.sender(self.number)?)?;
        Ok(argument.to_string())
    }
}

/// The number that a text has the digits of, or the text.
fn number_of(value: Value) -> Value {
    let number = value.as_str().and_then(|text| text.parse::<i64>().ok());
    number.map_or(value, Value::from)
}

impl Worker {
    /// Starts a worker whose calls are recorded in the history.
    pub(crate) fn start(
        identity: Identity<'_>,
        users: u32,
        (redis_url, fault_injection): (&str, Option<&str>),
        history: Arc<Mutex<History>>,
    ) -> anyhow::Result<Self> {
        // Some applications never let a call throw. What a call for many returns then is not all of it.
        let warns = !identity.schema.is_application() && identity.number.is_multiple_of(3);
        let errors = if warns { "warning" } else { "exception" };
        let script = if identity.schema.is_application() { "application" } else { "plain" };
        let mut process = program(redis_url, 3_000, fault_injection)?
            .arg("-d")
            .arg(format!("chatpush.errors={errors}"))
            .arg(script_path(script))
            .arg(identity.argument(1..=users, json!({}))?)
            .spawn()
            .context("cannot start php")?;
        let output = process.stdout.take().context("php has no output")?;
        let reading = tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                lock(&history).line(&line);
            }
        });
        Ok(Self { process, reading })
    }

    /// Kills the worker and reads the rest of its output.
    pub(crate) async fn kill(mut self) {
        // It fails if the worker has ended by itself; its last call then has no result.
        let _ = self.process.kill().await;
        let _ = self.reading.await;
    }
}

/// A message from a worker of its own.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    /// The worker.
    pub(crate) identity: Identity<'a>,
    /// The number of the receiver.
    pub(crate) receiver: u32,
    /// `store`, or `send` for a message with an id, or `recall` to take that back; `clear` or `unread` of the receiver.
    pub(crate) operation: &'static str,
    /// The end of its content.
    pub(crate) suffix: &'static str,
    /// How often the call is made.
    pub(crate) tries: u32,
    /// The promise that the extension breaks.
    pub(crate) fault_injection: Option<String>,
    /// Where the calls are recorded.
    pub(crate) history: &'a Mutex<History>,
}

impl Message<'_> {
    /// Sends it, and returns the outcome of the last call as the worker says it.
    pub(crate) async fn send(self, redis_url: &str, timeout_ms: u32) -> anyhow::Result<String> {
        let more = json!({
            "receiver": self.receiver,
            "operation": self.operation,
            "suffix": self.suffix,
            "tries": self.tries,
        });
        let mut process = program(redis_url, timeout_ms, self.fault_injection.as_deref())?
            .arg(script_path("once"))
            .arg(self.identity.argument(std::iter::once(self.receiver), more)?)
            .spawn()
            .context("cannot start php")?;
        let mut lines = BufReader::new(process.stdout.take().context("its output is piped")?).lines();
        let mut last = String::new();
        // Each as it comes: the time at which a call began says whether Redis may have lost it.
        while let Some(line) = lines.next_line().await? {
            lock(self.history).line(&line);
            last = line;
        }
        process.wait().await?;
        Ok(last.rsplit('\t').next().unwrap_or_default().to_owned())
    }
}

/// PHP with the extension.
fn program(redis_url: &str, timeout_ms: u32, fault_injection: Option<&str>) -> anyhow::Result<Command> {
    let settings = [
        format!("extension={}", artifacts::extension()?),
        // Quoted, because of the characters of its query.
        format!("chatpush.redis_url=\"{redis_url}\""),
        format!("chatpush.prefix={NAME}"),
        format!("chatpush.timeout_ms={timeout_ms}"),
    ];
    let mut command = Command::new("php");
    for setting in &settings {
        command.args(["-d", setting]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command.envs(fault_injection.map(|promise| ("CHATPUSH_FAULT_INJECTION", promise)));
    Ok(command)
}

fn script_path(script: &str) -> PathBuf {
    artifacts::root().join(format!("chaos/src/worker/{script}.php"))
}
