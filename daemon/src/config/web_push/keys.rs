//! The key pair of the application (RFC 8292, "VAPID").

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};

/// Both keys. The private one is not printed.
#[derive(Clone)]
pub struct VapidKeys {
    signing: SigningKey,
    public: Arc<str>,
}

/// Why two texts are no pair of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidKeys {
    /// The private key is malformed.
    #[error("must be 32 bytes in base64url: `chatpushd vapid` makes a pair")]
    Private,
    /// The public key is that of another private key.
    #[error("does not belong to web_push.private_key: `chatpushd vapid` makes a pair")]
    Mismatch,
}

impl InvalidKeys {
    /// The setting that is wrong.
    pub(super) const fn setting(self) -> &'static str {
        match self {
            Self::Private => "web_push.private_key",
            Self::Mismatch => "web_push.public_key",
        }
    }
}

impl VapidKeys {
    /// The keys as base64url, with or without padding.
    pub(super) fn new(public: &str, private: &str) -> Result<Self, InvalidKeys> {
        let bytes = URL_SAFE_NO_PAD.decode(private.trim_end_matches('=')).ok();
        let signing = bytes.and_then(|bytes| SigningKey::from_slice(&bytes).ok());
        let keys = Self::of(signing.ok_or(InvalidKeys::Private)?);
        if *keys.public == *public.trim_end_matches('=') { Ok(keys) } else { Err(InvalidKeys::Mismatch) }
    }

    fn of(signing: SigningKey) -> Self {
        let point = signing.verifying_key().to_encoded_point(false);
        let public = URL_SAFE_NO_PAD.encode(point.as_bytes()).into();
        Self { signing, public }
    }

    /// The public key: an uncompressed point in base64url without padding.
    pub fn public(&self) -> &Arc<str> {
        &self.public
    }

    /// Signs as ES256 (RFC 7518 section 3.4).
    pub(crate) fn sign(&self, text: &str) -> [u8; 64] {
        let signature: Signature = self.signing.sign(text.as_bytes());
        signature.to_bytes().into()
    }
}

impl fmt::Debug for VapidKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VapidKeys").field("public", &self.public).finish_non_exhaustive()
    }
}

/// A new pair of keys, as a table for the configuration file.
///
/// # Errors
///
/// When the system gives no random numbers.
pub fn vapid() -> Result<String, getrandom::Error> {
    loop {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        // All but one of 2³² numbers are keys.
        if let Ok(signing) = SigningKey::from_slice(&bytes) {
            let private = URL_SAFE_NO_PAD.encode(bytes);
            let public = VapidKeys::of(signing).public;
            return Ok(format!(
                "[web_push]\npublic_key = \"{public}\"\nprivate_key = \"{private}\"\n\
                 subject = \"mailto:you@example.org\"   # your address, for operators of push services\n"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::VerifyingKey;
    use p256::ecdsa::signature::Verifier as _;

    use super::*;

    #[test]
    fn a_new_pair_belongs_together_and_signs() {
        let table: toml::Table = vapid().unwrap().parse().unwrap();
        let key = |name: &str| table["web_push"][name].as_str().unwrap().to_owned();
        let (public, private) = (key("public_key"), key("private_key"));
        let keys = VapidKeys::new(&public, &private).unwrap();
        assert_eq!((public.len(), **keys.public() == *public), (87, true));
        let point = URL_SAFE_NO_PAD.decode(&public).unwrap();
        let verifying = VerifyingKey::from_sec1_bytes(&point).unwrap();
        let signature = Signature::from_slice(&keys.sign("text")).unwrap();
        assert!(verifying.verify(b"text", &signature).is_ok());
        assert!(!format!("{keys:?}").contains(&private));
    }

    #[test]
    fn what_is_no_pair_is_refused_by_name() {
        let zeros = "A".repeat(43);
        for (private, setting) in
            [("", "web_push.private_key"), ("AAAA", "web_push.private_key"), (&zeros, "web_push.private_key")]
        {
            assert_eq!(VapidKeys::new("", private).unwrap_err().setting(), setting);
        }
        let one = format!("{}E", "A".repeat(42));
        let error = VapidKeys::new("BA", &one).unwrap_err();
        assert_eq!(error.setting(), "web_push.public_key");
        assert!(error.to_string().contains("chatpushd vapid"), "{error}");
    }
}
