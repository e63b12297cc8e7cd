//! An envelope reads back as what was written, to the byte, and what is none is refused.

use chatpush_wire::envelope::{self, Envelope};
use chatpush_wire::id::MessageId;

pub(super) fn run(data: &[u8]) {
    let Ok(envelope) = Envelope::decode(data) else { return };
    let written = match envelope {
        Envelope::Ephemeral { frame } => format!("{}{frame}", envelope::EPHEMERAL),
        Envelope::Tracked { id, untyped, frame } => {
            assert!(!id.is_empty(), "an envelope without its id is none");
            // Whoever delivers it checks the id, and drops a frame that it could not settle.
            let Ok(id) = MessageId::try_from(id.to_owned()) else { return };
            envelope::tracked(&id, untyped) + frame
        }
        Envelope::Disconnect => envelope::DISCONNECT.to_owned(),
    };
    assert_eq!(written.as_bytes(), data);
}
