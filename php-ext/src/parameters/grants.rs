//! What a grant names: peers and rooms.

use std::collections::HashSet;

use chatpush_wire::limit::{GRANT_PEERS, GRANT_ROOMS};
use chatpush_wire::room::Room;
use ext_php_rs::zend::BailoutGuard;

use super::{name, user_ids, valid};
use crate::declaration::Kind;
use crate::users::UserArguments;
use crate::zend::{self, List, TextOrNumber};

/// The lists of a grant that names none.
pub(crate) const NONE: List<'_> = List(None);

impl<'a> Kind<'a> for Room {
    type Parsed = TextOrNumber<'a>;
    type Value = Self;

    fn check(position: u32, parsed: TextOrNumber<'a>) -> Option<Self> {
        valid(position, Self::try_from(name(parsed)))
    }
}

/// The users whose presence may be seen, each once.
pub(crate) struct Peers;

impl<'a> Kind<'a> for Peers {
    type Parsed = List<'a>;
    type Value = UserArguments;

    fn check(position: u32, List(list): List<'a>) -> Option<UserArguments> {
        let nobody = || Some(UserArguments::new(position, Vec::new()));
        list.map_or_else(nobody, |table| user_ids::at_most(GRANT_PEERS, position, table))
    }
}

/// The rooms that a page is in, each once.
pub(crate) struct Rooms;

#[derive(Default)]
struct Collected {
    rooms: Vec<Room>,
    known: HashSet<Room>,
}

impl<'a> Kind<'a> for Rooms {
    type Parsed = List<'a>;
    type Value = Vec<Room>;

    fn check(position: u32, List(list): List<'a>) -> Option<Vec<Room>> {
        let Some(table) = list else { return Some(Vec::new()) };
        if table.len() > GRANT_ROOMS {
            zend::value_error(position, &format!("must have at most {GRANT_ROOMS} elements"));
            return None;
        }
        // Throwing can meet memory_limit, which leaves by longjmp. The guard frees the names.
        let mut collected = BailoutGuard::new(Collected::default());
        // A key that is not UTF-8 would be a panic in the iterators that convert keys.
        let mut elements = table.iter();
        while let Some((key, value)) = elements.next_zval() {
            let name = zend::element_as_text(value, position, &key)?;
            match Room::try_from(name) {
                Ok(room) => {
                    let Collected { rooms, known } = &mut *collected;
                    if known.insert(room.clone()) {
                        rooms.push(room);
                    }
                }
                Err(error) => {
                    let element = zend::element_name(position, &key);
                    zend::value_error(
                        position,
                        &format!("must contain only names of rooms, {element} {error}"),
                    );
                    return None;
                }
            }
        }
        Some(collected.into_inner().rooms)
    }
}
