//! Where messages that are too old are looked for.
//!
//! Rows are in the order of their ids, and as a rule in that of their times, so the first row that waits
//! bounds the search. A history has any number of rows before it. Each writer records where that is, and the
//! next one begins there. Rows before it may wait again: a TRUNCATE gives their ids to new rows, and the
//! application may unmark one. So they are looked at once more, while there is nothing else to do.

use crate::store::mailbox::OldMessages;

/// It is recorded when it is this many rows from what was recorded.
const RECORDED_ROWS: u64 = 5_000;

/// How far the search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Search {
    /// Up to this row id nothing waits, but for what [`Self::again`] finds.
    after: u64,
    /// Which rows before it are looked at once more: behind the first id, up to the second.
    again: Option<(u64, u64)>,
    /// Whether these are next.
    is_again: bool,
    /// What was recorded last.
    recorded: u64,
}

impl Search {
    /// Begins where a writer has recorded that nothing waits.
    pub(super) fn from(recorded: u64) -> Self {
        let again = (recorded > 0).then_some((0, recorded));
        Self { after: recorded, again, is_again: false, recorded }
    }

    /// Behind which row the next step looks.
    pub(super) fn after(self) -> u64 {
        self.again.filter(|_| self.is_again).map_or(self.after, |(after, _)| after)
    }

    /// What that step has found. If there was no row, `highest` is the highest id. True if rows are to be
    /// looked at once more.
    pub(super) fn found(&mut self, old: &OldMessages, highest: u64) -> bool {
        match self.again.filter(|_| self.is_again) {
            Some((_, until)) if old.waits || old.is_end || old.done >= until => {
                if old.waits {
                    self.after = self.after.min(old.done);
                }
                self.again = None;
            }
            Some((_, until)) => self.again = Some((old.done, until)),
            None if old.is_end && highest < self.after => {
                self.after = highest;
                self.again = Some((0, highest));
            }
            None => self.after = old.done,
        }
        // What is new goes first.
        self.is_again = self.again.is_some() && !old.has_more;
        self.again.is_some()
    }

    /// The id to record now, if it is time.
    pub(super) fn to_record(self) -> Option<u64> {
        (self.after.abs_diff(self.recorded) >= RECORDED_ROWS).then_some(self.after)
    }

    /// After it was recorded.
    pub(super) const fn recorded(self, row: u64) -> Self {
        Self { recorded: row, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing_to(done: u64, has_more: bool) -> OldMessages {
        OldMessages { done, has_more, ..OldMessages::default() }
    }

    fn end(done: u64) -> OldMessages {
        OldMessages { done, is_end: true, ..OldMessages::default() }
    }

    #[test]
    fn nothing_is_looked_at_twice_at_the_end_of_the_table() {
        let mut search = Search::from(0);
        assert!(!search.found(&nothing_to(5_000, true), 0));
        assert_eq!((search.after(), search.to_record()), (5_000, Some(5_000)));
        search = search.recorded(5_000);
        assert_eq!(search.to_record(), None);
        for _ in 0..2 {
            assert!(!search.found(&end(5_000), 5_000));
            assert_eq!(search.after(), 5_000);
        }
        assert!(!search.found(&OldMessages { waits: true, ..nothing_to(5_001, false) }, 0));
        assert_eq!(search.after(), 5_001);
    }

    #[test]
    fn a_writer_begins_where_the_last_one_was_and_looks_back_later() {
        let mut search = Search::from(9_000);
        assert_eq!(search.after(), 9_000);
        assert!(search.found(&nothing_to(14_000, true), 0));
        assert_eq!(search.after(), 14_000, "what is new goes first");
        assert!(search.found(&end(14_000), 14_000));
        assert_eq!(search.after(), 0);
        assert!(search.found(&nothing_to(5_000, true), 0));
        assert_eq!(search.after(), 14_000, "in turn");
        assert!(search.found(&end(14_000), 14_000));
        assert_eq!(search.after(), 5_000);
        assert!(!search.found(&nothing_to(10_000, true), 0));
        assert_eq!(search.after(), 14_000);
    }

    #[test]
    fn a_row_before_that_waits_again_is_found() {
        let mut search = Search::from(9_000);
        assert!(search.found(&end(9_000), 9_000));
        assert!(!search.found(&OldMessages { waits: true, ..nothing_to(7, false) }, 0));
        assert_eq!((search.after(), search.to_record()), (7, Some(7)));
    }

    #[test]
    fn ids_that_are_given_again_are_found() {
        let mut search = Search::from(0);
        search.found(&nothing_to(100, false), 0);
        assert!(search.found(&end(100), 3), "the table was truncated, or its newest rows deleted");
        assert_eq!(search.after(), 0);
        assert!(!search.found(&nothing_to(3, false), 0));
        assert_eq!(search.after(), 3);
        assert!(search.found(&end(3), 0));
        assert!(!search.found(&end(0), 0));
        assert_eq!(search.after(), 0);
    }
}
