//! The change of settings in which all daemons of an installation must agree, and which a daemon that is alone may
//! change: `storage` and `unread_by_conversation`.

use chatpush_wire::installation::Installation;

use super::{AgreementError, compare, known};
use crate::broker::heartbeats;
use crate::services::Services;

/// Gives the record this daemon's values, unless another daemon runs. `starts`: this daemon has not served yet.
/// Otherwise it waits for the others, which may just have lost Redis.
///
/// # Errors
///
/// [`AgreementError::OtherRuns`] if another daemon runs; [`AgreementError::Mismatch`] if more differs than that.
pub(super) async fn change(services: &Services, starts: bool) -> Result<(), AgreementError> {
    let Services { commands, prefix, daemon, .. } = services;
    let Some(own) = known(services).clone() else { return Ok(()) };
    if let Some(record) = commands.installation(prefix).await? {
        let found = Installation::decode(&record)?;
        let changed = found.clone().changed_to(&own);
        changed.admits(&own)?;
        if let Err(mismatch) = found.admits(&own) {
            if let Some(daemon) = heartbeats::living(commands, prefix, daemon, starts).await? {
                return Err(AgreementError::OtherRuns { mismatch, daemon });
            }
            commands.replace_installation(prefix, &changed.encode()).await?;
            let names = mismatch.changeable().unwrap_or_default();
            let Installation { storage, unread_by_conversation, .. } = changed;
            tracing::warn!(
                storage,
                unread_by_conversation,
                "no other chatpushd runs: {names} of the installation was changed"
            );
        }
    }
    compare(services, 0).await
}
