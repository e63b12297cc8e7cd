//! The agreement on the installation: Redis and the database must belong together, and fit this version.
//!
//! Without it, a daemon and PHP that use different database numbers of one Redis would each look in a place
//! of their own, and two installations on one database would end each other's writer.

use std::time::Duration;

use chatpush_wire::installation::{Installation, Mismatch};
use tokio::time::timeout;

use crate::broker::BrokerError;
use crate::services::Services;
use crate::store::StoreError;
use crate::store::error::UnavailableCause;

/// How long MySQL may take to say which installation it belongs to. Pushes do not wait for it any longer.
const STORE_TIMEOUT: Duration = Duration::from_secs(1);

/// Why there is no agreement.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgreementError {
    /// Redis cannot be used.
    #[error(transparent)]
    Redis(#[from] BrokerError),
    /// The database cannot be used, belongs to another installation, or has tables of another version.
    #[error(transparent)]
    Store(StoreError),
    /// Redis belongs to another installation or version.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}

impl AgreementError {
    /// Whether waiting cannot help: the configuration must be changed, or the program upgraded.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(self, Self::Mismatch(_) | Self::Store(StoreError::Foreign(_)))
    }
}

/// Compares the database and Redis with each other and with this version. Writes the record if Redis has
/// none: it is a new installation, or Redis has lost its data. While MySQL is away, what Redis says is
/// enough, so that pushes go on.
pub(crate) async fn agree(services: &Services) -> Result<(), AgreementError> {
    let uuid = match uuid(services).await {
        Ok(uuid) => uuid,
        Err(error @ StoreError::Foreign(_)) => return Err(AgreementError::Store(error)),
        Err(error) => {
            return match services.commands.installation(&services.prefix).await? {
                Some(record) => Ok(Installation::decode(&record)?.fits()?),
                None => Err(AgreementError::Store(error)),
            };
        }
    };
    let own = Installation::of_database(uuid);
    match services.commands.record_installation(&services.prefix, &own.encode()).await? {
        Some(record) => Ok(Installation::decode(&record)?.admits(&own)?),
        None => Ok(()),
    }
}

/// The UUID of the database. Once it is known, it is also known while MySQL is away.
async fn uuid(services: &Services) -> Result<String, StoreError> {
    let error = match timeout(STORE_TIMEOUT, services.store.installation()).await {
        Ok(Ok(row)) => return Ok(services.installation.get_or_init(|| row.uuid).clone()),
        Ok(Err(error @ StoreError::Foreign(_))) => return Err(error),
        Ok(Err(error)) => error,
        Err(_) => StoreError::Unavailable(UnavailableCause::Timeout(STORE_TIMEOUT)),
    };
    services.installation.get().cloned().ok_or(error)
}
