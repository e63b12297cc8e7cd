//! Who sends (RFC 8292): a token for each push service, signed with the application's key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tokio::time::Instant;

use crate::base::clock;
use crate::config::VapidKeys;

/// How long a token is used.
const USED: Duration = Duration::from_secs(3_600);

/// How long it is valid: at most 24 hours (RFC 8292 section 2), and less for a clock that is behind.
const VALID: Duration = Duration::from_secs(12 * 3_600);

/// Push services whose token is remembered.
const ORIGINS: usize = 1_000;

/// Makes the header. Cloning is shallow.
#[derive(Clone, Debug)]
pub(super) struct Vapid {
    keys: VapidKeys,
    subject: Arc<str>,
    /// By origin: the header, and until when it is used. A plain mutex: nothing awaits while holding it.
    headers: Arc<Mutex<HashMap<String, (String, Instant)>>>,
}

impl Vapid {
    pub(super) fn new(keys: VapidKeys, subject: &str) -> Self {
        Self { keys, subject: subject.into(), headers: Arc::default() }
    }

    /// The value of `Authorization` for a push service.
    pub(super) fn header(&self, origin: &str) -> String {
        let now = Instant::now();
        let mut headers = self.headers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((header, until)) = headers.get(origin)
            && *until > now
        {
            return header.clone();
        }
        let expires = clock::unix_seconds() + VALID.as_secs();
        let header = format!("vapid t={}, k={}", self.token(origin, expires), self.keys.public());
        if headers.len() >= ORIGINS {
            headers.clear();
        }
        headers.insert(origin.to_owned(), (header.clone(), now + USED));
        header
    }

    /// A JSON Web Token (RFC 7519) by ES256.
    fn token(&self, origin: &str, expires: u64) -> String {
        let encode = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let header = encode(&json!({ "typ": "JWT", "alg": "ES256" }));
        let claims = encode(&json!({ "aud": origin, "exp": expires, "sub": &*self.subject }));
        let signed = format!("{header}.{claims}");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.keys.sign(&signed)))
    }
}
