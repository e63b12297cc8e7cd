//! What clients say of their subscriptions to Web Push, on its way from a session to MySQL.

use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::frame::push;
use chatpush_wire::id::UserId;
use chatpush_wire::limit::PUSH_SUBSCRIPTION_BYTES;
use chatpush_wire::push_subscription::{InvalidPushSubscription, NO_WEB_PUSH, PushSubscription};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::hub::{Outgoing, Sender};
use crate::web_push::subscriptions::{SubscriptionError, Subscriptions};

/// Requests of all clients that wait for MySQL at the same time. Further ones are refused.
const REQUESTS: usize = 64;

/// Requests of one client in a minute.
const MOST: u32 = 10;

/// The minute.
const MINUTE: Duration = Duration::from_secs(60);

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushRequest {
    /// Save a subscription.
    Save(PushSubscription),
    /// Remove the subscription with this endpoint.
    Remove(String),
    /// It is none that can be done: its endpoint, if that can be read, and why.
    Invalid(String, InvalidPushSubscription),
}

/// How many requests a client has made.
#[derive(Debug, Default)]
pub(crate) struct PushPace {
    minute: Option<Instant>,
    requests: u32,
}

/// Takes requests. Cloning is shallow.
#[derive(Clone, Debug)]
pub(crate) struct PushRequests {
    subscriptions: Subscriptions,
    permits: Arc<Semaphore>,
}

impl PushRequest {
    /// To save what a client has sent as JSON.
    pub(crate) fn save(json: &str) -> Self {
        match PushSubscription::parse(json) {
            Ok(subscription) => Self::Save(subscription),
            Err(error) => Self::Invalid(endpoint_of(json), error),
        }
    }

    /// To remove what a client has named.
    pub(crate) fn remove(endpoint: String) -> Self {
        if endpoint.len() > PUSH_SUBSCRIPTION_BYTES {
            return Self::Invalid(String::new(), InvalidPushSubscription::TooLong);
        }
        Self::Remove(endpoint)
    }

    fn endpoint(&self) -> &str {
        match self {
            Self::Save(subscription) => subscription.endpoint(),
            Self::Remove(endpoint) | Self::Invalid(endpoint, _) => endpoint,
        }
    }
}

/// The endpoint of something that is no subscription; empty if it has none that may be repeated to the client.
fn endpoint_of(json: &str) -> String {
    #[derive(Deserialize)]
    struct Endpoint {
        endpoint: String,
    }
    let object = json.trim_start().starts_with('{').then_some(json);
    let read: Option<Endpoint> = object.and_then(|json| serde_json::from_str(json).ok());
    let endpoint = read.map(|Endpoint { endpoint }| endpoint).unwrap_or_default();
    if endpoint.len() > PUSH_SUBSCRIPTION_BYTES { String::new() } else { endpoint }
}

impl PushPace {
    /// Counts a request. False if there are too many in this minute.
    fn allows(&mut self, now: Instant) -> bool {
        if self.minute.is_none_or(|minute| now.duration_since(minute) >= MINUTE) {
            *self = Self { minute: Some(now), requests: 0 };
        }
        self.requests = self.requests.saturating_add(1);
        self.requests <= MOST
    }
}

impl PushRequests {
    /// Passes requests on to `subscriptions`.
    pub(crate) fn new(subscriptions: Subscriptions) -> Self {
        Self { subscriptions, permits: Arc::new(Semaphore::new(REQUESTS)) }
    }

    /// Answers a request of a user's client, without waiting for MySQL.
    pub(crate) fn answer(&self, user: &UserId, client: Sender, pace: &mut PushPace, request: PushRequest) {
        let refuse = |reason: &str| say(&client, push::refused(request.endpoint(), reason));
        if !pace.allows(Instant::now()) {
            return refuse(&format!("at most {MOST} requests in a minute: try again later"));
        }
        if !self.subscriptions.are_used() {
            return refuse(NO_WEB_PUSH);
        }
        if let PushRequest::Invalid(_, error) = &request {
            return refuse(&error.to_string());
        }
        let Ok(permit) = self.permits.clone().try_acquire_owned() else {
            return refuse("too many clients ask for this at the same time: try again later");
        };
        let (subscriptions, user) = (self.subscriptions.clone(), user.clone());
        tokio::spawn(async move {
            let frame = answer(&subscriptions, &user, request).await;
            say(&client, frame);
            drop(permit);
        });
    }
}

async fn answer(subscriptions: &Subscriptions, user: &UserId, request: PushRequest) -> String {
    let (endpoint, done) = match &request {
        PushRequest::Save(subscription) => {
            let endpoint = subscription.endpoint();
            (endpoint, subscriptions.save(user, subscription).await.map(|()| push::saved(endpoint)))
        }
        PushRequest::Invalid(endpoint, error) => (endpoint.as_str(), Err(SubscriptionError::Key(*error))),
        PushRequest::Remove(endpoint) => {
            (endpoint.as_str(), subscriptions.remove(user, endpoint).await.map(|_| push::removed(endpoint)))
        }
    };
    done.unwrap_or_else(|error| match error {
        SubscriptionError::Store(error) => {
            tracing::warn!(%user, %error, "cannot change a subscription to Web Push");
            // MySQL's own words are not for browsers.
            push::refused(endpoint, "the database cannot be used now: try again later")
        }
        error => push::refused(endpoint, &error.to_string()),
    })
}

fn say(client: &Sender, frame: String) {
    client.push(&Outgoing::new(Utf8Bytes::from(frame), None));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_per_minute() {
        let (mut pace, now) = (PushPace::default(), Instant::now());
        assert!((0..MOST).all(|_| pace.allows(now)));
        assert!(!pace.allows(now + Duration::from_secs(59)));
        assert!(pace.allows(now + MINUTE));
    }

    #[test]
    fn a_refusal_repeats_the_endpoint() {
        let request = PushRequest::save(r#"{"endpoint":"http://a.example/"}"#);
        assert_eq!(request.endpoint(), "http://a.example/");
        let too_long =
            |endpoint: &str| PushRequest::Invalid(endpoint.to_owned(), InvalidPushSubscription::TooLong);
        assert_eq!(PushRequest::save("5").endpoint(), "");
        let spaces = " ".repeat(2_048);
        let long = format!(r#"{{"endpoint":"https://a.example/"{spaces}}}"#);
        assert_eq!(PushRequest::save(&long), too_long("https://a.example/"));
        assert_eq!(PushRequest::save(&format!(r#"{{"endpoint":"{}"}}"#, "x".repeat(2_049))), too_long(""));
        assert_eq!(PushRequest::remove("x".repeat(2_049)), too_long(""));
    }
}
