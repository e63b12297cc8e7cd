//! A list of user ids.

use chatpush_wire::limit::LIST_IDS;
use ext_php_rs::types::ZendHashTable;
use ext_php_rs::zend::BailoutGuard;

use super::any_user_id;
use crate::declaration::Kind;
use crate::users::UserArguments;
use crate::zend;

impl<'a> Kind<'a> for UserArguments {
    type Parsed = &'a ZendHashTable;
    type Value = Self;

    fn check(position: u32, table: &'a ZendHashTable) -> Option<Self> {
        at_most(LIST_IDS, position, table)
    }
}

/// The ids of a list of at most so many.
pub(super) fn at_most(most: usize, position: u32, table: &ZendHashTable) -> Option<UserArguments> {
    if table.len() > most {
        zend::value_error(position, &format!("must have at most {most} elements"));
        return None;
    }
    // Converting an element can raise a deprecation, whose handler may leave by longjmp. The guard frees
    // the ids.
    let mut ids = BailoutGuard::new(Vec::with_capacity(table.len()));
    // A key that is not UTF-8 would be a panic in the iterators that convert keys.
    let mut elements = table.iter();
    while let Some((key, value)) = elements.next_zval() {
        let element = zend::element_as_text_or_number(value, position, &key)?;
        match any_user_id(element) {
            Ok(id) => ids.push((key, id)),
            Err(rule) => {
                let name = zend::element_name(position, &key);
                zend::value_error(position, &format!("must contain only user ids, and {name} {rule}"));
                return None;
            }
        }
    }
    Some(UserArguments::new(position, ids.into_inner()))
}
