//! The SQL of the writer's transaction. Statements differ in their number of rows, so they are not prepared.

pub(super) mod announced;
pub(super) mod confirm;
pub(super) mod counter;
pub(super) mod dead_letter;
pub(super) mod forget;
pub(super) mod insert;
pub(super) mod installation;
pub(super) mod mailbox;
pub(super) mod notified;
pub(super) mod part_keys;
pub(super) mod parts;
pub(super) mod position;
pub(super) mod push;
pub(super) mod recall;
pub(super) mod sweep;
pub(super) mod webhook_events;

use std::fmt::{self, Display};

use chatpush_wire::id::UserId;
use mysql_async::prelude::ToValue as _;

use super::schema::ERROR_CHARACTERS;

/// The items of an `IN (…)`. Only for types whose text needs no quotes, such as numbers.
pub(super) fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A user id as an SQL literal. A text is always quoted, even one of digits: MySQL would compare a column of
/// texts with a number as numbers. It has no character that must be escaped.
pub(super) const fn id_literal(user: &UserId) -> IdLiteral<'_> {
    IdLiteral(user)
}

/// See [`id_literal`].
pub(super) struct IdLiteral<'a>(&'a UserId);

impl Display for IdLiteral<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_text() {
            Some(text) => write!(f, "'{text}'"),
            None => self.0.fmt(f),
        }
    }
}

/// Most bytes of a user id as an SQL literal.
pub(super) const ID_BYTES: usize = UserId::TEXT_BYTES + 2;

/// User ids as the items of an `IN (…)`.
pub(super) fn id_list(users: &[&UserId]) -> String {
    users.iter().map(|user| id_literal(user).to_string()).collect::<Vec<_>>().join(", ")
}

/// A text as an SQL literal.
pub(super) fn quoted(text: &str) -> String {
    text.to_value().as_sql(false)
}

/// The start of an error, as it is kept, as an SQL literal.
pub(super) fn error_literal(error: &str) -> String {
    quoted(&error.chars().take(ERROR_CHARACTERS).collect::<String>())
}

/// The length of a text as an SQL literal.
pub(super) fn quoted_bytes(text: &str) -> usize {
    let escaped = text.bytes().filter(|byte| b"\0\n\r\x1a'\"\\".contains(byte)).count();
    text.len() + escaped + 2
}

/// Splits a list so that the texts of each part have `most` bytes together, or the part has one item.
pub(super) fn in_statements<T>(items: &[T], most: usize, bytes: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut runs = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (at, item) in items.iter().enumerate() {
        size += bytes(item);
        if size > most && at > start {
            runs.push(&items[start..at]);
            (start, size) = (at, bytes(item));
        }
    }
    if start < items.len() {
        runs.push(&items[start..]);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_split_by_size_and_keep_every_item() {
        let items = [10, 1_000, 20, 30, 2_000];
        let runs = in_statements(&items, 1_000, |size| *size);
        assert_eq!(runs.concat(), items);
        assert_eq!(runs.len(), 4);
        assert!(in_statements(&[] as &[usize], 1_000, |size| *size).is_empty());
    }

    #[test]
    fn an_error_is_cut_between_characters() {
        assert_eq!(error_literal("it's"), r"'it\'s'");
        let long = "\u{9519}".repeat(ERROR_CHARACTERS + 1);
        assert_eq!(error_literal(&long).chars().count(), ERROR_CHARACTERS + 2);
    }

    #[test]
    fn quoted_text_cannot_end_its_string() {
        assert_eq!(quoted(r"a'b\c"), r"'a\'b\\c'");
        assert_eq!(quoted("\0\n\r\u{1a}"), r"'\0\n\r\Z'");
        for text in ["", "a'b\\c\"", "\0\n\r\u{1a}", "😀 é"] {
            assert_eq!(quoted_bytes(text), quoted(text).len(), "{text:?}");
        }
    }
}
