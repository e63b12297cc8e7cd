//! What the database's column with the content of a message holds. What it does not hold is refused before
//! anybody sees it.

use serde::{Deserialize, Serialize};

use super::characters::Characters;

/// What the database's column with the content of a message holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentColumn {
    /// Its character set, as MySQL names it.
    pub charset: String,
    /// The longest content in bytes.
    pub most_bytes: u64,
    /// The longest content in characters.
    pub most_characters: u64,
    /// The characters of its character set, where those of Unicode are not known by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub characters: Option<Characters>,
}

impl Default for ContentColumn {
    /// A column of which nothing is known.
    fn default() -> Self {
        let (most_bytes, most_characters) = (u64::MAX, u64::MAX);
        Self { charset: String::new(), most_bytes, most_characters, characters: None }
    }
}

/// Why a column does not hold a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentRefused {
    /// A character that the character set does not have.
    #[error(
        "the content column cannot hold the character U+{:04X}: change its character set to utf8mb4",
        u32::from(*.0)
    )]
    Character(char),
    /// Too many bytes or characters.
    #[error("the content is longer than its column, which holds {0} {1}")]
    Length(u64, &'static str),
}

impl ContentColumn {
    /// Whether the characters of its character set are known by its name.
    pub fn is_unicode(&self) -> bool {
        matches!(
            self.charset.as_str(),
            "ascii" | "utf8mb4" | "utf8mb3" | "utf8" | "ucs2" | "utf16" | "utf16le" | "utf32" | "gb18030"
        )
    }

    /// Whether the column holds a content. Where a character may take one of several numbers of bytes, it counts
    /// with the most.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub fn holds(&self, content: &str) -> Result<(), ContentRefused> {
        // MySQL manual, "Supported Character Sets" and "Unicode Support". Most columns hold every character.
        let refused = match (self.charset.as_str(), &self.characters) {
            ("ascii", _) => content.chars().find(|one| !one.is_ascii()),
            ("utf8mb3" | "utf8" | "ucs2", _) => content.chars().find(|one| one.len_utf8() > 3),
            (_, Some(characters)) => content.chars().find(|one| !characters.contains(*one)),
            (_, None) => None,
        };
        if let Some(refused) = refused {
            return Err(ContentRefused::Character(refused));
        }
        if self.bytes(content) > self.most_bytes {
            return Err(ContentRefused::Length(self.most_bytes, "bytes"));
        }
        // There are at most as many characters as bytes.
        if content.len() as u64 > self.most_characters
            && content.chars().count() as u64 > self.most_characters
        {
            return Err(ContentRefused::Length(self.most_characters, "characters"));
        }
        Ok(())
    }

    /// How many bytes a content takes in the character set.
    fn bytes(&self, content: &str) -> u64 {
        let each = |others: fn(char) -> usize| {
            content.chars().map(|one| if one.is_ascii() { 1 } else { others(one) }).sum()
        };
        let bytes: usize = match self.charset.as_str() {
            "utf8mb4" | "utf8mb3" | "utf8" | "ascii" => content.len(),
            "utf16" | "utf16le" | "ucs2" => content.encode_utf16().count() * 2,
            "utf32" => content.chars().count() * 4,
            "gbk" | "gb2312" | "big5" | "euckr" | "sjis" | "cp932" => each(|_| 2),
            "ujis" | "eucjpms" => each(|_| 3),
            // It has the two bytes of GBK for these, and four for most others.
            "gb18030" => each(|one| if matches!(one, '\u{4e00}'..='\u{9fa5}') { 2 } else { 4 }),
            // One byte for each.
            _ => 0,
        };
        bytes as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_holds_what_mysql_would_store() {
        let column = |charset: &str, most_bytes, most_characters| ContentColumn {
            charset: charset.to_owned(),
            most_bytes,
            most_characters,
            characters: None,
        };
        let text = |charset| column(charset, 65_535, 65_535);
        let latin1 = ContentColumn { characters: Some("éa€".chars().collect()), ..text("latin1") };
        for (column, content) in [
            (text("utf8mb4"), "😀 é"),
            (text("utf8mb3"), "é 消"),
            (text("ascii"), "plain"),
            (text("latin1"), "é€"),
            (latin1.clone(), "é€"),
            (text("utf16"), "😀"),
            (column("utf8mb4", 40, 10), "0123456789"),
            (column("utf8mb4", 40, 10), "😀😀😀😀😀😀😀😀😀😀"),
            (column("latin1", 255, 255), &"é".repeat(255)),
            (column("gbk", 255, 255), &"消".repeat(127)),
            (column("gb18030", 255, 255), &"消".repeat(127)),
            (ContentColumn::default(), "😀"),
        ] {
            assert_eq!(column.holds(content), Ok(()), "{column:?} {content}");
        }
        for (column, content, refused) in [
            (text("utf8mb3"), "é😀", ContentRefused::Character('😀')),
            (text("ucs2"), "é😀", ContentRefused::Character('😀')),
            (text("ascii"), "é", ContentRefused::Character('é')),
            (latin1.clone(), "é消", ContentRefused::Character('消')),
            (latin1, "😀", ContentRefused::Character('😀')),
            (column("utf8mb4", 40, 10), "0123456789a", ContentRefused::Length(10, "characters")),
            (column("utf8mb4", 255, 255), &"é".repeat(128), ContentRefused::Length(255, "bytes")),
            (column("utf16", 255, 255), &"a".repeat(128), ContentRefused::Length(255, "bytes")),
            (column("utf32", 255, 255), &"a".repeat(64), ContentRefused::Length(255, "bytes")),
            (column("gbk", 255, 255), &"消".repeat(128), ContentRefused::Length(255, "bytes")),
            (column("gb18030", 255, 255), &"é".repeat(64), ContentRefused::Length(255, "bytes")),
            (column("ujis", 255, 255), &"é".repeat(86), ContentRefused::Length(255, "bytes")),
            (column("latin1", 255, 255), &"é".repeat(256), ContentRefused::Length(255, "characters")),
        ] {
            assert_eq!(column.holds(content), Err(refused), "{column:?} {content}");
        }
    }
}
