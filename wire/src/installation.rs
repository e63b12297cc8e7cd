//! The installation record: what all parts of one installation must agree on.
//!
//! It stands in Redis under [`crate::key::Prefix::installation`]. Daemons write it, compare it with their own
//! and restore it if Redis has lost it. The extension reads it when it connects. A part that does not fit is
//! refused by name: messages would otherwise wait in places where no other part looks.

mod characters;
mod content;

use serde::{Deserialize, Serialize};

pub use self::characters::Characters;
pub use self::content::{ContentColumn, ContentRefused};
use crate::entry;
use crate::id::UserIdType;
use crate::partition::Partition;

/// Messages are stored in MySQL or MariaDB.
pub const MYSQL: &str = "mysql";

/// Messages are only pushed: there is no database.
pub const NONE: &str = "none";

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
    /// The type of user ids.
    pub user_id_type: UserIdType,
    /// Whether unread messages are counted by conversation too.
    #[serde(default)]
    pub unread_by_conversation: bool,
    /// Where messages are stored: [`MYSQL`] or [`NONE`].
    pub storage: String,
    /// A UUID that also stands in the database, in `chatpush_installation`. Empty if there was never one.
    pub uuid: String,
    /// What the column with the content holds.
    pub content: ContentColumn,
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
    #[error(
        "the installation in Redis has user ids of type {found} and this daemon of type {own}: set user_id_type \
         (CHATPUSH_USER_ID_TYPE) to {found}. To change it for good, stop every daemon, delete the record in Redis \
         (redis-cli DEL <prefix>:installation) and, with a database, drop the tables chatpush_* and run \
         `chatpushd migrate`; then restart PHP-FPM and other PHP processes that live long"
    )]
    UserIdType {
        /// The type in the record.
        found: UserIdType,
        /// The type in this daemon's settings.
        own: UserIdType,
    },
    /// Other counters.
    #[error(
        "the installation in Redis has unread_by_conversation = {found} and this daemon {}: give all daemons the same \
         (CHATPUSH_UNREAD_BY_CONVERSATION), or stop them all before one starts with another value",
        !found
    )]
    Conversations {
        /// Whether conversations are counted in the record.
        found: bool,
    },
    /// Another kind of storage.
    #[error(
        "the installation in Redis has storage = \"{found}\" and this daemon storage = \"{own}\": give all \
         daemons the same (CHATPUSH_STORAGE), or this one another prefix; or stop them all before one starts with \
         another value"
    )]
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

impl Mismatch {
    /// The setting that differs, if a daemon that is alone may change it.
    pub const fn changeable(&self) -> Option<&'static str> {
        match self {
            Self::Storage { .. } => Some("storage"),
            Self::Conversations { .. } => Some("unread_by_conversation"),
            _ => None,
        }
    }
}

impl Installation {
    /// The record that this version writes for a database with this UUID, these user ids and this column. Its
    /// generation of entries is the oldest one, until every daemon is known to read a newer one.
    pub fn of_database(uuid: String, user_id_type: UserIdType, content: ContentColumn) -> Self {
        Self {
            version: crate::VERSION.to_owned(),
            entries: entry::OLDEST_GENERATION,
            partitions: Partition::COUNT,
            tags: tags(),
            user_id_type,
            unread_by_conversation: false,
            storage: MYSQL.to_owned(),
            uuid,
            content,
        }
    }

    /// The record with whether unread messages are counted by conversation too.
    #[must_use]
    pub fn counting_conversations(self, counts: bool) -> Self {
        Self { unread_by_conversation: counts, ..self }
    }

    /// The record of an installation without a database.
    pub fn push_only(user_id_type: UserIdType) -> Self {
        let storage = NONE.to_owned();
        Self { storage, ..Self::of_database(String::new(), user_id_type, ContentColumn::default()) }
    }

    /// The record after a daemon with the record `own`, which is alone, has changed what it may change: the storage,
    /// and whether conversations are counted. The database that was used last stays known: an installation that only
    /// pushes for a while does not go on with another one.
    #[must_use]
    pub fn changed_to(self, own: &Self) -> Self {
        let changed = Self { storage: own.storage.clone(), ..self };
        if !own.stores() {
            return changed;
        }
        let uuid = if changed.uuid.is_empty() { own.uuid.clone() } else { changed.uuid };
        let content = own.content.clone();
        Self { uuid, content, unread_by_conversation: own.unread_by_conversation, ..changed }
    }

    /// Whether messages are stored.
    pub fn stores(&self) -> bool {
        self.storage != NONE
    }

    /// What it is called in reports.
    pub fn name(&self) -> &str {
        if self.stores() { &self.uuid } else { "push only" }
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

    /// Whether this program can work with an installation that has this record, whatever its database and its
    /// user ids.
    ///
    /// # Errors
    ///
    /// The first thing that differs.
    pub fn fits(&self) -> Result<(), Mismatch> {
        if self.version != crate::VERSION {
            return Err(Mismatch::Version { found: self.version.clone() });
        }
        if (self.partitions, self.tags) != (Partition::COUNT, tags()) {
            return Err(Mismatch::Partitions { found: self.partitions });
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
        if self.entries > entry::GENERATION {
            return Err(Mismatch::Entries { found: self.entries });
        }
        if self.user_id_type != own.user_id_type {
            return Err(Mismatch::UserIdType { found: self.user_id_type, own: own.user_id_type });
        }
        if self.storage != own.storage {
            return Err(Mismatch::Storage { found: self.storage.clone(), own: own.storage.clone() });
        }
        if !own.stores() {
            return Ok(());
        }
        if self.uuid != own.uuid {
            return Err(Mismatch::Uuid { found: self.uuid.clone(), own: own.uuid.clone() });
        }
        if self.unread_by_conversation != own.unread_by_conversation {
            return Err(Mismatch::Conversations { found: self.unread_by_conversation });
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

    fn record() -> Installation {
        Installation::of_database("u".to_owned(), UserIdType::Int, ContentColumn::default())
    }

    #[test]
    fn a_record_reads_back() {
        let mut record = record();
        record.content.characters = Some(['a', '消'].into_iter().collect());
        assert_eq!(Installation::decode(&record.encode()), Ok(record));
        assert_eq!(Installation::decode("{}"), Err(Mismatch::Unreadable));
    }

    #[test]
    fn whatever_differs_is_named() {
        let own = record();
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
            (&|other| other.entries = entry::GENERATION + 1, "generation 3"),
            (&|other| other.user_id_type = UserIdType::Text, "type text"),
            (&|other| other.unread_by_conversation = true, "unread_by_conversation = true"),
            (&|other| other.storage = NONE.to_owned(), "storage = \"none\""),
            (&|other| other.uuid = "w".to_owned(), "installation w"),
        ] {
            let text = admitted(change).unwrap_err();
            assert!(text.contains(named), "{text} should name {named}");
        }
    }

    /// Else the logs would be applied to a database that they do not belong to.
    #[test]
    fn changed_storage_leads_back_to_the_same_database_alone() {
        let own = record().counting_conversations(true);
        let push_only = Installation::push_only(UserIdType::Int);
        assert_eq!(push_only.clone().changed_to(&own), own, "it had none");
        let changed = own.clone().changed_to(&push_only);
        assert_eq!((changed.admits(&push_only), changed.stores()), (Ok(()), false));
        assert_eq!(changed.clone().changed_to(&own), own);
        let other = Installation { uuid: "w".to_owned(), ..own.clone() };
        let refused = changed.changed_to(&other).admits(&other);
        assert_eq!(refused, Err(Mismatch::Uuid { found: own.uuid, own: other.uuid }));
    }

    #[test]
    fn older_entries_are_read() {
        let own = record();
        let older = Installation { entries: entry::OLDEST_GENERATION - 1, ..own.clone() };
        assert_eq!(older.admits(&own), Ok(()));
    }
}
