//! What a session does with a client's messages.

use chatpush_wire::id::MessageId;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::client_frame::ClientFrame;
use super::end::{End, Step};
use super::protocol::Protocol;
use super::{Session, instant_of};
use crate::base::{clock, message_log, metrics};
use crate::config::Limits;
use crate::edge::acks::Ack;
use crate::hub::close_code::Close;

impl Session<'_> {
    /// Handles one message. Messages that confirm nothing are rate-limited.
    pub(super) async fn on_message(&mut self, message: Message) -> Step {
        self.last_received = Instant::now();
        let bytes = payload_bytes(&message);
        let confirmed = match message {
            Message::Pong(payload) if self.protocol.confirms_by_pong() => self.on_pong(&payload),
            Message::Text(text) if self.protocol == Protocol::V1 => self.on_text(&text).await?,
            // Front ends written for other servers send heartbeats as text; they are ignored, within the rate
            // limit.
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) => Vec::new(),
            Message::Binary(_) => return Err(Close::Binary.into()),
            // A raw frame is only ever written.
            Message::Close(_) | Message::Frame(_) => return Err(End::ClosedByClient),
        };
        let Limits { messages, bytes: most, .. } = self.limits;
        if confirmed.is_empty() && !self.rate.allows(self.last_received, bytes, messages, most) {
            return Err(Close::Flooding.into());
        }
        self.confirm(confirmed).await;
        Ok(())
    }

    /// The messages that this pong confirms.
    fn on_pong(&mut self, payload: &[u8]) -> Vec<MessageId> {
        let number = std::str::from_utf8(payload).ok().and_then(|text| text.parse().ok());
        number.map_or_else(Vec::new, |number| self.tracking.pong(number))
    }

    /// Handles a frame of a `chatpush.v1` client; returns the messages that it confirms.
    async fn on_text(&mut self, text: &str) -> Result<Vec<MessageId>, End> {
        match ClientFrame::parse(text) {
            Some(ClientFrame::Ack(ids)) => return Ok(self.tracking.ack(&ids)),
            Some(ClientFrame::Read) => {
                self.context.acks.append(Ack::Read(self.registration.user().clone())).await;
            }
            Some(ClientFrame::ReadConversation(conversation)) => {
                let user = self.registration.user().clone();
                self.context.acks.append(Ack::ReadConversation(user, conversation)).await;
            }
            Some(ClientFrame::Token(token)) => self.renew_token(&token),
            Some(ClientFrame::Grant(grant)) => self.on_grant(&grant),
            Some(ClientFrame::Event(event)) => self.on_event(event),
            Some(ClientFrame::RefusedEvent(refused)) => metrics::EVENTS_DROPPED.increment(refused.reason()),
            Some(ClientFrame::Push(request)) => {
                let (user, client) = (self.registration.user(), self.registration.sender());
                self.context.push_requests.answer(user, client, &mut self.push_pace, request);
            }
            Some(ClientFrame::Ping) => {
                self.send(Message::Text(Utf8Bytes::from_static(r#"{"pong":true}"#))).await?;
            }
            None => {}
        }
        Ok(Vec::new())
    }

    /// Takes a new token of the same user. With any other token the old one stays in force until it expires.
    fn renew_token(&mut self, token: &str) {
        let verified = self.context.verifier().verify(token, clock::unix_seconds());
        match verified.and_then(|token| self.credentials.renew(token)) {
            Ok(()) => self.token_expires = instant_of(self.credentials.token().expires),
            Err(error) => {
                let user = self.registration.user();
                tracing::debug!(%user, %error, "renewed token rejected");
            }
        }
    }

    async fn confirm(&mut self, ids: Vec<MessageId>) {
        if !ids.is_empty() {
            metrics::MESSAGES.confirmed.inc_by(ids.len() as u64);
            for id in &ids {
                message_log::confirmed(id, self.registration.user(), self.connection);
            }
            self.context.acks.append(Ack::Messages(self.registration.user().clone(), ids)).await;
        }
    }
}

/// Bytes of payload in a message of a client.
fn payload_bytes(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) | Message::Frame(_) => 0,
    }
}
