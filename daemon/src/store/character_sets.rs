//! Which characters the server's character sets have. The server is asked once for each, since a table of our own
//! would differ from its.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use chatpush_wire::installation::{Characters, ContentColumn};
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

use super::{StoreError, bounded};

/// Characters in one question. It is far below every `max_allowed_packet`.
const QUESTION: usize = 8_192;

/// What the server has said. Cloning is shallow.
#[derive(Clone, Debug, Default)]
pub(super) struct CharacterSets(Arc<Mutex<BTreeMap<String, Characters>>>);

impl CharacterSets {
    /// Adds the characters to what is known of a column, if its character set has not all of Unicode.
    pub(super) async fn describe(
        &self,
        connection: &mut Conn,
        content: &mut ContentColumn,
    ) -> Result<(), StoreError> {
        let is_name = content.charset.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if content.charset.is_empty() || content.is_unicode() || !is_name {
            return Ok(());
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&content.charset).cloned();
        let characters = match known {
            Some(characters) => characters,
            None => ask(connection, &content.charset).await?,
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(content.charset.clone(), characters.clone());
        content.characters = Some(characters);
        Ok(())
    }
}

/// Asks for every character up to U+FFFF; such sets have no others. What a set lacks becomes a question mark (MySQL
/// manual, "CONVERT").
async fn ask(connection: &mut Conn, charset: &str) -> Result<Characters, StoreError> {
    let all: Vec<char> = ('\u{1}'..='\u{ffff}').collect();
    let mut held = Vec::with_capacity(all.len());
    for asked in all.chunks(QUESTION) {
        let text: String = asked.iter().collect();
        let hex = text.bytes().fold(String::new(), |mut hex, byte| {
            // Writing to a text cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let sql =
            format!("SELECT CONVERT(CONVERT(_utf8mb4 X'{hex}' USING {charset}) USING utf8mb4) AS `found`");
        let found: Option<Option<String>> = bounded(connection.query_first(sql)).await?;
        let found = found.flatten().unwrap_or_default();
        let pairs = asked.iter().zip(found.chars());
        held.extend(pairs.filter(|(asked, found)| *found != '?' || **asked == '?').map(|(asked, _)| *asked));
    }
    Ok(held.into_iter().collect())
}
