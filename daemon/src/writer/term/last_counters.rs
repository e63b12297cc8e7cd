//! Counters that the last writer may have changed without telling the users' devices.

use std::collections::BTreeSet;

use super::{Term, TermError};
use crate::broker::{log, replies};
use crate::log::batch::Counting;
use crate::log::position::Position;

/// Most users whose counters are published.
const USERS: usize = 4_096;

impl Term<'_> {
    /// Queues the counters of the users named by entries that were applied a short time ago: a writer that was killed
    /// behind a commit has not published them. Entries stay in the logs for some seconds.
    pub(super) async fn queue_last_counters(&mut self) -> Result<(), TermError> {
        if self.counting() == Counting::Off {
            return Ok(());
        }
        let names = (&self.services.prefix, self.services.config.user_id_type);
        let mut users = BTreeSet::new();
        for (partition, applied) in &self.applied {
            if *applied == Position::default() || users.len() >= USERS {
                continue;
            }
            let read =
                log::receivers(&self.services.commands, names, *partition, Position::default()).await?;
            let entries = read.entries.into_iter().filter(|entry| entry.position <= *applied);
            users.extend(entries.flat_map(|entry| entry.receivers.unwrap_or_default()));
        }
        let users: Vec<_> = users.iter().take(USERS).collect();
        for (user, unread) in self.mysql.counters(&users).await? {
            replies::publish_unread(&mut self.after_commit, &self.services.prefix, &user, &unread.frame());
        }
        Ok(())
    }
}
