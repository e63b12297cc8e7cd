//! A list of row ids.

use chatpush_wire::limit::ACK_IDS;
use ext_php_rs::types::ZendHashTable;
use ext_php_rs::zend::BailoutGuard;

use crate::declaration::Kind;
use crate::zend;

/// Row ids, each at least 1.
pub(crate) struct RowIds;

impl<'a> Kind<'a> for RowIds {
    type Parsed = &'a ZendHashTable;
    type Value = Vec<u64>;

    fn check(position: u32, table: &'a ZendHashTable) -> Option<Vec<u64>> {
        if table.len() > ACK_IDS {
            zend::value_error(position, &format!("must have at most {ACK_IDS} elements"));
            return None;
        }
        // Converting an element can raise a deprecation, whose handler may leave by longjmp. The guard frees
        // the ids.
        let mut ids = BailoutGuard::new(Vec::with_capacity(table.len()));
        // A key that is not UTF-8 would be a panic in the iterators that convert keys.
        let mut elements = table.iter();
        while let Some((key, value)) = elements.next_zval() {
            let number = zend::element_as_number(value, position, &key)?;
            match u64::try_from(number) {
                Ok(id) if id > 0 => ids.push(id),
                _ => {
                    let element = zend::element_name(position, &key);
                    let message = format!("must contain only row ids greater than 0, {element} is {number}");
                    zend::value_error(position, &message);
                    return None;
                }
            }
        }
        Some(ids.into_inner())
    }
}
