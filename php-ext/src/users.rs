//! User ids as arguments. What some type of user ids allows is checked with the other arguments; whether the
//! installation's type allows it is checked as soon as that is known, before anything of the call is sent.

use std::collections::HashSet;

use chatpush_wire::id::{AnyUserId, UserId, UserIdType};
use ext_php_rs::types::Zval;

use crate::error::Error;
use crate::link;
use crate::settings::Call;
use crate::zend;

/// A user id that was passed as an argument.
pub(crate) struct UserArgument {
    position: u32,
    id: AnyUserId,
}

/// User ids that were passed in a list, with their keys.
pub(crate) struct UserArguments {
    position: u32,
    ids: Vec<(Zval, AnyUserId)>,
}

/// Ids of the installation's type, as `convert` makes them. An error if Redis has no installation: then it is not
/// known whether an id fits.
pub(crate) fn typed<T>(call: &Call, convert: impl Fn(UserIdType) -> Result<T, Error>) -> Result<T, Error> {
    converted(call, link::user_id_type(call, call.deadline())?, convert)
}

/// The same. `None`: Redis has no installation, so nobody is connected.
pub(crate) fn typed_if_installed<T>(
    call: &Call,
    convert: impl Fn(UserIdType) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    let Some(ids) = link::user_id_type_if_installed(call, call.deadline())? else { return Ok(None) };
    converted(call, ids, convert).map(Some)
}

/// Whether Redis has this installation; if not, nobody is connected. Channels ignore the number of a database, so a
/// daemon that uses another one could answer, and is refused by name.
pub(crate) fn is_installed(call: &Call) -> Result<bool, Error> {
    Ok(link::user_id_type_if_installed(call, call.deadline())?.is_some())
}

/// Before an id is refused, the type is read again: a process that lives long may know one from before somebody has
/// changed it.
fn converted<T>(
    call: &Call,
    ids: UserIdType,
    convert: impl Fn(UserIdType) -> Result<T, Error>,
) -> Result<T, Error> {
    let refused = match convert(ids) {
        Err(refused) => refused,
        done => return done,
    };
    match link::user_id_type_again(call, call.deadline()) {
        Ok(again) if again != ids => convert(again),
        _ => Err(refused),
    }
}

impl UserArgument {
    /// The argument at a position, where the first one is 1.
    pub(crate) const fn new(position: u32, id: AnyUserId) -> Self {
        Self { position, id }
    }

    /// The id as it was passed.
    pub(crate) const fn id(&self) -> &AnyUserId {
        &self.id
    }

    /// The id of this type, or a `ValueError`.
    pub(crate) fn of_type(&self, kind: UserIdType) -> Result<UserId, Error> {
        let Self { position, id } = self;
        id.of_type(kind).map_err(|error| {
            let text = format!("{error}{}", id.hint(kind));
            Error::Argument { position: *position, text }
        })
    }
}

impl UserArguments {
    /// The list at a position.
    pub(crate) const fn new(position: u32, ids: Vec<(Zval, AnyUserId)>) -> Self {
        Self { position, ids }
    }

    /// Whether the list is empty.
    pub(crate) const fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The ids as they were passed, each once, in the order of the list.
    pub(crate) fn of_any_type(self) -> Vec<AnyUserId> {
        let mut known = HashSet::with_capacity(self.ids.len());
        // A number and the text of its digits are one user.
        self.ids.into_iter().map(|(_, id)| id).filter(|id| known.insert(id.to_string())).collect()
    }

    /// The ids of this type, each once, in the order of the list; or a `ValueError` that names the element.
    pub(crate) fn of_type(&self, kind: UserIdType) -> Result<Vec<UserId>, Error> {
        let Self { position, ids: listed } = self;
        let (mut ids, mut known) = (Vec::with_capacity(listed.len()), HashSet::with_capacity(listed.len()));
        for (key, listed) in listed {
            let id = listed.of_type(kind).map_err(|error| {
                let element = zend::element_name(*position, key);
                let hint = listed.hint(kind);
                let text = format!("must contain only user ids, {element} is {listed}, which {error}{hint}");
                Error::Argument { position: *position, text }
            })?;
            if known.insert(id.clone()) {
                ids.push(id);
            }
        }
        Ok(ids)
    }
}
