//! Strings in the memory of a request, known by their identity.

use std::ffi::c_char;
use std::ptr::NonNull;

use ext_php_rs::ffi::ext_php_rs_zend_string_release;
use ext_php_rs::types::{ZendStr, Zval};

unsafe extern "C" {
    fn zend_string_concat2(
        first: *const c_char,
        first_length: usize,
        second: *const c_char,
        second_length: usize,
    ) -> *mut ZendStr;
}

/// A reference to a string in the memory of the request. The engine changes a string in place only if nobody
/// else refers to it, so the string stays as it is while this is held. It must be dropped before the engine
/// frees the request's memory.
#[derive(Debug)]
pub(crate) struct RequestString(NonNull<ZendStr>);

/// What identifies a string as long as somebody holds a reference to it. It is compared, never read through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StringIdentity(usize);

impl StringIdentity {
    /// The identity of a string.
    pub(crate) fn of(string: &ZendStr) -> Self {
        Self(std::ptr::from_ref(string).addr())
    }
}

impl RequestString {
    /// A new string that no other value is. May leave by `longjmp` if the request has no memory left.
    pub(crate) fn new(text: &str) -> Option<Self> {
        // Most of the engine's functions, and those of ext-php-rs, give the interned string for a text of one
        // byte or none, which every equal text shares. This one always allocates.
        // SAFETY: it reads `text`, and nothing of the empty second string.
        let string = unsafe { zend_string_concat2(text.as_ptr().cast(), text.len(), c"".as_ptr(), 0) };
        NonNull::new(string).map(Self)
    }

    /// What identifies the string.
    pub(crate) fn identity(&self) -> StringIdentity {
        StringIdentity(self.0.as_ptr().addr())
    }

    /// Whether somebody else holds a reference to it too.
    pub(crate) fn is_shared(&self) -> bool {
        // SAFETY: the held reference keeps the string.
        unsafe { self.0.as_ref().gc.refcount > 1 }
    }

    /// A PHP value with a reference of its own.
    pub(crate) fn to_zval(&self) -> Zval {
        let mut value = Zval::new();
        // SAFETY: the string is not interned, so its references are counted. The value takes over the
        // reference that is added.
        unsafe {
            (*self.0.as_ptr()).gc.refcount += 1;
            value.set_zend_string(ext_php_rs::boxed::ZBox::from_raw(self.0.as_ptr()));
        }
        value
    }
}

impl Drop for RequestString {
    fn drop(&mut self) {
        // SAFETY: the reference is held, and the request's memory is still there.
        unsafe { ext_php_rs_zend_string_release(self.0.as_ptr()) };
    }
}
