//! What the last writer may have left undone behind its last commits: entries stay in the logs for some seconds.

use std::collections::BTreeSet;

use super::{Term, TermError};
use crate::broker::{log, replies};
use crate::config::When;
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

    /// Whether users are told of unread messages.
    pub(super) fn notes_unread(&self) -> bool {
        self.services.config.notify.is_some_and(|notify| notify.when == When::Unread)
    }

    /// Adds the users whom the last writer may not have noted: those for whom messages were stored a short time ago.
    pub(super) async fn add_last_unread(&mut self) -> Result<(), TermError> {
        if !self.notes_unread() {
            return Ok(());
        }
        let names = (&self.services.prefix, self.services.config.user_id_type);
        for (partition, applied) in &self.applied {
            let mut read = Position::default();
            while read < *applied {
                let slice = log::receivers(&self.services.commands, names, *partition, read).await?;
                read = slice.entries.last().map_or(*applied, |last| last.position);
                for entry in slice.entries.into_iter().filter(|entry| entry.position <= *applied) {
                    self.services.newly_unread.add_last(*partition, entry);
                }
                if !slice.has_more {
                    break;
                }
            }
        }
        Ok(())
    }
}
