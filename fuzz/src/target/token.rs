//! A token is accepted only with a valid signature, a valid user id, and valid times.
//!
//! An input of two lines is the header and the claims of a token, and is signed here: libFuzzer could not
//! produce the signature. Any other input is a whole token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chatpush_wire::id::{AnyUserId, UserIdType};
use chatpush_wire::token::{Secret, VerifiedToken, Verifier};
use hmac::{Hmac, Mac as _};
use serde_json::Value;
use sha2::Sha256;

const NOW: u64 = 1_700_000_000;
const KEYS: [&[u8]; 2] = [&[7; 32], b"an older key that is still valid"];
const WRONG_KEY: &[u8] = b"a key that the daemon does not have";

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for ids in UserIdType::ALL {
        run_with(ids, text);
    }
}

fn run_with(ids: UserIdType, text: &str) {
    let Some((header, claims)) = text.split_once('\n') else {
        return check(ids, text);
    };
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    for key in KEYS {
        check(ids, &format!("{signed}.{}", signature(key, &signed)));
    }
    for wrong in [signature(WRONG_KEY, &signed), signature(KEYS[0], claims), String::new()] {
        assert!(
            verify(ids, &format!("{signed}.{wrong}")).is_none(),
            "a token with a wrong signature was accepted"
        );
    }
}

fn verify(user_ids: UserIdType, token: &str) -> Option<VerifiedToken> {
    let secrets = KEYS.map(|key| Secret::new(key).expect("32 bytes"));
    Verifier { secrets: secrets.into(), audience: None, user_ids, clock_skew: 60 }.verify(token, NOW).ok()
}

/// Checks an accepted token with a general JSON parser.
fn check(ids: UserIdType, token: &str) {
    let Some(verified) = verify(ids, token) else { return };
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, given] = parts[..] else { panic!("not three parts") };
    let signed = format!("{header}.{claims}");
    assert!(KEYS.iter().any(|key| signature(key, &signed) == given), "the signature is wrong");

    let (header, claims) = (decoded(header), decoded(claims));
    assert!(header.trim_start().starts_with('{'), "RFC 7519 section 7.2 requires an object");
    assert!(claims.trim_start().starts_with('{'), "RFC 7519 section 7.2 requires an object");
    // The general parser also rejects errors in unknown claims, such as a number out of range.
    let json = |text: &str| serde_json::from_str::<Value>(text);
    let (Ok(header), Ok(claims)) = (json(&header), json(&claims)) else { return };
    assert_eq!(header["alg"], "HS256");
    let seconds = |name: &str| claims[name].as_f64();
    #[expect(clippy::cast_precision_loss, reason = "a double holds today's seconds exactly")]
    let now = NOW as f64;
    assert!(seconds("exp").is_some_and(|exp| exp > now) && verified.expires >= NOW, "expired");
    for starts in ["nbf", "iat"] {
        assert!(seconds(starts).is_none_or(|start| start <= now + 60.0), "not valid yet");
    }
    assert!(claims.get("aud").is_none_or(Value::is_null), "an audience was accepted");
    let subject: AnyUserId = serde_json::from_value(claims["sub"].clone()).expect("a user id");
    assert_eq!(subject.of_type(ids), Ok(verified.user.clone()));
    assert_eq!(ids.text(&verified.user.to_string()), Ok(verified.user));
}

fn signature(key: &[u8], signed: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length will do");
    mac.update(signed.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

fn decoded(part: &str) -> String {
    String::from_utf8(URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON is UTF-8")
}
