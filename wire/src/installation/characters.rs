//! The characters of a character set.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

/// Characters up to U+FFFF: one bit for each, up to the last one. As text it is in base64, at most 11 KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Characters(Vec<u8>);

impl Characters {
    /// Whether it is one of them.
    pub fn contains(&self, character: char) -> bool {
        let (byte, bit) = place(character);
        self.0.get(byte).is_some_and(|bits| bits & bit != 0)
    }
}

impl FromIterator<char> for Characters {
    fn from_iter<I: IntoIterator<Item = char>>(characters: I) -> Self {
        let mut bytes = Vec::new();
        for (byte, bit) in characters.into_iter().filter(|one| *one <= '\u{ffff}').map(place) {
            if byte >= bytes.len() {
                bytes.resize(byte + 1, 0);
            }
            if let Some(bits) = bytes.get_mut(byte) {
                *bits |= bit;
            }
        }
        Self(bytes)
    }
}

/// Which bit is that of a character.
const fn place(character: char) -> (usize, u8) {
    (character as usize / 8, 1 << (character as usize % 8))
}

impl From<Characters> for String {
    fn from(characters: Characters) -> Self {
        STANDARD_NO_PAD.encode(characters.0)
    }
}

impl TryFrom<String> for Characters {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        STANDARD_NO_PAD.decode(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_contains_what_it_was_made_of() {
        let all: Vec<_> = "\u{1}ab\u{7f}é€消\u{ffff}".chars().collect();
        let characters: Characters = all.iter().copied().chain(['😀']).collect();
        let found: Vec<_> = ('\0'..='\u{1ffff}').filter(|one| characters.contains(*one)).collect();
        assert_eq!(found, all);
        let text = String::from(characters.clone());
        assert_eq!((text.len(), Characters::try_from(text)), (10_923, Ok(characters)));
    }
}
