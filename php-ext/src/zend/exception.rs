//! Throwing exceptions, and their properties.

use std::ffi::{CStr, c_char};

use ext_php_rs::types::{ZendObject, Zval};
use ext_php_rs::zend::{BailoutGuard, ClassEntry, ExecutorGlobals};

use super::request_string::RequestString;

unsafe extern "C" {
    fn object_init_ex(value: *mut Zval, class: *mut ClassEntry) -> i32;
    fn zend_update_property(
        scope: *mut ClassEntry,
        object: *mut ZendObject,
        name: *const c_char,
        length: usize,
        value: *mut Zval,
    );
    fn zend_read_property(
        scope: *mut ClassEntry,
        object: *mut ZendObject,
        name: *const c_char,
        length: usize,
        silent: bool,
        room: *mut Zval,
    ) -> *mut Zval;
    fn zend_throw_exception_object(exception: *mut Zval);
}

/// Throws an exception, unless one is thrown already. Each property is a private one of a class of it.
pub(crate) fn throw(
    class: &ClassEntry,
    text: String,
    properties: impl IntoIterator<Item = (&'static ClassEntry, &'static CStr, Zval)>,
) {
    if ExecutorGlobals::has_exception() {
        return;
    }
    // A text with a NUL would end there in a log.
    let text = BailoutGuard::new(if text.contains('\0') { text.replace('\0', "\\0") } else { text });
    let Some(message) = RequestString::new(&text) else { return };
    let mut exception = Zval::new();
    let class = std::ptr::from_ref(class).cast_mut();
    // SAFETY: the class is a registered exception, so it has a property `message`, and the engine makes an
    // object of it or none. The properties take references of their own, and the throw takes over the object.
    unsafe {
        if object_init_ex(&raw mut exception, class) != super::SUCCESS {
            return;
        }
        let Some(object) = exception.object_mut() else { return };
        set(class, object, c"message", message.to_zval());
        for (scope, name, value) in properties {
            set(std::ptr::from_ref(scope).cast_mut(), object, name, value);
        }
        zend_throw_exception_object(&raw mut exception);
    }
    std::mem::forget(exception);
}

/// # Safety
///
/// The scope is a class of the object that has a property of this name.
unsafe fn set(scope: *mut ClassEntry, object: *mut ZendObject, name: &CStr, mut value: Zval) {
    // SAFETY: the caller answers for scope and object; the value is copied.
    unsafe { zend_update_property(scope, object, name.as_ptr(), name.count_bytes(), &raw mut value) };
}

/// A copy of an object's property that is private in `scope`; null if it is not set.
pub(crate) fn private_property(scope: &ClassEntry, object: &mut ZendObject, name: &CStr) -> Zval {
    let scope = std::ptr::from_ref(scope).cast_mut();
    let mut room = Zval::new();
    // SAFETY: the engine returns a pointer to the property, to the room, or to a null value of its own.
    unsafe {
        let value = zend_read_property(scope, object, name.as_ptr(), name.count_bytes(), true, &raw mut room);
        value.as_ref().map_or_else(Zval::null, |value| value.dereference().shallow_clone())
    }
}
