//! The installation record in Redis.

use chatpush_wire::key::Prefix;

use super::{BrokerError, Commands, scripts};

impl Commands {
    /// The record of this prefix, if there is one.
    pub(crate) async fn installation(&self, prefix: &Prefix) -> Result<Option<String>, BrokerError> {
        let (found,) = self.send(redis::pipe().cmd("GET").arg(prefix.installation())).await?;
        Ok(found)
    }

    /// The id of the Redis process, which a restart and a failover change. None if the account may not ask.
    pub(crate) async fn run_id(&self) -> Result<Option<String>, BrokerError> {
        let (info,): (String,) = match self.send(redis::pipe().cmd("INFO").arg("server")).await {
            Err(error) if error.is_broken() => return Err(error),
            Err(_) => return Ok(None),
            Ok(info) => info,
        };
        let run_id = info.lines().find_map(|line| line.strip_prefix("run_id:"));
        Ok(run_id.map(|run_id| run_id.chars().filter(char::is_ascii_alphanumeric).take(40).collect()))
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
