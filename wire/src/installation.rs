//! The installation record: what all parts of one installation must agree on.
//!
//! It stands in Redis under [`crate::key::Prefix::installation`]. Daemons write it, compare it with their own
//! and restore it if Redis has lost it. The extension reads it when it connects. A part that does not fit is
//! refused by name: messages would otherwise wait in places where no other part looks.

use serde::{Deserialize, Serialize};

use crate::entry;
use crate::partition::Partition;

/// The record of one installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// [`crate::VERSION`] of everything that crosses a process border.
    pub version: String,
    /// The newest generation of log entries that may be written: all running daemons read it
    /// ([`entry::GENERATION`]).
    pub entries: u32,
    /// The number of partitions.
    pub partitions: u8,
    /// The CRC-32 of all hash tags, separated by spaces.
    pub tags: u32,
    /// The type of user ids: `int`.
    pub user_id_type: String,
    /// Where messages are stored: `mysql`.
    pub storage: String,
    /// A UUID that also stands in the database, in `chatpush_installation`.
    pub uuid: String,
}

/// Why a record does not fit this program. `Display` names the fix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The record cannot be read.
    #[error("the installation record in Redis cannot be read: it belongs to another version of chatpush")]
    Unreadable,
    /// Another version.
    #[error("the installation in Redis has version {found} and this program has version {}", crate::VERSION)]
    Version {
        /// The version in the record.
        found: String,
    },
    /// Other partitions.
    #[error(
        "the installation in Redis has {found} partitions, or other hash tags, and this program has {}: \
         it belongs to another version of chatpush",
        Partition::COUNT
    )]
    Partitions {
        /// The number in the record.
        found: u8,
    },
    /// The log may hold entries that this program cannot read.
    #[error(
        "the log in Redis may hold entries of generation {found} and this program reads generation {}: \
         upgrade it",
        entry::GENERATION
    )]
    Entries {
        /// The generation in the record.
        found: u32,
    },
    /// Another type of user ids.
    #[error("the installation in Redis has user ids of type {found} and this program works with {own}")]
    UserIdType {
        /// The type in the record.
        found: String,
        /// The type that this program works with.
        own: String,
    },
    /// Another kind of storage.
    #[error("the installation in Redis stores messages in {found} and this daemon in {own}")]
    Storage {
        /// The storage in the record.
        found: String,
        /// This program's storage.
        own: String,
    },
    /// Another database.
    #[error(
        "Redis belongs to the installation {found} and the database to {own}: use the Redis of this database, \
         or another prefix and a database of its own"
    )]
    Uuid {
        /// The UUID in Redis.
        found: String,
        /// The UUID in the database.
        own: String,
    },
}

impl Installation {
    /// The record that this version writes for a database with this UUID.
    pub fn of_database(uuid: String) -> Self {
        Self {
            version: crate::VERSION.to_owned(),
            entries: entry::GENERATION,
            partitions: Partition::COUNT,
            tags: tags(),
            user_id_type: "int".to_owned(),
            storage: "mysql".to_owned(),
            uuid,
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// [`Mismatch::Unreadable`].
    pub fn decode(json: &str) -> Result<Self, Mismatch> {
        serde_json::from_str(json).map_err(|_| Mismatch::Unreadable)
    }

    /// The record as JSON.
    pub fn encode(&self) -> String {
        // Numbers and texts: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether this program can work with an installation that has this record, whatever its database.
    ///
    /// # Errors
    ///
    /// The first thing that differs.
    pub fn fits(&self) -> Result<(), Mismatch> {
        let own = Self::of_database(String::new());
        if self.version != own.version {
            return Err(Mismatch::Version { found: self.version.clone() });
        }
        if (self.partitions, self.tags) != (own.partitions, own.tags) {
            return Err(Mismatch::Partitions { found: self.partitions });
        }
        if self.user_id_type != own.user_id_type {
            return Err(Mismatch::UserIdType { found: self.user_id_type.clone(), own: own.user_id_type });
        }
        Ok(())
    }

    /// Whether a daemon with the record `own` is a part of the installation that has this record.
    ///
    /// # Errors
    ///
    /// The first thing that differs.
    pub fn admits(&self, own: &Self) -> Result<(), Mismatch> {
        self.fits()?;
        if self.entries > own.entries {
            return Err(Mismatch::Entries { found: self.entries });
        }
        if self.storage != own.storage {
            return Err(Mismatch::Storage { found: self.storage.clone(), own: own.storage.clone() });
        }
        if self.uuid != own.uuid {
            return Err(Mismatch::Uuid { found: self.uuid.clone(), own: own.uuid.clone() });
        }
        Ok(())
    }
}

/// The CRC-32 of all hash tags, separated by spaces.
fn tags() -> u32 {
    let tags: Vec<_> = Partition::all().map(Partition::tag).collect();
    crc32fast::hash(tags.join(" ").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back() {
        let record = Installation::of_database("u".to_owned());
        assert_eq!(Installation::decode(&record.encode()), Ok(record));
        assert_eq!(Installation::decode("{}"), Err(Mismatch::Unreadable));
    }

    #[test]
    fn whatever_differs_is_named() {
        let own = Installation::of_database("u".to_owned());
        let admitted = |change: &dyn Fn(&mut Installation)| {
            let mut other = own.clone();
            change(&mut other);
            other.admits(&own).map_err(|mismatch| mismatch.to_string())
        };
        assert_eq!(admitted(&|_| ()), Ok(()));
        for (change, named) in [
            (
                &(|other: &mut Installation| other.version.push('x')) as &dyn Fn(&mut Installation),
                "version 1x",
            ),
            (&|other| other.partitions = 16, "16 partitions"),
            (&|other| other.tags += 1, "other hash tags"),
            (&|other| other.entries += 1, "generation 2"),
            (&|other| other.user_id_type = "text".to_owned(), "type text"),
            (&|other| other.storage = "none".to_owned(), "in none"),
            (&|other| other.uuid = "w".to_owned(), "installation w"),
        ] {
            let text = admitted(change).unwrap_err();
            assert!(text.contains(named), "{text} should name {named}");
        }
    }

    #[test]
    fn older_entries_are_read() {
        let own = Installation::of_database("u".to_owned());
        let older = Installation { entries: entry::GENERATION - 1, ..own.clone() };
        assert_eq!(older.admits(&own), Ok(()));
    }
}
