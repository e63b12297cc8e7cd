//! What the engine tells a directive's change handler.

use ext_php_rs::ffi::zend_ini_entry;
use ext_php_rs::types::ZendStr;

/// The stage of `ini_set()` and `ini_restore()` (`zend_ini.h`). The others are the start of PHP, and begin and
/// end of a request.
const RUNTIME: i32 = 1 << 4;

/// The change of a directive that its handler may refuse.
#[derive(Debug)]
pub(crate) struct IniChange {
    /// The name of the directive.
    pub(crate) name: Vec<u8>,
    /// The new value. It may hold any bytes.
    pub(crate) value: Vec<u8>,
}

impl IniChange {
    /// The change by `ini_set()`, of whose refusal the script learns. `None`: any other change, which cannot
    /// be refused without hiding what an administrator has written; and `ini_restore()`, which goes back to
    /// that.
    ///
    /// # Safety
    ///
    /// The arguments are those of a call of the change handler by the engine.
    pub(crate) unsafe fn of_script(
        entry: *const zend_ini_entry,
        value: *const ZendStr,
        stage: i32,
    ) -> Option<Self> {
        if stage != RUNTIME {
            return None;
        }
        // SAFETY: the entry is valid during the call of its handler, and so are its strings. A value that is
        // not set is a null pointer.
        unsafe {
            let (entry, value) = (entry.as_ref()?, value.as_ref()?);
            if std::ptr::eq(entry.orig_value, value) {
                return None;
            }
            Some(Self { name: entry.name.as_ref()?.as_bytes().to_vec(), value: value.as_bytes().to_vec() })
        }
    }
}
