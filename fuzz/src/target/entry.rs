//! A log entry reads back as what was written, and what is no entry is refused.
//!
//! The parts of an input between `|` are fields, each `name=value`.

use chatpush_wire::entry::Entry;

pub(super) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let fields: Vec<_> = text
        .split('|')
        .filter_map(|field| field.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let Ok(entry) = Entry::decode(&fields) else { return };
    assert_eq!(Entry::decode(&written(&entry)), Ok(entry));
}

/// The entry as it stands in the log: the script appends who waits and whether the receiver was there.
fn written(entry: &Entry) -> Vec<(String, String)> {
    let mut fields: Vec<_> =
        entry.fields().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    if let Entry::Message { receiver_online: true, .. } | Entry::Duplicate { receiver_online: true, .. } =
        entry
    {
        fields.push(("l".to_owned(), "1".to_owned()));
    }
    if let Some(reply_to) = entry.reply_to() {
        fields.push(("q".to_owned(), reply_to.to_owned()));
    }
    fields
}
