//! What a session works with.

use chatpush_wire::token::Verifier;

use crate::config::Limits;
use crate::edge::acks::Acks;
use crate::edge::replay::Replay;

/// What every session of this daemon works with.
#[derive(Clone, Debug)]
pub(crate) struct SessionContext {
    /// Sends stored messages and the unread counter after connecting.
    pub(crate) replay: Replay,
    /// Takes the client's acknowledgements.
    pub(crate) acks: Acks,
    /// Verifies renewed tokens.
    pub(crate) verifier: Verifier,
    /// Bounds on what a client sends.
    pub(crate) limits: Limits,
}
