//! The change of `unread_by_conversation`, in which all daemons of an installation must agree.

use chatpush_wire::installation::Installation;

use super::{AgreementError, compare, known};
use crate::broker::heartbeats;
use crate::services::Services;

/// Gives the record this daemon's value, unless another daemon runs. `starts`: this daemon has not served yet.
/// Otherwise it waits for the others, which may just have lost Redis.
///
/// # Errors
///
/// [`AgreementError::OtherRuns`] if another daemon runs.
pub(super) async fn change(services: &Services, starts: bool) -> Result<(), AgreementError> {
    let Services { commands, prefix, daemon, .. } = services;
    let Some(own) = known(services).clone() else { return Ok(()) };
    if let Some(record) = commands.installation(prefix).await? {
        let found = Installation::decode(&record)?;
        let changed = found.clone().counting_conversations(own.unread_by_conversation);
        changed.admits(&own)?;
        if let Err(mismatch) = found.admits(&own) {
            if let Some(daemon) = heartbeats::living(commands, prefix, daemon, starts).await? {
                return Err(AgreementError::OtherRuns { mismatch, daemon });
            }
            commands.replace_installation(prefix, &changed.encode()).await?;
            let value = own.unread_by_conversation;
            tracing::warn!(
                "no other chatpushd runs: unread_by_conversation of the installation is {value} now"
            );
        }
    }
    compare(services, 0).await
}
