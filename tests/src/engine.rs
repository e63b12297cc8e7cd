//! What the servers of the tests do not have in common.

use std::borrow::Cow;
use std::sync::LazyLock;

use chatpush_stack::engine::Engine;

/// What MySQL calls otherwise than MariaDB.
const NAMES: [(&str, &str); 3] = [
    ("information_schema.global_status", "performance_schema.global_status"),
    ("READ_ONLY ADMIN", "CONNECTION_ADMIN"),
    // It logs every statement anyway.
    (", log_slow_filter = ''", ""),
];

/// Statements for MariaDB, as the server of the tests understands them.
pub fn portable(sql: &str) -> Cow<'_, str> {
    static IS_MYSQL: LazyLock<bool> =
        LazyLock::new(|| Engine::chosen().is_ok_and(|engine| engine.is_mysql()));
    if !*IS_MYSQL {
        return sql.into();
    }
    let named = NAMES.iter().fold(sql.to_owned(), |sql, (here, there)| sql.replace(here, there));
    with_numbers(&named).into_owned().into()
}

/// MySQL has no tables such as `seq_1_to_9` of MariaDB's Sequence engine, with the column `seq`.
fn with_numbers(sql: &str) -> Cow<'_, str> {
    let found = sql.split_once(" seq_").and_then(|(before, rest)| {
        let (first, rest) = rest.split_once("_to_")?;
        let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let (last, after) = rest.split_at(end);
        first.parse::<u32>().ok().map(|first| (before, first, last, after))
    });
    let Some((before, first, last, after)) = found else { return sql.into() };
    let numbers = format!(
        "(WITH RECURSIVE n (seq) AS (SELECT {first} UNION ALL SELECT seq + 1 FROM n WHERE seq < {last}) \
         SELECT seq FROM n) numbers"
    );
    format!("{before} {numbers}{}", with_numbers(after)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_from_a_recursive_query() {
        assert_eq!(with_numbers("SELECT seq_1"), "SELECT seq_1");
        assert_eq!(
            with_numbers("SELECT seq FROM seq_2_to_30;"),
            "SELECT seq FROM (WITH RECURSIVE n (seq) AS (SELECT 2 UNION ALL SELECT seq + 1 FROM n \
             WHERE seq < 30) SELECT seq FROM n) numbers;"
        );
    }
}
