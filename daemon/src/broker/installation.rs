//! The installation record in Redis.

use chatpush_wire::key::Prefix;
use redis::{FromRedisValue as _, Pipeline, Value};
use sha2::{Digest as _, Sha256};

use super::cluster::router::Router;
use super::{BrokerError, Commands, scripts};

impl Commands {
    /// The record of this prefix, if there is one.
    pub(crate) async fn installation(&self, prefix: &Prefix) -> Result<Option<String>, BrokerError> {
        let (found,) = self.send(redis::pipe().cmd("GET").arg(prefix.installation())).await?;
        Ok(found)
    }

    /// The id of the Redis process, which a restart and a failover change; in a cluster, of all its masters' together.
    /// None if the account may not ask.
    pub(crate) async fn run_id(&self) -> Result<Option<String>, BrokerError> {
        let mut question = redis::pipe();
        question.cmd("INFO").arg("server");
        if let Some(router) = self.router() {
            return run_id_of_all(router, &question).await;
        }
        match self.send::<(String,)>(&question).await {
            Err(error) if error.is_broken() => Err(error),
            Err(_) => Ok(None),
            Ok((info,)) => Ok(run_id(&info)),
        }
    }

    /// Replaces the record.
    pub(crate) async fn replace_installation(
        &self,
        prefix: &Prefix,
        record: &str,
    ) -> Result<(), BrokerError> {
        self.install(prefix, record, false).await.map(drop)
    }

    /// Writes the record if there is none, and returns the one that was there.
    pub(crate) async fn record_installation(
        &self,
        prefix: &Prefix,
        record: &str,
    ) -> Result<Option<String>, BrokerError> {
        // Most often there is one, and it may be asked for of a Redis that takes no writes.
        match self.installation(prefix).await? {
            Some(found) => Ok(Some(found)),
            None => self.install(prefix, record, true).await,
        }
    }

    async fn install(
        &self,
        prefix: &Prefix,
        record: &str,
        only_if_none: bool,
    ) -> Result<Option<String>, BrokerError> {
        let mut call = scripts::INSTALL.key(prefix.installation());
        self.invoke(call.arg(record).arg(u8::from(only_if_none))).await
    }
}

/// In what INFO says.
fn run_id(info: &str) -> Option<String> {
    let run_id = info.lines().find_map(|line| line.strip_prefix("run_id:"))?;
    Some(run_id.chars().filter(char::is_ascii_alphanumeric).take(40).collect())
}

/// A text of the same length that changes if that of any master does.
async fn run_id_of_all(router: &Router, question: &Pipeline) -> Result<Option<String>, BrokerError> {
    let topology = router.cluster().topology().await?;
    let mut run_ids = Vec::new();
    for master in topology.partitions().into_keys() {
        let answer = router.ask(master, question).await?.into_iter().next().unwrap_or(Value::Nil);
        match String::from_redis_value(answer).ok().and_then(|info| run_id(&info)) {
            Some(run_id) => run_ids.push(run_id),
            None => return Ok(None),
        }
    }
    run_ids.sort_unstable();
    let digest = Sha256::digest(run_ids.join(" "));
    let digits = digest.iter().take(20).flat_map(|byte| [byte >> 4, byte & 15]);
    Ok(Some(digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()))
}
