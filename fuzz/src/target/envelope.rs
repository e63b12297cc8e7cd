//! A decoded envelope encodes to the same bytes, and anything else is rejected.

use chatpush_wire::envelope::{self, Envelope};
use chatpush_wire::id::MessageId;

pub(super) fn run(data: &[u8]) {
    let Ok(envelope) = Envelope::decode(data) else { return };
    let written = match envelope {
        Envelope::Ephemeral { frame } => format!("{}{frame}", envelope::EPHEMERAL),
        Envelope::Tracked { id, untyped, frame } => {
            assert!(!id.is_empty(), "an envelope without an id was accepted");
            // The daemon validates the id before delivery, and drops the frame if it is invalid.
            let Ok(id) = MessageId::try_from(id.to_owned()) else { return };
            envelope::tracked(&id, untyped) + frame
        }
        Envelope::Event { frame } => format!("{}{frame}", envelope::EVENT),
        Envelope::Recall { frame } => format!("{}{frame}", envelope::RECALL),
        Envelope::Many { users, envelope } => format!("{}{users}\n{envelope}", envelope::MANY),
        Envelope::Members { reply_to } => format!("{}{reply_to}", envelope::MEMBERS),
        Envelope::Connections { question, users } => format!("{}{question}\n{users}", envelope::CONNECTIONS),
        Envelope::Disconnect => envelope::DISCONNECT.to_owned(),
    };
    assert_eq!(written.as_bytes(), data);
}
