//! Connect tokens: JSON Web Tokens (RFC 7519) signed with HMAC SHA-256 (RFC 7518 section 3.2).
//!
//! The algorithm is pinned: a token with another one is refused before anything else is checked. So
//! `"alg":"none"` is no attack (RFC 8725 section 2.1).

use std::fmt::Display;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::Sha256;

use crate::id::{AnyUserId, UserId, UserIdType};
use crate::limit::{GRANT_PEERS, GRANT_ROOMS, ROOM_BYTES, SECRET_BYTES};

/// Longest token that is verified, in bytes. A signed one has about 150.
const TOKEN_BYTES: usize = 4_096;

/// The type of a grant, in the header of the token: it is no connect token ([`crate::grant`]).
pub(crate) const GRANT_TYPE: &str = "chatpush-grant+jwt";

/// The key that signs and verifies. It is never printed: `Debug` shows only its length.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// The key is too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have at least {SECRET_BYTES} bytes (try: openssl rand -hex 32)")]
pub struct WeakSecret;

impl Secret {
    /// Takes a key of at least 32 bytes.
    ///
    /// # Errors
    ///
    /// [`WeakSecret`] for a shorter one.
    pub fn new(key: impl Into<Vec<u8>>) -> Result<Self, WeakSecret> {
        let key = key.into();
        if key.len() < SECRET_BYTES { Err(WeakSecret) } else { Ok(Self(key)) }
    }

    fn mac(&self, signed: &str) -> Hmac<Sha256> {
        // HMAC takes a key of any length (RFC 2104 section 2), so the fallback is never used.
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).unwrap_or_else(|_| {
            <Hmac<Sha256> as KeyInit>::new(&hmac::digest::Key::<Hmac<Sha256>>::default())
        });
        mac.update(signed.as_bytes());
        mac
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// Why a token is refused. The text reveals nothing that the client must not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three dot-separated parts of base64url JSON, or too long.
    #[error("token is malformed")]
    Malformed,
    /// The algorithm is not HS256.
    #[error("token algorithm must be HS256")]
    Algorithm,
    /// The header names extensions that must be understood, and none is.
    #[error("token header has `crit`, and no extension is supported")]
    Critical,
    /// Another key signed it.
    #[error("token signature does not match: chatpush.secret in PHP and secret of chatpushd differ")]
    Signature,
    /// There is no `exp`.
    #[error("token has no expiry")]
    NoExpiry,
    /// `exp` is in the past.
    #[error("token has expired")]
    Expired,
    /// `nbf` or `iat` is in the future.
    #[error("token is not valid yet")]
    NotYet,
    /// `sub` is a text, and this installation's user ids are numbers.
    #[error("token subject must be a user id (user_id_type is {0}; for ids such as guest-1 set it to text)")]
    SubjectType(UserIdType),
    /// It was revoked.
    #[error("token was revoked")]
    Revoked,
    /// `sub` is not a user id of this installation's type.
    #[error("token subject must be a user id")]
    Subject,
    /// `aud` does not name the expected audience, or is there though none is expected.
    #[error("token is for another audience: see token.audience in chatpush.toml")]
    Audience,
    /// It is a grant, where a connect token is asked for.
    #[error("this is a grant: a connection needs a token of connectToken()")]
    IsGrant,
    /// It is another token, where a grant is asked for.
    #[error("this is no grant: grantToken() makes one")]
    NoGrant,
    /// It is another user's than the connection.
    #[error("token is for another user than the connection")]
    OtherUser,
    /// It is a grant of another user than the connection.
    #[error("grant is for another user than the connection")]
    OtherUsersGrant,
    /// A peer, with its place in the list, is no user id of this installation's type.
    #[error("grant has no user id in peers[{0}] (user_id_type is {1})")]
    Peer(usize, UserIdType),
    /// A room, with its place in the list, has no name that a room may have.
    #[error(
        "grant has no name of a room in rooms[{0}]: it must be 1 to {ROOM_BYTES} letters, digits, or any of . _ : @ -"
    )]
    Room(usize),
    /// It has no lists of peers and rooms, or too long ones.
    #[error("grant must have a list of up to {GRANT_PEERS} peers and one of up to {GRANT_ROOMS} rooms")]
    Granted,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    /// Whatever it holds: a list of extensions that are not understood, or no valid list (RFC 7515 section
    /// 4.1.11).
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
}

fn is_there<'a, D: Deserializer<'a>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Claims {
    sub: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<f64>,
    iat: Option<serde_json::Number>,
    exp: Option<serde_json::Number>,
    aud: Option<Audience>,
}

/// A list of texts, or a single one (RFC 7519 section 4.1.3).
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// A token for `user`, an id of any type, and `audience`, valid for `ttl` seconds from `now`, which is in
/// seconds since 1970.
pub fn sign(secret: &Secret, user: impl Display, audience: Option<&str>, now: u64, ttl: u64) -> String {
    sign_as("JWT", secret, &claims_for(user, audience, now, ttl, ""))
}

/// Whether this is the type of a grant. Media types are compared without case (RFC 7515 section 4.1.9).
pub(crate) fn is_grant(typ: Option<&str>) -> bool {
    typ.is_some_and(|typ| typ.eq_ignore_ascii_case(GRANT_TYPE))
}

/// The claims of a token, and further ones, each with a comma before it.
pub(crate) fn claims_for(
    user: impl Display,
    audience: Option<&str>,
    now: u64,
    ttl: u64,
    further: &str,
) -> String {
    // serde_json writes any text as a JSON string.
    let audience =
        audience.map(|name| format!(r#","aud":{}"#, serde_json::Value::from(name))).unwrap_or_default();
    let expires = now.saturating_add(ttl);
    format!(r#"{{"sub":"{user}","iat":{now},"exp":{expires}{audience}{further}}}"#)
}

/// Signs claims as a token of this type.
pub(crate) fn sign_as(typ: &str, secret: &Secret, claims: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"HS256","typ":"{typ}"}}"#));
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(secret.mac(&signed).finalize().into_bytes());
    format!("{signed}.{signature}")
}

/// The claims of a valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The user that the token authenticates.
    pub user: UserId,
    /// When the token expires, in seconds since 1970.
    pub expires: u64,
    /// When it was issued, in seconds since 1970, if it says so.
    pub issued: Option<u64>,
}

impl VerifiedToken {
    /// Whether the token is from before a second, or may be.
    pub fn is_from_before(&self, second: u64) -> bool {
        self.issued.is_none_or(|issued| issued < second)
    }
}

/// Verifies tokens. Cloning is shallow.
#[derive(Clone, Debug)]
pub struct Verifier {
    /// The keys. A token may be signed with any of them, so that keys can be rotated while old tokens are
    /// still valid.
    pub secrets: Arc<[Secret]>,
    /// The audience that `aud` must name. Without one, a token with `aud` is refused (RFC 7519 section
    /// 4.1.3).
    pub audience: Option<Arc<str>>,
    /// The type of the user id that `sub` must be.
    pub user_ids: UserIdType,
    /// How far the signer's clock may be ahead, in seconds: the tolerance for `nbf` and `iat`.
    pub clock_skew: u32,
}

impl Verifier {
    /// The claims of a token, if it is valid at `now`, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`TokenError`], which names what is wrong.
    pub fn verify(&self, token: &str, now: u64) -> Result<VerifiedToken, TokenError> {
        let (typ, claims) = self.open(token, TOKEN_BYTES)?;
        if is_grant(typ.as_deref()) {
            return Err(TokenError::IsGrant);
        }
        self.check(decode(claims)?, now)
    }

    /// The type of a token of at most so many bytes, and its claims, if a key of ours signed it.
    pub(crate) fn open<'a>(
        &self,
        token: &'a str,
        longest: usize,
    ) -> Result<(Option<String>, &'a str), TokenError> {
        if token.len() > longest {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let header: Header = decode(header)?;
        if header.alg != "HS256" {
            return Err(TokenError::Algorithm);
        }
        if header.crit {
            return Err(TokenError::Critical);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
        if !self.secrets.iter().any(|secret| secret.mac(signed).verify_slice(&signature).is_ok()) {
            return Err(TokenError::Signature);
        }
        Ok((header.typ, claims))
    }

    pub(crate) fn check(&self, claims: Claims, now: u64) -> Result<VerifiedToken, TokenError> {
        // Seconds since 1970 stay exact in a double for 285 million years.
        #[allow(clippy::cast_precision_loss)]
        let now = now as f64;
        let seconds = |number: &serde_json::Number| number.as_f64().unwrap_or(0.0);
        let expiry = claims.exp.as_ref().map(seconds).ok_or(TokenError::NoExpiry)?;
        if expiry <= now {
            return Err(TokenError::Expired);
        }
        let starts = [claims.nbf, claims.iat.as_ref().map(seconds)];
        if starts.into_iter().flatten().any(|start| start > now + f64::from(self.clock_skew)) {
            return Err(TokenError::NotYet);
        }
        if !self.is_for_this_audience(claims.aud.as_ref()) {
            return Err(TokenError::Audience);
        }
        let subject = claims.sub.and_then(|subject| serde_json::from_value::<AnyUserId>(subject).ok());
        let subject = subject.ok_or(TokenError::Subject)?;
        let user =
            subject.of_type(self.user_ids).map_err(|_| match subject.hint(self.user_ids).as_str() {
                "" => TokenError::Subject,
                _ => TokenError::SubjectType(self.user_ids),
            })?;
        // The conversion rounds down. A negative value becomes 0, and one beyond u64 the largest one.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let whole = |seconds: f64| seconds as u64;
        let issued = claims.iat.as_ref().map(seconds).map(whole);
        Ok(VerifiedToken { user, expires: whole(expiry), issued })
    }

    fn is_for_this_audience(&self, named: Option<&Audience>) -> bool {
        match (&self.audience, named) {
            (None, None) => true,
            (Some(own), Some(Audience::One(one))) => **own == *one,
            (Some(own), Some(Audience::Many(many))) => many.iter().any(|one| **own == *one),
            _ => false,
        }
    }
}

pub(crate) fn decode<T: for<'a> Deserialize<'a>>(part: &str) -> Result<T, TokenError> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    // RFC 7519 section 7.2 requires objects; serde would accept an array for a structure too.
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(TokenError::Malformed);
    }
    serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn secret() -> Secret {
        Secret::new([7_u8; 32]).unwrap()
    }

    fn user() -> UserId {
        UserId::try_from(42).unwrap()
    }

    fn verifier(secrets: &[Secret]) -> Verifier {
        Verifier { secrets: secrets.into(), audience: None, user_ids: UserIdType::Int, clock_skew: 60 }
    }

    fn verify(secret: &Secret, token: &str, now: u64) -> Result<UserId, TokenError> {
        verifier(std::slice::from_ref(secret)).verify(token, now).map(|pass| pass.user)
    }

    fn signed_now(secret: &Secret) -> String {
        sign(secret, user(), None, NOW, 10)
    }

    fn with_claims(header: &str, claims: &str) -> Result<UserId, TokenError> {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(secret().mac(&signed).finalize().into_bytes());
        verify(&secret(), &format!("{signed}.{signature}"), NOW)
    }

    fn claims(claims: &str) -> Result<UserId, TokenError> {
        with_claims(r#"{"alg":"HS256"}"#, claims)
    }

    #[test]
    fn a_token_is_valid_until_it_expires() {
        let token = signed_now(&secret());
        assert_eq!(verify(&secret(), &token, NOW), Ok(user()));
        assert_eq!(verify(&secret(), &token, NOW + 9), Ok(user()));
        assert_eq!(verify(&secret(), &token, NOW + 10), Err(TokenError::Expired));
    }

    #[test]
    fn the_example_of_rfc_7515_verifies() {
        // RFC 7515 appendix A.1: key and token of the HS256 example; its `iss` token has no `sub`.
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let secret = Secret::new(URL_SAFE_NO_PAD.decode(key).unwrap()).unwrap();
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(verify(&secret, token, 1_300_819_379), Err(TokenError::Subject));
        assert_eq!(verify(&secret, token, 1_300_819_380), Err(TokenError::Expired));
    }

    #[test]
    fn the_error_names_what_is_wrong() {
        let other = Secret::new([8_u8; 32]).unwrap();
        assert_eq!(verify(&other, &signed_now(&secret()), NOW), Err(TokenError::Signature));
        let unsigned = with_claims(r#"{"alg":"none"}"#, r#"{"sub":"1","exp":1800000000}"#);
        assert_eq!(unsigned, Err(TokenError::Algorithm));
        assert_eq!(with_claims(r#"{"alg":"HS512"}"#, "{}"), Err(TokenError::Algorithm));
        assert_eq!(claims(r#"{"sub":"1"}"#), Err(TokenError::NoExpiry));
        assert_eq!(claims(r#"{"sub":"1","iat":1900000000,"exp":1900000010}"#), Err(TokenError::NotYet));
        assert_eq!(claims(r#"{"sub":"1","nbf":1900000000,"exp":1900000010}"#), Err(TokenError::NotYet));
        assert_eq!(claims(r#"{"sub":"me","exp":1800000000}"#), Err(TokenError::SubjectType(UserIdType::Int)));
        for subject in ["\"0\"", "\"-1\"", "\"2147483648\"", "1.5", "null", "[1]"] {
            assert_eq!(claims(&format!(r#"{{"sub":{subject},"exp":1800000000}}"#)), Err(TokenError::Subject));
        }
        for text in ["", "a", "a.b", "a.b.c", "....", &"x".repeat(5_000)] {
            assert_eq!(verify(&secret(), text, NOW), Err(TokenError::Malformed), "{text}");
        }
    }

    #[test]
    fn an_extension_that_must_be_understood_is_refused() {
        let good = r#"{"sub":"42","exp":1800000000}"#;
        // RFC 7515 section 4.1.11 and its example in appendix E; RFC 7797.
        for crit in [r#"["http://example.invalid/UNDEFINED"]"#, r#"["b64"]"#, "[]", "null", "\"exp\"", "{}"] {
            let header = format!(r#"{{"alg":"HS256","crit":{crit},"b64":false}}"#);
            assert_eq!(with_claims(&header, good), Err(TokenError::Critical), "{crit}");
        }
        // A parameter that need not be understood is ignored.
        assert_eq!(with_claims(r#"{"alg":"HS256","typ":"JWT","kid":"1"}"#, good), Ok(user()));
        // Names must be unique (section 4).
        let twice = r#"{"alg":"HS256","alg":"HS256"}"#;
        assert_eq!(with_claims(twice, good), Err(TokenError::Malformed));
    }

    #[test]
    fn any_of_the_keys_verifies() {
        let (new, old) = (Secret::new([8_u8; 32]).unwrap(), secret());
        let token = signed_now(&old);
        let pass = VerifiedToken { user: user(), expires: NOW + 10, issued: Some(NOW) };
        assert_eq!(verifier(&[new.clone(), old]).verify(&token, NOW), Ok(pass));
        assert_eq!(verifier(&[new]).verify(&token, NOW), Err(TokenError::Signature));
        assert_eq!(verifier(&[]).verify(&token, NOW), Err(TokenError::Signature));
    }

    #[test]
    fn the_audience_must_match() {
        let for_shop = sign(&secret(), user(), Some("shop \"1\""), NOW, 10);
        let verify = |audience: Option<&str>, token: &str| {
            let audience = audience.map(Arc::from);
            Verifier { audience, ..verifier(&[secret()]) }.verify(token, NOW).map(|pass| pass.user)
        };
        assert_eq!(verify(Some("shop \"1\""), &for_shop), Ok(user()));
        assert_eq!(verify(Some("forum"), &for_shop), Err(TokenError::Audience));
        assert_eq!(verify(None, &for_shop), Err(TokenError::Audience));
        assert_eq!(verify(Some("forum"), &signed_now(&secret())), Err(TokenError::Audience));
        assert_eq!(claims(r#"{"sub":"1","exp":1800000000,"aud":["a","b"]}"#), Err(TokenError::Audience));
        assert_eq!(claims(r#"{"sub":"1","exp":1800000000,"aud":7}"#), Err(TokenError::Malformed));
    }

    #[test]
    fn header_and_claims_are_objects() {
        let (header, body) = (r#"{"alg":"HS256"}"#, r#"{"sub":"42","exp":1800000000}"#);
        assert_eq!(with_claims(header, &format!(" {body}")), Ok(user()));
        assert_eq!(with_claims(header, r#"["42",null,null,1800000000]"#), Err(TokenError::Malformed));
        assert_eq!(with_claims(r#"["HS256"]"#, body), Err(TokenError::Malformed));
    }

    #[test]
    fn a_token_without_iat_may_be_from_any_time() {
        let issued = |claim: &str| {
            let claims = format!(r#"{{"sub":"42","exp":1800000000{claim}}}"#);
            let header = r#"{"alg":"HS256"}"#;
            let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
            let signature = URL_SAFE_NO_PAD.encode(secret().mac(&signed).finalize().into_bytes());
            verifier(&[secret()]).verify(&format!("{signed}.{signature}"), NOW).unwrap()
        };
        assert!(issued("").is_from_before(0) && issued(r#","iat":-5"#).is_from_before(1));
        let token = issued(r#","iat":1600000000.9"#);
        assert_eq!(token.issued, Some(1_600_000_000));
        assert!(!token.is_from_before(1_600_000_000) && token.is_from_before(1_600_000_001));
    }

    #[test]
    fn a_subject_may_be_a_number() {
        assert_eq!(claims(r#"{"sub":42,"exp":1800000000.5}"#), Ok(user()));
    }

    #[test]
    fn a_secret_is_long_and_never_printed() {
        assert_eq!(Secret::new([1_u8; 31]).err(), Some(WeakSecret));
        assert_eq!(format!("{:?}", secret()), "Secret(32 bytes)");
    }
}
