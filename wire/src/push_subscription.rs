//! A browser's subscription to Web Push (W3C Push API, section "`PushSubscription` interface"; its `toJSON()`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::limit::{PUSH_ENDPOINT_BYTES, PUSH_SUBSCRIPTION_BYTES};

/// What a call or a client is told that needs Web Push, where it is off.
pub const NO_WEB_PUSH: &str = "Web Push is off: set [web_push] in chatpushd (`chatpushd vapid` prints it), run `chatpushd migrate`, and restart it";

/// Where a browser can be reached, and the keys for what it is sent (RFC 8291).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Json", into = "Json")]
pub struct PushSubscription {
    endpoint: String,
    p256dh: [u8; Self::P256DH_BYTES],
    auth: [u8; Self::AUTH_BYTES],
}

/// Why a text is no subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPushSubscription {
    /// It is too long.
    #[error("must have at most {PUSH_SUBSCRIPTION_BYTES} bytes")]
    TooLong,
    /// It is no object, or a member has another type.
    #[error("must be a PushSubscription as JSON: JSON.stringify(subscription)")]
    NotJson,
    /// The endpoint is missing, or no address that can be used.
    #[error("must have an endpoint: an https address of at most {PUSH_ENDPOINT_BYTES} bytes")]
    Endpoint,
    /// The public key of the browser is missing or malformed.
    #[error(
        "must have keys.p256dh: {} bytes in base64url, the first of which is 0x04",
        PushSubscription::P256DH_BYTES
    )]
    P256dh,
    /// The secret is missing or malformed.
    #[error("must have keys.auth: {} bytes in base64url", PushSubscription::AUTH_BYTES)]
    Auth,
}

/// The address of a browser at its push service, which tells its subscription from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PushEndpoint(String);

/// A text is no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an https address of at most {PUSH_ENDPOINT_BYTES} bytes")]
pub struct InvalidPushEndpoint;

impl PushEndpoint {
    /// As a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PushEndpoint {
    type Error = InvalidPushEndpoint;

    fn try_from(text: String) -> Result<Self, InvalidPushEndpoint> {
        if is_endpoint(&text) { Ok(Self(text)) } else { Err(InvalidPushEndpoint) }
    }
}

impl From<PushEndpoint> for String {
    fn from(PushEndpoint(text): PushEndpoint) -> Self {
        text
    }
}

impl PushSubscription {
    /// Bytes of an uncompressed point of P-256 (RFC 8291 section 3.1).
    pub const P256DH_BYTES: usize = 65;

    /// Bytes of the authentication secret (RFC 8291 section 3.2).
    pub const AUTH_BYTES: usize = 16;

    /// Reads what `JSON.stringify(subscription)` gives. Further members are ignored.
    ///
    /// # Errors
    ///
    /// What is wrong with it. Whether the key is a point of the curve is not looked at.
    pub fn parse(text: &str) -> Result<Self, InvalidPushSubscription> {
        if text.len() > PUSH_SUBSCRIPTION_BYTES {
            return Err(InvalidPushSubscription::TooLong);
        }
        // serde would also read the members from a JSON array.
        let object = text.trim_start().starts_with('{').then_some(text);
        let json: Option<Json> = object.and_then(|text| serde_json::from_str(text).ok());
        json.ok_or(InvalidPushSubscription::NotJson)?.try_into()
    }

    /// A subscription of parts that were checked before.
    ///
    /// # Errors
    ///
    /// As [`PushSubscription::parse`].
    pub fn new(endpoint: String, p256dh: &[u8], auth: &[u8]) -> Result<Self, InvalidPushSubscription> {
        if !is_endpoint(&endpoint) {
            return Err(InvalidPushSubscription::Endpoint);
        }
        // SEC 1 section 2.3.3: 4 begins an uncompressed point.
        let p256dh = p256dh.try_into().ok().filter(|[first, ..]: &[u8; Self::P256DH_BYTES]| *first == 4);
        let p256dh = p256dh.ok_or(InvalidPushSubscription::P256dh)?;
        let auth = auth.try_into().map_err(|_| InvalidPushSubscription::Auth)?;
        Ok(Self { endpoint, p256dh, auth })
    }

    /// The address of its push service.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The browser's public key.
    pub const fn p256dh(&self) -> &[u8; Self::P256DH_BYTES] {
        &self.p256dh
    }

    /// The secret that it shares.
    pub const fn auth(&self) -> &[u8; Self::AUTH_BYTES] {
        &self.auth
    }
}

/// An https address that is written as a browser writes it.
fn is_endpoint(text: &str) -> bool {
    let printable = text.len() <= PUSH_ENDPOINT_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic());
    printable
        && Url::parse(text).is_ok_and(|url| {
            let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
            url.scheme() == "https" && url.host().is_some() && plain
        })
}

#[derive(Clone, Serialize, Deserialize)]
struct Json {
    endpoint: Option<String>,
    keys: Option<Keys>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Keys {
    p256dh: Option<String>,
    auth: Option<String>,
}

impl TryFrom<Json> for PushSubscription {
    type Error = InvalidPushSubscription;

    fn try_from(Json { endpoint, keys }: Json) -> Result<Self, InvalidPushSubscription> {
        let endpoint = endpoint.ok_or(InvalidPushSubscription::Endpoint)?;
        let Keys { p256dh, auth } = keys.ok_or(InvalidPushSubscription::P256dh)?;
        let p256dh = p256dh.and_then(|text| decoded(&text)).ok_or(InvalidPushSubscription::P256dh)?;
        let auth = auth.and_then(|text| decoded(&text)).ok_or(InvalidPushSubscription::Auth)?;
        Self::new(endpoint, &p256dh, &auth)
    }
}

impl From<PushSubscription> for Json {
    fn from(PushSubscription { endpoint, p256dh, auth }: PushSubscription) -> Self {
        let [p256dh, auth] = [URL_SAFE_NO_PAD.encode(p256dh), URL_SAFE_NO_PAD.encode(auth)].map(Some);
        Self { endpoint: Some(endpoint), keys: Some(Keys { p256dh, auth }) }
    }
}

/// The bytes of base64url, with or without padding.
fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of RFC 8291, appendix A.
    const P256DH: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    fn json(endpoint: &str, p256dh: &str, auth: &str) -> String {
        format!(
            r#"{{"endpoint":"{endpoint}","expirationTime":null,"keys":{{"p256dh":"{p256dh}","auth":"{auth}"}}}}"#
        )
    }

    #[test]
    fn a_browsers_json_is_read_and_written() {
        let text = json("https://push.example/a?b=c", P256DH, &format!("{AUTH}=="));
        let subscription = PushSubscription::parse(&text).unwrap();
        assert_eq!(subscription.endpoint(), "https://push.example/a?b=c");
        assert_eq!((subscription.p256dh()[0], subscription.auth()[0]), (4, 5));
        let written = serde_json::to_string(&subscription).unwrap();
        assert_eq!(PushSubscription::parse(&written), Ok(subscription.clone()));
        assert_eq!(serde_json::from_str::<PushSubscription>(&written).unwrap(), subscription);
    }

    #[test]
    fn endpoint_alone_has_the_same_rule() {
        let endpoint = PushEndpoint::try_from("https://push.example/a".to_owned()).unwrap();
        assert_eq!(serde_json::to_string(&endpoint).unwrap(), r#""https://push.example/a""#);
        assert!(serde_json::from_str::<PushEndpoint>(r#""http://push.example/a""#).is_err());
        assert_eq!(PushEndpoint::try_from(String::new()), Err(InvalidPushEndpoint));
    }

    #[test]
    fn what_is_wrong_is_named() {
        use InvalidPushSubscription::{Auth, Endpoint, NotJson, P256dh, TooLong};
        let good = "https://push.example/";
        let long = format!("{good}{}", "x".repeat(PUSH_ENDPOINT_BYTES));
        for (text, error) in [
            ("", NotJson),
            ("[]", NotJson),
            ("5", NotJson),
            (r#"{"endpoint":5}"#, NotJson),
            ("{}", Endpoint),
            (&json("http://push.example/", P256DH, AUTH), Endpoint),
            (&json("https://a:b@push.example/", P256DH, AUTH), Endpoint),
            (&json("https://push.example/#a", P256DH, AUTH), Endpoint),
            (&json("https://push.example/ a", P256DH, AUTH), Endpoint),
            (&json("push.example", P256DH, AUTH), Endpoint),
            (&json(&long, P256DH, AUTH), Endpoint),
            (r#"{"endpoint":"https://push.example/"}"#, P256dh),
            (&json(good, AUTH, AUTH), P256dh),
            (&json(good, &P256DH.replacen('B', "A", 1), AUTH), P256dh),
            (&json(good, P256DH, "BTBZ"), Auth),
            (&json(good, P256DH, "not base64!"), Auth),
            (&" ".repeat(PUSH_SUBSCRIPTION_BYTES + 1), TooLong),
        ] {
            assert_eq!(PushSubscription::parse(text), Err(error), "{text}");
        }
    }
}
