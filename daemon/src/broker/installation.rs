//! The installation record in Redis.

use chatpush_wire::key::Prefix;

use super::{BrokerError, Commands};

impl Commands {
    /// The record of this prefix, if there is one.
    pub(crate) async fn installation(&self, prefix: &Prefix) -> Result<Option<String>, BrokerError> {
        let (found,) = self.send(redis::pipe().cmd("GET").arg(prefix.installation())).await?;
        Ok(found)
    }

    /// Writes the record if there is none, and returns the one that was there.
    pub(crate) async fn record_installation(
        &self,
        prefix: &Prefix,
        record: &str,
    ) -> Result<Option<String>, BrokerError> {
        let mut pipeline = redis::pipe();
        // Redis manual, "SET": NX with GET answers the old value since Redis 7.0.
        pipeline.cmd("SET").arg(prefix.installation()).arg(record).arg("NX").arg("GET");
        let (found,) = self.send(&pipeline).await?;
        Ok(found)
    }
}
