//! The engine's C functions that ext-php-rs does not wrap, each behind a function that is safe to call.
//!
//! A function here may leave by `longjmp`: a fatal error or `memory_limit` ends the request so, also in the
//! application's error handler for a warning. Callers hold nothing then that must be dropped.

#![allow(unsafe_code, reason = "this module calls the engine")]

mod exception;
mod frame;
mod ini;
mod request_string;

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use ext_php_rs::ffi::{php_info_print_table_end, php_info_print_table_row, php_info_print_table_start};
use ext_php_rs::flags::ErrorType;
use ext_php_rs::types::{ZendHashTable, ZendStr, Zval};
use ext_php_rs::zend::ClassEntry;

pub(crate) use self::exception::{private_property, throw};
pub(crate) use self::frame::{
    Frame, List, Parsed, TextOrNumber, Type, element_as_number, element_as_text, element_as_text_or_number,
    element_name,
};
pub(crate) use self::ini::IniChange;
pub(crate) use self::request_string::{RequestString, StringIdentity};

/// What functions of the engine and of modules return on success (`zend_types.h`).
pub(crate) const SUCCESS: i32 = 0;

/// What they return on failure.
pub(crate) const FAILURE: i32 = -1;

unsafe extern "C" {
    static spl_ce_RuntimeException: *mut ClassEntry;
    fn zend_argument_value_error(position: u32, format: *const c_char, ...);
    fn zend_argument_type_error(position: u32, format: *const c_char, ...);
    fn zend_zval_type_name(value: *const Zval) -> *const c_char;
    fn zend_error(level: c_int, format: *const c_char, ...);
    fn zend_ini_get_value(name: *mut ZendStr) -> *mut ZendStr;
    fn zend_ini_parse_bool(text: *mut ZendStr) -> bool;
    fn cfg_get_string(name: *const c_char, text: *mut *mut c_char) -> c_int;
    fn zend_hash_str_find(table: *const ZendHashTable, key: *const c_char, length: usize) -> *mut Zval;
}

fn type_error(position: u32, format: &CStr, value: *const Zval) {
    // SAFETY: the format has one %s, and the engine's type names are static strings.
    unsafe { zend_argument_type_error(position, format.as_ptr(), zend_zval_type_name(value)) };
}

fn element_type_error(position: u32, expected: &CStr, element: &str, value: *const Zval) {
    let element = without_nul(element);
    let format = c"must be a list of %s, %s is %s";
    // SAFETY: the format has three %s, for the two texts and for the engine's type name, a static string.
    unsafe {
        let (expected, element) = (expected.as_ptr(), element.as_ptr());
        zend_argument_type_error(position, format.as_ptr(), expected, element, zend_zval_type_name(value));
    }
}

/// Throws a `ValueError` that names function, position and parameter, as PHP's own functions do.
pub(crate) fn value_error(position: u32, message: &str) {
    let message = without_nul(message);
    // SAFETY: the format has one %s for the one text.
    unsafe { zend_argument_value_error(position, c"%s".as_ptr(), message.as_ptr()) };
}

/// Raises an error of a level. The application's handler may end the request.
pub(crate) fn raise(level: ErrorType, text: String) {
    let message = without_nul(&text).into_raw();
    drop(text);
    // SAFETY: the format has one %s for the one text, which is freed afterwards. It leaks if the handler
    // leaves by longjmp; a worker survives that.
    unsafe {
        zend_error(c_int::try_from(level.bits()).unwrap_or(2), c"%s".as_ptr(), message);
        drop(CString::from_raw(message));
    }
}

/// The value of an INI directive.
pub(crate) fn ini(name: &CStr) -> Vec<u8> {
    let name = ZendStr::new(name.to_bytes(), true);
    // SAFETY: the engine reads the name, and returns a null pointer or a string that lives until the
    // directive changes. It is copied at once.
    let value = unsafe { zend_ini_get_value(std::ptr::from_ref(&*name).cast_mut()).as_ref() };
    value.map_or_else(Vec::new, |value| value.as_bytes().to_vec())
}

/// A switch from the configuration files and `-d` options, which can be read before the directives are
/// registered.
pub(crate) fn configured_switch(name: &CStr) -> Option<bool> {
    let mut text = std::ptr::null_mut();
    // SAFETY: the function writes a pointer to a NUL-terminated string if it returns SUCCESS. The
    // configuration keeps it. The engine reads the copy.
    unsafe {
        if cfg_get_string(name.as_ptr(), &raw mut text) != SUCCESS || text.is_null() {
            return None;
        }
        let text = ZendStr::new(CStr::from_ptr(text).to_bytes(), true);
        Some(zend_ini_parse_bool(std::ptr::from_ref(&*text).cast_mut()))
    }
}

/// PHP's `RuntimeException`.
pub(crate) fn runtime_exception() -> &'static ClassEntry {
    // SAFETY: SPL is part of every PHP and starts before any shared extension.
    unsafe { &*spl_ce_RuntimeException }
}

/// Adds `int` to the type of a registered function's parameter, because the builder has no unions. Must be
/// called while the module starts, when nothing else reads the function.
pub(crate) fn allow_int(function: &str, parameter: usize) {
    const INT: u32 = 1 << ext_php_rs::ffi::IS_LONG;
    let key = function.to_ascii_lowercase();
    // SAFETY: while the module starts, the compiler globals exist and their function table maps lower-case
    // names to functions (the executor's table is not set before the first request). The function is an
    // internal one. Its argument information has more than `parameter` entries, is writable, and lives as
    // long as the process.
    unsafe {
        let functions = (*ext_php_rs::ffi::ext_php_rs_compiler_globals()).function_table;
        let entry = zend_hash_str_find(functions, key.as_ptr().cast(), key.len());
        let function = entry.as_ref().and_then(|entry| entry.ptr::<ext_php_rs::ffi::zend_function>());
        let Some(function) = function else { return };
        let info = (*function).internal_function.arg_info.add(parameter);
        (*info).type_.type_mask |= INT;
    }
}

/// Prints the extension's part of `phpinfo()`.
pub(crate) fn print_table(rows: &[(String, String)]) {
    // SAFETY: each row has two texts, as its first argument says. They live until the engine has printed
    // them.
    unsafe {
        php_info_print_table_start();
        for (name, value) in rows {
            let (name, value) = (without_nul(name), without_nul(value));
            php_info_print_table_row(2, name.as_ptr(), value.as_ptr());
        }
        php_info_print_table_end();
    }
}

fn without_nul(text: &str) -> CString {
    CString::new(text.replace('\0', "\\0")).unwrap_or_default()
}

/// The signature of a directive's change handler (`ZEND_INI_MH` in `zend_ini.h`).
pub(crate) type IniHandler = unsafe extern "C" fn(
    *mut ext_php_rs::ffi::zend_ini_entry,
    *mut ZendStr,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    c_int,
) -> c_int;
