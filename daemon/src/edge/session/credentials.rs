//! The token of a session, and whether it was revoked.

use chatpush_wire::token::{TokenError, VerifiedToken};

/// The token that a session rests on. It was not revoked when it was last looked at.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    token: VerifiedToken,
    /// Tokens from before this second are revoked.
    revoked_before: Option<u64>,
}

impl Credentials {
    /// The credentials of a handshake, with what Redis says of the user.
    ///
    /// # Errors
    ///
    /// [`TokenError::Revoked`].
    pub(crate) fn new(token: VerifiedToken, revoked_before: Option<u64>) -> Result<Self, TokenError> {
        let mut credentials = Self { token, revoked_before: None };
        match revoked_before {
            Some(second) => credentials.revoke(second).map(|()| credentials),
            None => Ok(credentials),
        }
    }

    /// The token.
    pub(crate) const fn token(&self) -> &VerifiedToken {
        &self.token
    }

    /// Takes a new token of the same user.
    ///
    /// # Errors
    ///
    /// If it was revoked, or is another user's. The old token stays in force.
    pub(crate) fn renew(&mut self, token: VerifiedToken) -> Result<(), TokenError> {
        if token.user != self.token.user {
            return Err(TokenError::OtherUser);
        }
        *self = Self::new(token, self.revoked_before)?;
        Ok(())
    }

    /// Whether the token of a grant may be used beside this one.
    ///
    /// # Errors
    ///
    /// If it was revoked, or is another user's.
    pub(crate) fn allow(&self, other: &VerifiedToken) -> Result<(), TokenError> {
        if other.user != self.token.user {
            return Err(TokenError::OtherUsersGrant);
        }
        let revoked = self.revoked_before.is_some_and(|second| other.is_from_before(second));
        if revoked { Err(TokenError::Revoked) } else { Ok(()) }
    }

    /// Learns that tokens from before this second are revoked.
    ///
    /// # Errors
    ///
    /// If the token is one of them.
    pub(crate) fn revoke(&mut self, before: u64) -> Result<(), TokenError> {
        self.revoked_before = self.revoked_before.max(Some(before));
        if self.token.is_from_before(before) { Err(TokenError::Revoked) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use chatpush_wire::id::UserId;

    use super::*;

    fn token(user: i64, issued: Option<u64>) -> VerifiedToken {
        VerifiedToken { user: UserId::try_from(user).unwrap(), expires: 100, issued }
    }

    #[test]
    fn tokens_from_before_the_second_are_revoked() {
        let at = |issued| Credentials::new(token(2, issued), Some(50)).map(|_| ());
        assert_eq!(at(Some(50)), Ok(()));
        assert_eq!(at(Some(49)), Err(TokenError::Revoked));
        assert_eq!(at(None), Err(TokenError::Revoked), "nobody knows when it was issued");
        assert!(Credentials::new(token(2, None), None).is_ok());
    }

    #[test]
    fn a_grant_is_of_the_same_user_and_not_revoked() {
        let mut credentials = Credentials::new(token(2, Some(20)), Some(15)).unwrap();
        assert_eq!(credentials.allow(&token(2, Some(15))), Ok(()));
        assert_eq!(credentials.allow(&token(2, Some(14))), Err(TokenError::Revoked));
        assert_eq!(credentials.allow(&token(2, None)), Err(TokenError::Revoked));
        assert_eq!(credentials.allow(&token(3, Some(20))), Err(TokenError::OtherUsersGrant));
        assert_eq!(credentials.revoke(20), Ok(()));
        assert_eq!(credentials.allow(&token(2, Some(19))), Err(TokenError::Revoked));
    }

    #[test]
    fn a_revoked_token_renews_nothing() {
        let mut credentials = Credentials::new(token(2, Some(10)), None).unwrap();
        assert_eq!(credentials.renew(token(2, Some(20))), Ok(()));
        assert_eq!(credentials.revoke(20), Ok(()));
        assert_eq!(credentials.renew(token(2, Some(19))), Err(TokenError::Revoked));
        assert_eq!(credentials.renew(token(3, Some(30))), Err(TokenError::OtherUser));
        assert_eq!(credentials.token(), &token(2, Some(20)));
        assert_eq!(credentials.renew(token(2, Some(21))), Ok(()));
        assert_eq!(credentials.revoke(22), Err(TokenError::Revoked));
        assert_eq!(credentials.revoke(5), Ok(()), "an older record");
        assert_eq!(credentials.renew(token(2, Some(21))), Err(TokenError::Revoked));
    }
}
