//! A list of user ids.

use std::collections::HashSet;

use chatpush_wire::id::UserId;
use chatpush_wire::limit::LIST_IDS;
use ext_php_rs::types::ZendHashTable;
use ext_php_rs::zend::BailoutGuard;

use crate::declaration::Kind;
use crate::zend;

/// User ids, each once, in the order of the list.
pub(crate) struct UserIds;

#[derive(Default)]
struct Collected {
    ids: Vec<UserId>,
    known: HashSet<UserId>,
}

impl<'a> Kind<'a> for UserIds {
    type Parsed = &'a ZendHashTable;
    type Value = Vec<UserId>;

    fn check(position: u32, table: &'a ZendHashTable) -> Option<Vec<UserId>> {
        at_most(LIST_IDS, position, table)
    }
}

/// The ids of a list of at most so many, each once.
pub(super) fn at_most(most: usize, position: u32, table: &ZendHashTable) -> Option<Vec<UserId>> {
    if table.len() > most {
        zend::value_error(position, &format!("must have at most {most} elements"));
        return None;
    }
    // Converting an element can raise a deprecation, whose handler may leave by longjmp. The guard frees
    // the ids.
    let mut collected = BailoutGuard::new(Collected::default());
    // A key that is not UTF-8 would be a panic in the iterators that convert keys.
    let mut elements = table.iter();
    while let Some((key, value)) = elements.next_zval() {
        let number = zend::element_as_number(value, position, &key)?;
        match UserId::try_from(number) {
            Ok(id) => {
                let Collected { ids, known } = &mut *collected;
                if known.insert(id.clone()) {
                    ids.push(id);
                }
            }
            Err(error) => {
                let element = zend::element_name(position, &key);
                let message = format!("must contain only user ids, {element} is {number}, which {error}");
                zend::value_error(position, &message);
                return None;
            }
        }
    }
    Some(collected.into_inner().ids)
}
