//! A token is good only if it was signed with the key, for a user that can be, and for a time that is not over.
//!
//! An input of two lines is the header and the claims of a token, and is signed here, or the fuzzer would not get
//! past the signature; any other is a token as it stands.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chatpush_wire::id::UserId;
use chatpush_wire::token::{Secret, VerifiedToken, Verifier};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

const NOW: u64 = 1_700_000_000;
const KEYS: [&[u8]; 2] = [&[7; 32], b"an older key that is still about"];
const STRANGERS: &[u8] = b"a key that the daemon has not got";

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((header, claims)) = text.split_once('\n') else {
        return check(text);
    };
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    for key in KEYS {
        check(&format!("{signed}.{}", signature(key, &signed)));
    }
    for wrong in [signature(STRANGERS, &signed), signature(KEYS[0], claims), String::new()] {
        assert!(verify(&format!("{signed}.{wrong}")).is_none(), "nobody has signed it");
    }
}

fn verify(token: &str) -> Option<VerifiedToken> {
    let secrets = KEYS.map(|key| Secret::new(key).expect("32 bytes"));
    Verifier { secrets: secrets.into(), audience: None, clock_skew: 60 }.verify(token, NOW).ok()
}

/// Looks at an accepted token by other means.
fn check(token: &str) {
    let Some(pass) = verify(token) else { return };
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, given] = parts[..] else { panic!("not three parts") };
    let signed = format!("{header}.{claims}");
    assert!(
        KEYS.iter().any(|key| signature(key, &signed) == given),
        "signed by nobody, or spelled otherwise"
    );

    let (header, claims) = (decoded(header), decoded(claims));
    assert!(header.trim_start().starts_with('{'), "RFC 7519 section 7.2 wants an object");
    assert!(claims.trim_start().starts_with('{'), "RFC 7519 section 7.2 wants an object");
    // A general reader is stricter where a claim is none of ours: a number too large for it.
    let json = |text: &str| serde_json::from_str::<Value>(text);
    let (Ok(header), Ok(claims)) = (json(&header), json(&claims)) else { return };
    assert_eq!(header["alg"], "HS256");
    let seconds = |name: &str| claims[name].as_f64();
    #[expect(clippy::cast_precision_loss, reason = "a double holds today's seconds exactly")]
    let now = NOW as f64;
    assert!(seconds("exp").is_some_and(|exp| exp > now) && pass.expires >= NOW, "over");
    for starts in ["nbf", "iat"] {
        assert!(seconds(starts).is_none_or(|start| start <= now + 60.0), "not begun");
    }
    assert!(claims.get("aud").is_none_or(Value::is_null), "for somebody else");
    let subject = claims["sub"].as_i64().or_else(|| claims["sub"].as_str()?.parse().ok());
    assert_eq!(subject, Some(i64::from(pass.user)));
    assert!((1..=UserId::MAX).contains(&i64::from(pass.user)));
}

fn signature(key: &[u8], signed: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length will do");
    mac.update(signed.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

fn decoded(part: &str) -> String {
    String::from_utf8(URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON is UTF-8")
}
