//! What a notification shows.

use chatpush_wire::id::UserId;
use serde_json::Value;

/// What every notification shows.
#[derive(Clone, Debug)]
pub struct Notification {
    /// Its title.
    pub title: Template,
    /// Its text.
    pub body: Template,
    /// What a click opens.
    pub url: String,
}

/// A text with places for values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(Place),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Unread,
    Waiting,
    Sender,
    Content,
}

/// The values of the places.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Values<'a> {
    pub(crate) unread: u64,
    pub(crate) waiting: u64,
    /// Empty if it is not known.
    pub(crate) sender: &'a str,
    /// Empty if it is not known.
    pub(crate) content: &'a str,
}

const PLACES: [(&str, Place); 4] = [
    ("{unread}", Place::Unread),
    ("{waiting}", Place::Waiting),
    ("{sender}", Place::Sender),
    ("{content}", Place::Content),
];

/// Most characters of a text. Browsers show fewer.
const MOST_CHARACTERS: usize = 200;

impl Notification {
    /// Most bytes of title, text and address in JSON, without what a message says: the rest of a push message has
    /// fewer than 1,093 (RFC 8291 section 4).
    pub(crate) const MOST_BYTES: usize = 2_900;

    /// Bytes of title, text and address in JSON, where the values are the longest, without what a message says.
    pub(super) fn longest(&self) -> usize {
        let sender = "x".repeat(UserId::TEXT_BYTES);
        let values = Values { unread: u64::MAX, waiting: u64::MAX, sender: &sender, content: "x" };
        let texts = [self.title.render(values, 0), self.body.render(values, 0), self.url.clone()];
        texts.map(|text| Value::from(text).to_string().len()).iter().sum()
    }
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("must not be empty: browsers show every notification".to_owned());
        }
        if text.chars().count() > MOST_CHARACTERS {
            return Err(format!("must have at most {MOST_CHARACTERS} characters"));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, _)) = rest.split_once('{') {
            let place = &rest[before.len()..];
            let known = PLACES.iter().find(|(name, _)| place.starts_with(name));
            let (name, place) = known.ok_or_else(|| {
                let names = PLACES.map(|(name, _)| name).join(", ");
                format!("has a {{ that begins none of these: {names}")
            })?;
            parts.extend([Part::Text(before.to_owned()), Part::Place(*place)]);
            rest = &rest[before.len() + name.len()..];
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// Whether it shows what a message says.
    pub(super) fn has_content(&self) -> bool {
        self.0.contains(&Part::Place(Place::Content))
    }

    /// The text, of whose last message at most so many characters are shown.
    pub(crate) fn render(&self, values: Values<'_>, content_characters: usize) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Place(Place::Unread) => text.push_str(&values.unread.to_string()),
                Part::Place(Place::Waiting) => text.push_str(&values.waiting.to_string()),
                Part::Place(Place::Sender) => text.push_str(values.sender),
                Part::Place(Place::Content) => {
                    let shown = values.content.char_indices().nth(content_characters);
                    match shown {
                        Some((end, _)) => text.extend([&values.content[..end], "…"]),
                        None => text.push_str(values.content),
                    }
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled() {
        let template = Template::parse("{unread} of {waiting} from {sender}: {content}!").unwrap();
        let values = Values { unread: 1, waiting: 2, sender: "bob", content: "héllo {unread}" };
        assert_eq!(template.render(values, 100), "1 of 2 from bob: héllo {unread}!");
        assert_eq!(template.render(values, 2), "1 of 2 from bob: hé…!");
        assert!(template.has_content());
        assert!(!Template::parse("新消息 {unread}").unwrap().has_content());
    }

    #[test]
    fn unknown_places_are_named() {
        for bad in ["", " ", "{", "{Unread}", "{name}", "a {unread} {", &"x".repeat(201)] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
        assert!(Template::parse("{name}").unwrap_err().contains("{sender}"));
    }
}
