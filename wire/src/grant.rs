//! Grants: whose presence a user's pages may see, whom they may send client events, and which rooms they are
//! in. A grant is a JSON Web Token like a connect token, with a type of its own (RFC 8725 section 3.11), so
//! neither is taken for the other.

use std::fmt::Display;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{AnyUserId, UserId};
use crate::limit::{GRANT_BYTES, GRANT_PEERS, GRANT_ROOMS};
use crate::room::Room;
use crate::token::{
    GRANT_TYPE, Secret, TokenError, VerifiedToken, Verifier, claims_for, decode, is_grant, sign_as,
};

/// What a valid grant allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whose grant it is, and how long it is valid.
    pub token: VerifiedToken,
    /// The users whose presence may be seen, and who may be sent events, at most [`GRANT_PEERS`].
    pub peers: Vec<UserId>,
    /// The rooms, at most [`GRANT_ROOMS`].
    pub rooms: Vec<Room>,
}

/// The claims beside those of every token. A missing list is an empty one. What the lists hold is looked at one by
/// one, to say which is wrong.
#[derive(Deserialize)]
struct GrantClaims {
    #[serde(default = "no_items")]
    peers: Value,
    #[serde(default = "no_items")]
    rooms: Value,
}

fn no_items() -> Value {
    Value::Array(Vec::new())
}

/// A grant for `user`, signed as [`crate::token::sign`] signs a token.
pub fn sign(
    secret: &Secret,
    user: impl Display,
    audience: Option<&str>,
    now: u64,
    ttl: u64,
    peers: &[impl Serialize],
    rooms: &[Room],
) -> String {
    // Numbers and texts: this cannot fail.
    let peers = serde_json::to_string(peers).unwrap_or_default();
    let rooms = serde_json::to_string(rooms).unwrap_or_default();
    let further = format!(r#","peers":{peers},"rooms":{rooms}"#);
    sign_as(GRANT_TYPE, secret, &claims_for(user, audience, now, ttl, &further))
}

impl Verifier {
    /// What a grant allows, if it is valid at `now`, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`TokenError`], which names what is wrong.
    pub fn verify_grant(&self, token: &str, now: u64) -> Result<Grant, TokenError> {
        let (typ, claims) = self.open(token, GRANT_BYTES)?;
        if !is_grant(typ.as_deref()) {
            return Err(TokenError::NoGrant);
        }
        let token = self.check(decode(claims)?, now)?;
        let GrantClaims { peers: Value::Array(peers), rooms: Value::Array(rooms) } = decode(claims)? else {
            return Err(TokenError::Granted);
        };
        if peers.len() > GRANT_PEERS || rooms.len() > GRANT_ROOMS {
            return Err(TokenError::Granted);
        }
        let peer = |(at, peer)| {
            let id = serde_json::from_value::<AnyUserId>(peer).ok();
            id.and_then(|id| id.of_type(self.user_ids).ok()).ok_or(TokenError::Peer(at, self.user_ids))
        };
        let room = |(at, room)| serde_json::from_value::<Room>(room).map_err(|_| TokenError::Room(at));
        Ok(Grant {
            token,
            peers: peers.into_iter().enumerate().map(peer).collect::<Result<_, _>>()?,
            rooms: rooms.into_iter().enumerate().map(room).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::UserIdType;
    use crate::token;

    const NOBODY: [UserId; 0] = [];
    const NOW: u64 = 1_700_000_000;

    fn secret() -> Secret {
        Secret::new([7_u8; 32]).unwrap()
    }

    fn user(id: i64) -> UserId {
        UserId::try_from(id).unwrap()
    }

    fn verifier(audience: Option<&str>) -> Verifier {
        Verifier {
            secrets: [secret()].into(),
            audience: audience.map(Into::into),
            user_ids: UserIdType::Int,
            clock_skew: 60,
        }
    }

    fn verify(token: &str, now: u64) -> Result<Grant, TokenError> {
        verifier(None).verify_grant(token, now)
    }

    fn granted(peers: &[UserId], rooms: &[Room]) -> String {
        sign(&secret(), user(42), None, NOW, 10, peers, rooms)
    }

    #[test]
    fn a_grant_reads_back_until_it_expires() {
        let (peers, rooms) = ([user(9), user(12)], [Room::try_from("team:1").unwrap()]);
        let token = granted(&peers, &rooms);
        let grant = verify(&token, NOW + 9).unwrap();
        assert_eq!(
            (grant.token.user.clone(), grant.token.expires, grant.token.issued),
            (user(42), NOW + 10, Some(NOW))
        );
        assert_eq!((&grant.peers[..], &grant.rooms[..]), (&peers[..], &rooms[..]));
        assert_eq!(verify(&token, NOW + 10), Err(TokenError::Expired));
        assert!(grant.token.is_from_before(NOW + 1) && !grant.token.is_from_before(NOW));
    }

    #[test]
    fn a_grant_is_no_connect_token_and_the_other_way_round() {
        assert_eq!(verifier(None).verify(&granted(&[], &[]), NOW), Err(TokenError::IsGrant));
        let token = token::sign(&secret(), user(42), None, NOW, 10);
        assert_eq!(verify(&token, NOW), Err(TokenError::NoGrant));
        let shouted =
            sign_as(&GRANT_TYPE.to_uppercase(), &secret(), &claims_for(user(42), None, NOW, 10, ""));
        assert_eq!(verifier(None).verify(&shouted, NOW), Err(TokenError::IsGrant));
        assert!(verify(&shouted, NOW).is_ok(), "without lists");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let forged = sign(&Secret::new([8_u8; 32]).unwrap(), user(42), None, NOW, 10, &NOBODY, &[]);
        assert_eq!(verify(&forged, NOW), Err(TokenError::Signature));
        assert_eq!(verify("x", NOW), Err(TokenError::Malformed));
        let for_shop = sign(&secret(), user(42), Some("shop"), NOW, 10, &NOBODY, &[]);
        assert_eq!(verify(&for_shop, NOW), Err(TokenError::Audience));
        assert!(verifier(Some("shop")).verify_grant(&for_shop, NOW).is_ok());
        let claims = |further: &str| {
            verify(&sign_as(GRANT_TYPE, &secret(), &claims_for(user(42), None, NOW, 10, further)), NOW)
                .map(|_| ())
        };
        let many = |what: &str, count: usize| format!(r#","{what}":{}"#, serde_json::json!(vec!["1"; count]));
        assert_eq!(claims(&many("peers", 500)), Ok(()));
        assert_eq!(claims(&many("rooms", 100)), Ok(()));
        for bad in [&*many("peers", 501), &*many("rooms", 101), r#","peers":7"#, r#","rooms":null"#] {
            assert_eq!(claims(bad), Err(TokenError::Granted), "{bad}");
        }
        for bad in ["0", r#""guest-1""#, "2147483648", "1.5", "null", "[2]"] {
            let error = claims(&format!(r#","peers":[2,{bad}]"#));
            assert_eq!(error, Err(TokenError::Peer(1, UserIdType::Int)), "{bad}");
        }
        for bad in
            [r#""a b""#.to_owned(), r#""""#.to_owned(), format!("{:?}", "r".repeat(65)), "7".to_owned()]
        {
            assert_eq!(claims(&format!(r#","rooms":["a",{bad}]"#)), Err(TokenError::Room(1)), "{bad}");
        }
    }

    #[test]
    fn the_largest_grant_is_verified() {
        let peers: Vec<_> =
            (0..500).map(|n| UserIdType::Text.text(&format!("{n:03}{}", "u".repeat(61))).unwrap()).collect();
        let rooms: Vec<_> =
            (0..100).map(|n| Room::try_from(format!("{n:03}{}", "r".repeat(61))).unwrap()).collect();
        let token = granted(&peers, &rooms);
        let verifier = Verifier { user_ids: UserIdType::Text, ..verifier(None) };
        let read = verifier.verify_grant(&token, NOW).map(|grant| (grant.peers, grant.rooms));
        assert_eq!(read, Ok((peers, rooms)));
    }
}
