//! Arrays of PHP by user id.

use chatpush_wire::id::{Sender, UserId};
use ext_php_rs::convert::IntoZval;
use ext_php_rs::types::array::ArrayKey;
use ext_php_rs::types::{ZendHashTable, Zval};

/// An array with a case of an enum for each user, in order. It may leave by `longjmp` if the request has no
/// memory left.
pub(crate) fn array<T: Copy + PartialEq + IntoZval>(entries: &[(UserId, T)]) -> Zval {
    let mut table = ZendHashTable::with_capacity(u32::try_from(entries.len()).unwrap_or(u32::MAX));
    // Neighbours are often equal, and finding the object of a case takes longer than adding it.
    let mut last: Option<(T, Zval)> = None;
    for (user, case) in entries {
        let value = match &last {
            Some((known, value)) if known == case => value.shallow_clone(),
            _ => {
                let mut value = Zval::new();
                // A case of a registered enum cannot fail to be set.
                let _ = case.set_zval(&mut value, false);
                last = Some((*case, value.shallow_clone()));
                value
            }
        };
        // A value of the engine's own type cannot fail to be added.
        let _ = match Sender::from(user) {
            Sender::Int(id) | Sender::BigInt(id) => table.insert(ArrayKey::Long(id), value),
            // A text of digits is a number as a key of PHP (`$array['5']`).
            Sender::Text(id) => table.insert(ArrayKey::from(id), value),
        };
    }
    let mut array = Zval::new();
    array.set_hashtable(table);
    array
}
