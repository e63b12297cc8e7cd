//! The agreement on the installation: Redis and the database must belong together, and fit this version.
//!
//! Without it, a daemon and PHP that use different database numbers of one Redis would each look in a place
//! of their own, and two installations on one database would end each other's writer.

mod change;

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use chatpush_wire::entry::GENERATION;
use chatpush_wire::installation::{Installation, Mismatch};
use tokio::time::{Instant, sleep, timeout};

use crate::base::backoff::Failure;
use crate::broker::BrokerError;
use crate::services::Services;
use crate::store::error::UnavailableCause;
use crate::store::installation::FoundInstallation;
use crate::store::{Store, StoreError};

/// How long MySQL may take to say which installation it belongs to. Pushes do not wait for it any longer.
pub(crate) const STORE_TIMEOUT: Duration = Duration::from_secs(1);

/// The same for a daemon that starts: one that does not fit a slow database is to end, and not to serve without it.
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(10);

/// A daemon that runs writes the record again with its next heartbeat, if Redis has lost it. One that starts
/// waits for that as long.
const RESTORED_WITHIN: Duration = Duration::from_secs(10);

/// A writer's connection executes a statement at least every ten seconds. One that has not for this long belongs to
/// a daemon that is gone or hangs.
const WRITER_SILENCE: Duration = Duration::from_secs(60);

/// How often it looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

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
    /// Another daemon runs, and does not agree.
    #[error("{mismatch}; {daemon} runs")]
    OtherRuns {
        /// In what they differ.
        mismatch: Mismatch,
        /// The name of that daemon.
        daemon: String,
    },
    /// A daemon works with this database and another Redis.
    #[error(
        "another chatpushd writes to this database (connection {connection}) and does not use this Redis: all \
         daemons of an installation need the same CHATPUSH_REDIS_URL, with the same database number; stop that \
         daemon first to move the installation"
    )]
    Elsewhere {
        /// That daemon's connection to MySQL.
        connection: u64,
    },
}

impl AgreementError {
    /// Whether waiting cannot help: the configuration must be changed, or the program upgraded.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Mismatch(_)
                | Self::OtherRuns { .. }
                | Self::Elsewhere { .. }
                | Self::Store(StoreError::Foreign(_) | StoreError::Unfit(_))
        )
    }
}

impl Failure for AgreementError {
    fn peer(&self) -> Option<&'static str> {
        matches!(self, Self::Store(_)).then_some("MySQL (installation)")
    }

    fn summary(&self) -> &'static str {
        match self {
            Self::Redis(error) => error.summary(),
            Self::Store(error) => error.summary(),
            Self::Mismatch(_) => "Redis belongs to another installation",
            Self::OtherRuns { .. } => "another chatpushd runs with other settings",
            Self::Elsewhere { .. } => "the installation is in another Redis",
        }
    }
}

/// Compares the database and Redis with each other and with this version. Writes the record if Redis has
/// none: it is a new installation, or Redis has lost its data. While MySQL is away, what Redis says is
/// enough, so that pushes go on: it is away if it does not answer within `limit`.
pub(crate) async fn agree(services: &Services, limit: Duration) -> Result<(), AgreementError> {
    let Services { commands, prefix, .. } = services;
    let starts = known(services).is_none();
    if services.store.is_none() {
        let own = Installation::push_only(services.config.user_id_type);
        *known(services) = Some(own.clone());
        return match recorded(services, &own).await {
            Err(AgreementError::Mismatch(mismatch)) if mismatch.changeable().is_some() => {
                change::change(services, starts).await
            }
            compared => compared.map(drop),
        };
    }
    let refreshed = match refresh(services, limit).await {
        Err(AgreementError::Store(StoreError::Unavailable(UnavailableCause::NotAdopted(_)))) => {
            if let Some(store) = &services.store {
                store.require_adoption().await.map_err(AgreementError::Store)?;
            }
            refresh(services, limit).await
        }
        refreshed => refreshed,
    };
    match refreshed {
        Ok(()) => Ok(()),
        Err(AgreementError::Mismatch(mismatch)) if mismatch.changeable().is_some() => {
            change::change(services, starts).await
        }
        Err(AgreementError::Store(error)) if !matches!(error, StoreError::Foreign(_)) => {
            if known(services).is_some() {
                return compare(services, 0).await;
            }
            // Somebody may mend the tables under a daemon that runs, but none is started on them.
            if matches!(error, StoreError::Unfit(_)) {
                return Err(AgreementError::Store(error));
            }
            match commands.installation(prefix).await? {
                Some(found) => {
                    let found = Installation::decode(&found)?;
                    services.generation.store(found.entries, Ordering::Relaxed);
                    Ok(found.fits()?)
                }
                None => Err(AgreementError::Store(error)),
            }
        }
        Err(error) => Err(error),
    }
}

/// Reads what the database says within `limit`, and changes the record if somebody has changed the column of
/// contents.
pub(crate) async fn refresh(services: &Services, limit: Duration) -> Result<(), AgreementError> {
    let Services { commands, prefix, store, .. } = services;
    let Some(store) = store else { return Ok(()) };
    let FoundInstallation { row, content, .. } = timeout(limit, store.installation())
        .await
        .map_err(|_| StoreError::Unavailable(UnavailableCause::Timeout(limit)))
        .and_then(|found| found)
        .map_err(AgreementError::Store)?;
    let own = Installation::of_database(row.uuid, services.config.user_id_type, content)
        .counting_conversations(store.names().unread_by_conversation);
    if known(services).is_none() {
        wait_for_others(services, store).await?;
    }
    *known(services) = Some(own.clone());
    let Some(found) = recorded(services, &own).await? else { return Ok(()) };
    if found.content != own.content {
        let changed = Installation { content: own.content, ..found };
        commands.replace_installation(prefix, &changed.encode()).await?;
    }
    Ok(())
}

/// Compares Redis with what is known of the database, and writes the record again if Redis has lost its data.
/// `generation`: the lowest generation of log entries that a daemon reads, 0 if that is not known. The record
/// is raised to it: from then on such entries are written.
pub(crate) async fn compare(services: &Services, generation: u32) -> Result<(), AgreementError> {
    let Services { commands, prefix, .. } = services;
    let Some(own) = known(services).clone() else { return Ok(()) };
    let Some(found) = recorded(services, &own).await? else { return Ok(()) };
    let entries = generation.min(GENERATION);
    if entries > found.entries {
        let raised = Installation { entries, ..found };
        commands.replace_installation(prefix, &raised.encode()).await?;
        services.generation.store(entries, Ordering::Relaxed);
    }
    Ok(())
}

/// Makes sure that Redis belongs to the database with this UUID, before its log is applied there.
///
/// # Errors
///
/// [`Mismatch::Uuid`] if it does not.
pub(crate) async fn same(services: &Services, uuid: &str) -> Result<(), AgreementError> {
    let Some(found) = services.commands.installation(&services.prefix).await? else { return Ok(()) };
    let found = Installation::decode(&found)?;
    if found.uuid == uuid {
        return Ok(());
    }
    Err(Mismatch::Uuid { found: found.uuid, own: uuid.to_owned() }.into())
}

/// Waits until no running daemon can be expected to write the record any more.
///
/// # Errors
///
/// [`AgreementError::Elsewhere`] if a daemon runs that does not write it, although Redis takes writes: it looks in
/// another Redis, or in another database of this one. Each of the two would end the other's writer.
async fn wait_for_others(services: &Services, store: &Store) -> Result<(), AgreementError> {
    let until = Instant::now() + RESTORED_WITHIN;
    while services.commands.installation(&services.prefix).await?.is_none() {
        let writer = store.writer_connection().await.map_err(AgreementError::Store)?;
        match writer {
            Some(writer) if writer.silence < WRITER_SILENCE => {
                if Instant::now() >= until && !services.lease().is_refused().await? {
                    return Err(AgreementError::Elsewhere { connection: writer.id });
                }
                sleep(LOOK_INTERVAL).await;
            }
            _ => break,
        }
    }
    Ok(())
}

/// The record in Redis, which admits `own`. None if there was none: then `own` is it now.
async fn recorded(services: &Services, own: &Installation) -> Result<Option<Installation>, AgreementError> {
    let Services { commands, prefix, .. } = services;
    let Some(found) = commands.record_installation(prefix, &own.encode()).await? else {
        services.generation.store(own.entries, Ordering::Relaxed);
        return Ok(None);
    };
    let found = Installation::decode(&found)?;
    found.admits(own)?;
    services.generation.store(found.entries, Ordering::Relaxed);
    Ok(Some(found))
}

fn known(services: &Services) -> MutexGuard<'_, Option<Installation>> {
    services.installation.lock().unwrap_or_else(PoisonError::into_inner)
}
