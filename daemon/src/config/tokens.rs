//! Which connect tokens are accepted.

use std::sync::Arc;

use chatpush_wire::id::UserIdType;
use chatpush_wire::token::{Secret, Verifier};

use super::setting::Setting;
use super::source::Source;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::required("secret", "", "Key of the connect tokens, at least 32 bytes")
        .details("The same as `chatpush.secret` in PHP. `openssl rand -hex 32` makes one.")
        .reloads(),
    Setting::text("previous_secrets", "", "Older keys that are still accepted, separated by spaces")
        .details("For the time after the key was changed.")
        .reloads(),
    Setting::text("token.audience", "", "Audience (`aud`) that tokens must name")
        .details("The same as `chatpush.audience` in PHP. Empty: tokens must not name one.")
        .reloads(),
    Setting::integer(
        "token.clock_skew",
        "60",
        0..=3_600,
        "seconds",
        "How far the clock that signs tokens may be ahead",
    )
    .reloads(),
];

/// The keys of connect tokens, and what tokens must say.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Signs and verifies.
    pub secret: Secret,
    /// Verify too, while old tokens are in use.
    pub previous_secrets: Vec<Secret>,
    /// The `aud` that tokens must name. `None`: they must not name one.
    pub audience: Option<Arc<str>>,
    /// How far the clock of the signing server may be ahead, in seconds.
    pub clock_skew: u32,
}

impl Tokens {
    /// Verifies what browsers connect with.
    pub fn verifier(&self, user_ids: UserIdType) -> Verifier {
        let secrets = std::iter::once(&self.secret).chain(&self.previous_secrets).cloned();
        Verifier {
            secrets: secrets.collect(),
            audience: self.audience.clone(),
            user_ids,
            clock_skew: self.clock_skew,
        }
    }

    pub(super) fn read(source: &mut Source) -> Option<Self> {
        let secret = source.parse("secret", parse_secret);
        let previous_secrets =
            source.parse("previous_secrets", |text| text.split_whitespace().map(parse_secret).collect());
        let audience = source.text("token.audience");
        let clock_skew = source.integer("token.clock_skew");
        Some(Self {
            secret: secret?,
            previous_secrets: previous_secrets?,
            audience: audience.map(|text| Some(text).filter(|text| !text.is_empty()).map(Arc::from))?,
            clock_skew: clock_skew?,
        })
    }
}

fn parse_secret(text: &str) -> Result<Secret, String> {
    Secret::new(text).map_err(|error| error.to_string())
}
