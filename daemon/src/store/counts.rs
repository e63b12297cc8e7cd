//! How much waits in chatpush's own tables.

use super::notified::Exit;
use super::{Store, StoreError, schema};

/// Rows that are counted of each table, at most.
pub(crate) const MOST_COUNTED: u32 = 100_000;

/// What is to be counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Users who are due: with `notify.after`.
    pub(crate) due: bool,
    /// Events that the application is to be told of.
    pub(crate) events: bool,
}

/// How much waits: at most [`MOST_COUNTED`] of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Dead letters.
    pub(crate) dead_letters: u64,
    /// Users of whom somebody is to be told; none without `notify.after`.
    pub(crate) due: Option<u64>,
    /// Of those the ones whom the application is to tell.
    pub(crate) due_to_application: Option<u64>,
    /// Events that the application is to be told of; none if it is told of none.
    pub(crate) events: Option<u64>,
}

impl Store {
    /// Counts in one round trip.
    pub(crate) async fn counts(&self, wanted: Wanted) -> Result<Counts, StoreError> {
        let count = |table: &str, which: &str| {
            format!(
                "SELECT COUNT(*) FROM (SELECT 1 FROM `{table}` WHERE {which} LIMIT {MOST_COUNTED}) counted"
            )
        };
        let mut queries = vec![count(schema::DEAD_LETTER, "TRUE")];
        if wanted.due {
            let of_application = format!("`exit` = {} AND ", Exit::Application as u8);
            let of_application = if self.names().web_push { of_application.as_str() } else { "" };
            queries.push(count(schema::NOTIFIED, "`offer_at` IS NOT NULL"));
            queries.push(count(schema::NOTIFIED, &format!("{of_application}`offer_at` IS NOT NULL")));
        }
        if wanted.events {
            queries.push(count(schema::WEBHOOK, "TRUE"));
        }
        let results = self.read(&queries).await?.into_iter();
        let mut counts = results
            .map(|rows| rows.into_iter().next().and_then(|mut row| row.take::<u64, _>(0)).unwrap_or(0));
        let dead_letters = counts.next().unwrap_or(0);
        let mut next = |wanted: bool| if wanted { counts.next() } else { None };
        Ok(Counts {
            dead_letters,
            due: next(wanted.due),
            due_to_application: next(wanted.due),
            events: next(wanted.events),
        })
    }
}
