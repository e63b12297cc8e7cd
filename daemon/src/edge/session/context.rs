//! What a session works with.

use chatpush_wire::id::UserIdType;
use chatpush_wire::token::Verifier;

use crate::config::Live;
use crate::edge::acks::Acks;
use crate::edge::events::Events;
use crate::edge::push_requests::PushRequests;
use crate::edge::replay::Replay;
use crate::fanout::subscriptions::Subscriptions;

/// What every session of this daemon works with.
#[derive(Clone, Debug)]
pub(crate) struct SessionContext {
    /// Sends stored messages and the unread counter after connecting.
    pub(crate) replay: Replay,
    /// Takes the client's acknowledgements.
    pub(crate) acks: Acks,
    /// Takes the client's events.
    pub(crate) events: Events,
    /// Takes what the client says of its subscription to Web Push.
    pub(crate) push_requests: PushRequests,
    /// Subscribes to rooms.
    pub(crate) subscriptions: Subscriptions,
    /// The type of user ids.
    pub(crate) user_id_type: UserIdType,
    /// The keys of tokens and grants, and bounds on what a client sends.
    pub(crate) live: Live,
}

impl SessionContext {
    /// Verifies renewed tokens and grants.
    pub(crate) fn verifier(&self) -> Verifier {
        self.live.get().tokens.verifier(self.user_id_type)
    }
}
