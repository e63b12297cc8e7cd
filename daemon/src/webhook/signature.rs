//! The signature (Standard Webhooks, "Signature scheme").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::config::Key;

/// The header: a signature by each key. A receiver accepts any of them.
pub(super) fn header(keys: &[Key], id: &str, timestamp: u64, body: &str) -> String {
    let signed = format!("{id}.{timestamp}.{body}");
    keys.iter().map(|key| format!("v1,{}", sign(key, &signed))).collect::<Vec<_>>().join(" ")
}

fn sign(key: &Key, signed: &str) -> String {
    // A key of any length is accepted.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.bytes()) else { return String::new() };
    mac.update(signed.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}
