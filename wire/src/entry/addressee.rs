//! The receivers of an entry that has many.

use super::{Malformed, field, get};
use crate::id::{UserId, UserIdType};

/// One of many receivers of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// The owner of the mailbox.
    pub user: UserId,
    /// Whether the receiver was connected when the message was accepted.
    pub online: bool,
    /// Whether the message was accepted for this receiver before: the call was repeated.
    pub repeated: bool,
}

/// The ids in the field of the receivers.
pub(super) fn users(list: &str, ids: UserIdType) -> Result<Vec<UserId>, Malformed> {
    let users = list.split('\n').map(|text| ids.text(text)).collect::<Result<Vec<_>, _>>();
    users.map_err(|_| Malformed::Field(field::RECEIVER))
}

/// The receivers of an entry. One character for each says whether the receiver was connected and whether the
/// message was accepted before.
pub(super) fn addressees(fields: &[(String, String)], ids: UserIdType) -> Result<Vec<Addressee>, Malformed> {
    let users = users(get(fields, field::RECEIVER).ok_or(Malformed::Field(field::RECEIVER))?, ids)?;
    let marks = get(fields, field::RECEIVER_ONLINE).unwrap_or_default();
    if marks.len() != users.len() {
        return Err(Malformed::Field(field::RECEIVER_ONLINE));
    }
    let each = users.into_iter().zip(marks.bytes()).map(|(user, mark)| {
        let (online, repeated) = match mark {
            b'0' => (false, false),
            b'1' => (true, false),
            b'd' => (false, true),
            b'D' => (true, true),
            _ => return None,
        };
        Some(Addressee { user, online, repeated })
    });
    each.collect::<Option<Vec<_>>>().ok_or(Malformed::Field(field::RECEIVER_ONLINE))
}
