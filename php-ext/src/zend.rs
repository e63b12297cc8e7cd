//! The engine's C functions that ext-php-rs does not wrap, each behind a function that is safe to call.
//!
//! Everything here may leave by `longjmp`: a warning can run the application's error handler, and that can
//! end the request. Callers hold nothing that must be dropped.

#![allow(unsafe_code, reason = "this is where the extension speaks to the engine")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use ext_php_rs::ffi::{php_info_print_table_end, php_info_print_table_row, php_info_print_table_start};
use ext_php_rs::flags::{DataType, ErrorType};
use ext_php_rs::types::{ZendHashTable, ZendStr, Zval};
use ext_php_rs::zend::{ClassEntry, ExecuteData};

/// What a module function returns when all went well (`zend_types.h`).
pub(crate) const SUCCESS: i32 = 0;

/// What it returns when the module cannot be used.
pub(crate) const FAILURE: i32 = -1;

unsafe extern "C" {
    static spl_ce_RuntimeException: *mut ClassEntry;
    fn zend_parse_parameters(count: u32, types: *const c_char, ...) -> c_int;
    fn zend_parse_arg_long_slow(value: *mut Zval, number: *mut i64, position: u32) -> bool;
    fn zend_parse_arg_str_or_long_slow(
        value: *mut Zval,
        text: *mut *mut ZendStr,
        number: *mut i64,
        position: u32,
    ) -> bool;
    fn zend_argument_value_error(position: u32, format: *const c_char, ...);
    fn zend_argument_type_error(position: u32, format: *const c_char, ...);
    fn zend_zval_type_name(value: *const Zval) -> *const c_char;
    fn zend_error(level: c_int, format: *const c_char, ...);
    fn zend_ini_string_ex(
        name: *const c_char,
        length: usize,
        original: c_int,
        exists: *mut bool,
    ) -> *mut c_char;
    fn cfg_get_long(name: *const c_char, number: *mut i64) -> c_int;
    fn zend_hash_str_find(table: *const ZendHashTable, key: *const c_char, length: usize) -> *mut Zval;
}

/// The arguments of the call under way, read by the engine's own rules: weak or strict typing, references,
/// defaults, deprecations and error texts are those of every PHP function.
pub(crate) struct Call<'a>(pub(crate) &'a mut ExecuteData);

/// A text argument, or the number that stands in its place.
#[derive(Clone, Copy)]
pub(crate) enum TextOrNumber<'a> {
    Text(&'a [u8]),
    Number(i64),
}

/// The arguments of `sendMessage`, as they were given.
pub(crate) struct MessageArguments<'a> {
    pub(crate) sender: i64,
    pub(crate) receiver: i64,
    pub(crate) content: &'a [u8],
    pub(crate) message_type: Option<TextOrNumber<'a>>,
    pub(crate) id: Option<&'a [u8]>,
}

impl<'a> Call<'a> {
    fn count(&self) -> u32 {
        // SAFETY: the engine keeps the number of arguments in this field of every call frame
        // (ZEND_CALL_NUM_ARGS in zend_compile.h).
        unsafe { self.0.This.u2.num_args }
    }

    /// One number: `int`.
    pub(crate) fn number(&self) -> Option<i64> {
        let mut number = 0_i64;
        // SAFETY: "l" writes one zend_long.
        (unsafe { zend_parse_parameters(self.count(), c"l".as_ptr(), &raw mut number) } == SUCCESS)
            .then_some(number)
    }

    /// A number and one that may be left out: `int, int = default`.
    pub(crate) fn numbers<const OPTIONAL: usize>(
        &self,
        defaults: [i64; OPTIONAL],
    ) -> Option<(i64, [i64; OPTIONAL])> {
        let (mut first, mut optional) = (0_i64, defaults);
        let count = self.count();
        let slots = optional.as_mut_ptr();
        // SAFETY: each "l" writes one zend_long, and there are as many of them behind the bar as `optional`
        // has places; what the caller left out is not written.
        let parsed = unsafe {
            match OPTIONAL {
                1 => zend_parse_parameters(count, c"l|l".as_ptr(), &raw mut first, slots),
                2 => zend_parse_parameters(count, c"l|ll".as_ptr(), &raw mut first, slots, slots.add(1)),
                _ => FAILURE,
            }
        };
        (parsed == SUCCESS).then_some((first, optional))
    }

    /// Two numbers and a text: `int, int, string`.
    pub(crate) fn two_numbers_and_text(&self) -> Option<(i64, i64, &'a [u8])> {
        let (mut first, mut second, mut text) = (0_i64, 0_i64, std::ptr::null_mut::<ZendStr>());
        // SAFETY: "l" writes a zend_long each and "S" a pointer to a zend_string that the call frame keeps.
        let parsed = unsafe {
            zend_parse_parameters(
                self.count(),
                c"llS".as_ptr(),
                &raw mut first,
                &raw mut second,
                &raw mut text,
            )
        };
        (parsed == SUCCESS).then_some(())?;
        Some((first, second, bytes(text)?))
    }

    /// A number, a text, and a text or number: `int, string, string|int`.
    pub(crate) fn number_text_and_either(&self) -> Option<(i64, &'a [u8], TextOrNumber<'a>)> {
        let (mut first, mut text, mut either) =
            (0_i64, std::ptr::null_mut::<ZendStr>(), std::ptr::null_mut::<Zval>());
        // SAFETY: as above; "z" writes a pointer to the argument's place in the call frame.
        let parsed = unsafe {
            zend_parse_parameters(
                self.count(),
                c"lSz".as_ptr(),
                &raw mut first,
                &raw mut text,
                &raw mut either,
            )
        };
        (parsed == SUCCESS).then_some(())?;
        Some((first, bytes(text)?, text_or_number(either, 3)?))
    }

    /// `int, int, string, string|int = …, ?string = null`.
    pub(crate) fn message(&self) -> Option<MessageArguments<'a>> {
        let (mut sender, mut receiver, mut content) = (0_i64, 0_i64, std::ptr::null_mut::<ZendStr>());
        let (mut message_type, mut id) = (std::ptr::null_mut::<Zval>(), std::ptr::null_mut::<ZendStr>());
        // SAFETY: as above; "S!" writes a null pointer for null, and what the caller left out is not written.
        let parsed = unsafe {
            zend_parse_parameters(
                self.count(),
                c"llS|zS!".as_ptr(),
                &raw mut sender,
                &raw mut receiver,
                &raw mut content,
                &raw mut message_type,
                &raw mut id,
            )
        };
        (parsed == SUCCESS).then_some(())?;
        // An argument that is passed over by naming a later one leaves a place of no type.
        // SAFETY: the pointer is null or to the argument's place in the call frame.
        let given = unsafe { message_type.as_ref() }
            .is_some_and(|message_type| message_type.get_type() != DataType::Undef);
        let message_type = if given { Some(text_or_number(message_type, 4)?) } else { None };
        Some(MessageArguments { sender, receiver, content: bytes(content)?, message_type, id: bytes(id) })
    }

    /// A number and an array: `int, array`.
    pub(crate) fn number_and_array(&self) -> Option<(i64, &'a ZendHashTable)> {
        let (mut number, mut table) = (0_i64, std::ptr::null_mut::<ZendHashTable>());
        // SAFETY: "l" writes a zend_long and "h" a pointer to the argument's table, which the frame keeps.
        let parsed =
            unsafe { zend_parse_parameters(self.count(), c"lh".as_ptr(), &raw mut number, &raw mut table) };
        (parsed == SUCCESS).then_some(())?;
        // SAFETY: the pointer was just written, and the frame outlives the call.
        Some((number, unsafe { table.as_ref() }?))
    }
}

/// The bytes of an engine string, for as long as the frame that keeps it.
fn bytes<'a>(text: *mut ZendStr) -> Option<&'a [u8]> {
    // SAFETY: the engine wrote the pointer, and the frame that keeps the string outlives the call.
    Some(unsafe { text.as_ref() }?.as_bytes())
}

fn text_or_number<'a>(value: *mut Zval, position: u32) -> Option<TextOrNumber<'a>> {
    // SAFETY: the pointer is to the argument's place in the call frame.
    let zval = unsafe { value.as_mut() }?;
    if let Some(number) = zval.long() {
        return Some(TextOrNumber::Number(number));
    }
    if zval.is_string() {
        let text: *mut ZendStr = std::ptr::from_ref(zval.zend_str()?).cast_mut();
        return bytes(text).map(TextOrNumber::Text);
    }
    let (mut text, mut number) = (std::ptr::null_mut::<ZendStr>(), 0_i64);
    // SAFETY: the engine converts in place by the rules of the union type and writes one of the two.
    if unsafe { zend_parse_arg_str_or_long_slow(value, &raw mut text, &raw mut number, position) } {
        return Some(bytes(text).map_or(TextOrNumber::Number(number), TextOrNumber::Text));
    }
    type_error(position, c"must be of type string|int, %s given", value);
    None
}

/// An element of an array argument as a number, by the rules of an `int` argument; otherwise a `TypeError`.
pub(crate) fn element_as_number(value: &Zval, position: u32) -> Option<i64> {
    if let Some(number) = value.long() {
        return Some(number);
    }
    let mut copy = value.shallow_clone();
    let mut number = 0_i64;
    // SAFETY: the copy is ours to convert in place; a number is written if true is returned.
    if unsafe { zend_parse_arg_long_slow(&raw mut copy, &raw mut number, position) } {
        return Some(number);
    }
    type_error(position, c"must be a list of int, %s given", &raw const copy);
    None
}

fn type_error(position: u32, format: &CStr, value: *const Zval) {
    // SAFETY: the format has one %s, and the engine's type names are static strings.
    unsafe { zend_argument_type_error(position, format.as_ptr(), zend_zval_type_name(value)) };
}

/// Throws a `ValueError` that names function, position and parameter, as PHP's own functions do.
pub(crate) fn value_error(position: u32, message: &str) {
    let message = without_nul(message);
    // SAFETY: the format has one %s for the one text.
    unsafe { zend_argument_value_error(position, c"%s".as_ptr(), message.as_ptr()) };
}

/// Raises an error of a level; the application's handler may end the request.
pub(crate) fn raise(level: ErrorType, message: &str) {
    let message = without_nul(message).into_raw();
    // SAFETY: the format has one %s for the one text. The text is given back afterwards; if the handler
    // ends the request by longjmp it leaks, which a worker survives.
    unsafe {
        zend_error(c_int::try_from(level.bits()).unwrap_or(2), c"%s".as_ptr(), message);
        drop(CString::from_raw(message));
    }
}

/// The value of an INI directive, as bytes up to the first NUL.
pub(crate) fn ini(name: &CStr) -> Vec<u8> {
    let mut exists = false;
    // SAFETY: the engine answers with a NUL-terminated string that lives until the directive changes, or
    // with a null pointer; it is copied at once.
    unsafe {
        let value = zend_ini_string_ex(name.as_ptr(), name.count_bytes(), 0, &raw mut exists);
        if value.is_null() { Vec::new() } else { CStr::from_ptr(value).to_bytes().to_vec() }
    }
}

/// A number of the configuration files and `-d` options, which can be read before directives exist.
pub(crate) fn configured_number(name: &CStr) -> Option<i64> {
    let mut number = 0_i64;
    // SAFETY: the function writes a zend_long if it returns SUCCESS.
    (unsafe { cfg_get_long(name.as_ptr(), &raw mut number) } == SUCCESS).then_some(number)
}

/// PHP's `RuntimeException`.
pub(crate) fn runtime_exception() -> &'static ClassEntry {
    // SAFETY: SPL is part of every PHP and is started before any shared extension.
    unsafe { &*spl_ce_RuntimeException }
}

/// Adds `int` to the type of a function's parameter. Reflection is to say `string|int`, and the builder
/// knows no unions. Only called while the module starts, when nobody else reads the function.
pub(crate) fn allow_int(function: &str, parameter: usize) {
    const INT: u32 = 1 << ext_php_rs::ffi::IS_LONG;
    let key = function.to_ascii_lowercase();
    // SAFETY: while the module starts the engine's compiler globals are in place, and their function table
    // (the executor's is not set before the first request) maps lower-case names to functions; ours is an
    // internal function, whose argument information has more than `parameter` entries and is kept, writable,
    // for the process's life.
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
    // SAFETY: each row is announced with its two texts, which live until the engine has printed them.
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
