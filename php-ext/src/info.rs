//! The section of `phpinfo()` and `php --ri chatpush`.

use ext_php_rs::zend::ModuleEntry;

use crate::{link, settings, zend};

/// Prints version, connection and settings, with secrets masked.
pub(crate) extern "C" fn print(_module: *mut ModuleEntry) {
    let mut rows = vec![
        ("chatpush".to_owned(), "enabled".to_owned()),
        ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        (
            "connection".to_owned(),
            link::open_address().map_or("none".to_owned(), |address| format!("open to {address}")),
        ),
    ];
    rows.extend(settings::phpinfo_rows());
    zend::print_table(&rows);
}
