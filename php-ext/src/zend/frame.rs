//! The arguments of the call under way, parsed by the engine's own rules: weak and strict typing, references,
//! deprecations and error texts are those of every PHP function.

use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;

use ext_php_rs::ffi::zend_wrong_parameters_count_error;
use ext_php_rs::flags::DataType;
use ext_php_rs::types::{ZendHashTable, ZendStr, Zval};
use ext_php_rs::zend::{ExecuteData, ExecutorGlobals};

use super::{SUCCESS, element_type_error, type_error};

unsafe extern "C" {
    fn zend_parse_parameter(
        flags: c_int,
        position: u32,
        value: *mut Zval,
        specification: *const c_char,
        ...
    ) -> c_int;
    fn get_active_function_arg_name(position: u32) -> *const c_char;
    fn zend_parse_arg_long_slow(value: *mut Zval, number: *mut i64, position: u32) -> bool;
    fn zend_parse_arg_str_or_long_slow(
        value: *mut Zval,
        text: *mut *mut ZendStr,
        number: *mut i64,
        position: u32,
    ) -> bool;
}

/// The call frame of a function. It keeps the arguments until the function returns.
pub(crate) struct Frame<'a> {
    data: &'a ExecuteData,
    given: usize,
}

/// An argument: its place in the call frame, where the engine may convert it.
#[derive(Clone, Copy)]
pub(crate) struct Argument<'a> {
    position: u32,
    value: *mut Zval,
    frame: PhantomData<&'a Frame<'a>>,
}

/// The PHP type of a parameter.
#[derive(Clone, Copy)]
pub(crate) struct Type {
    pub(crate) of: DataType,
    pub(crate) or_int: bool,
    pub(crate) nullable: bool,
}

impl Type {
    pub(crate) const INT: Self = Self::of(DataType::Long);
    pub(crate) const STRING: Self = Self::of(DataType::String);
    pub(crate) const STRING_OR_INT: Self = Self { or_int: true, ..Self::STRING };
    pub(crate) const ARRAY: Self = Self::of(DataType::Array);

    const fn of(of: DataType) -> Self {
        Self { of, or_int: false, nullable: false }
    }

    pub(crate) const fn or_null(self) -> Self {
        Self { nullable: true, ..self }
    }
}

/// A value that the engine parses an argument into. `None`: a `TypeError` was thrown.
pub(crate) trait Parsed<'a>: Sized {
    /// The type of the parameter in PHP.
    const TYPE: Type;

    fn parse(argument: Argument<'a>) -> Option<Self>;

    /// The value as PHP source, for a default.
    fn source(&self) -> String;
}

/// The value of a `string|int` parameter.
#[derive(Clone, Copy)]
pub(crate) enum TextOrNumber<'a> {
    Text(&'a [u8]),
    Number(i64),
}

impl<'a> Frame<'a> {
    /// The frame of a call; or an `ArgumentCountError`.
    pub(crate) fn new(data: &'a mut ExecuteData, required: usize, most: usize) -> Option<Self> {
        // SAFETY: the engine keeps the number of arguments in this field of every call frame
        // (ZEND_CALL_NUM_ARGS in zend_compile.h).
        let given = usize::try_from(unsafe { data.This.u2.num_args }).unwrap_or(usize::MAX);
        if (required..=most).contains(&given) {
            return Some(Self { data, given });
        }
        let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
        // SAFETY: it reads the current call frame, which is this one, and throws.
        unsafe { zend_wrong_parameters_count_error(count(required), count(most)) };
        None
    }

    /// The arguments that were given, in order. The engine fills in the default of an argument that is left
    /// out before a named one.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = Argument<'a>> {
        let data = self.data;
        (0..self.given).zip(1..).filter_map(move |(index, position)| {
            // SAFETY: the frame has this argument, and keeps it until the function returns.
            let value = unsafe { data.zend_call_arg(index) }?;
            Some(Argument { position, value, frame: PhantomData })
        })
    }
}

impl<'a> Argument<'a> {
    fn value(self) -> &'a Zval {
        // SAFETY: the pointer is to a place in the call frame, which outlives 'a.
        unsafe { &*self.value }.dereference()
    }

    /// Where the value is. For a reference that is outside of the call frame.
    fn place(self) -> *mut Zval {
        let value = self.value;
        // SAFETY: the pointer is to a place in the call frame. A reference holds its value until it is
        // released, and the frame holds the reference.
        unsafe { if (*value).is_reference() { &raw mut (*(*value).value.ref_).val } else { value } }
    }

    /// Lets the engine parse the argument as `specification` says, into what `place` points at.
    ///
    /// # Safety
    ///
    /// `T` is the type that the engine writes for the specification (PHP's `README.PARAMETER_PARSING_API`).
    unsafe fn parse_as<T>(self, specification: &CStr, place: &mut T) -> Option<()> {
        // SAFETY: the place is a valid argument of the call under way; the caller answers for the type of the
        // target.
        let parsed = unsafe {
            zend_parse_parameter(
                0,
                self.position,
                self.value,
                specification.as_ptr(),
                std::ptr::from_mut(place),
            )
        };
        (parsed == SUCCESS).then_some(())
    }
}

impl<'a> Parsed<'a> for i64 {
    const TYPE: Type = Type::INT;

    fn parse(argument: Argument<'a>) -> Option<Self> {
        if let Some(number) = argument.value().long() {
            return Some(number);
        }
        let mut number = 0;
        // SAFETY: "l" writes a zend_long.
        unsafe { argument.parse_as(c"l", &mut number) }?;
        Some(number)
    }

    fn source(&self) -> String {
        self.to_string()
    }
}

impl<'a> Parsed<'a> for &'a ZendStr {
    const TYPE: Type = Type::STRING;

    fn parse(argument: Argument<'a>) -> Option<Self> {
        if let Some(text) = argument.value().zend_str() {
            return Some(text);
        }
        let mut text = std::ptr::null_mut::<ZendStr>();
        // SAFETY: "S" writes a pointer to a zend_string, which the call frame keeps.
        unsafe {
            argument.parse_as(c"S", &mut text)?;
            text.as_ref()
        }
    }

    fn source(&self) -> String {
        quoted(self.as_bytes())
    }
}

impl<'a> Parsed<'a> for &'a [u8] {
    const TYPE: Type = Type::STRING;

    fn parse(argument: Argument<'a>) -> Option<Self> {
        <&ZendStr>::parse(argument).map(ZendStr::as_bytes)
    }

    fn source(&self) -> String {
        quoted(self)
    }
}

impl<'a> Parsed<'a> for Option<&'a [u8]> {
    const TYPE: Type = Type::STRING.or_null();

    fn parse(argument: Argument<'a>) -> Option<Self> {
        let mut text = std::ptr::null_mut::<ZendStr>();
        // SAFETY: "S!" writes a pointer to a zend_string, or a null pointer for null.
        unsafe { argument.parse_as(c"S!", &mut text) }?;
        Some(bytes(text))
    }

    fn source(&self) -> String {
        self.map_or_else(|| "null".to_owned(), quoted)
    }
}

impl<'a> TextOrNumber<'a> {
    /// Parses an argument. If it cannot be, the error says what it must be.
    fn parse_or(argument: Argument<'a>, expected: &CStr) -> Option<Self> {
        if let Some(number) = argument.value().long() {
            return Some(Self::Number(number));
        }
        if let Some(text) = argument.value().zend_str() {
            return Some(Self::Text(text.as_bytes()));
        }
        let (mut text, mut number) = (std::ptr::null_mut::<ZendStr>(), 0_i64);
        let (place, position) = (argument.place(), argument.position);
        // SAFETY: the place is in the call frame, and no reference to it is alive. The engine converts in
        // place, as the union type requires, and writes one of the two.
        let parsed =
            unsafe { zend_parse_arg_str_or_long_slow(place, &raw mut text, &raw mut number, position) };
        // The application's error handler may throw for a deprecation, and the engine goes on all the same.
        if ExecutorGlobals::has_exception() {
            return None;
        }
        if parsed {
            return Some(bytes(text).map_or(Self::Number(number), Self::Text));
        }
        type_error(position, expected, place);
        None
    }
}

impl<'a> Parsed<'a> for TextOrNumber<'a> {
    const TYPE: Type = Type::STRING_OR_INT;

    fn parse(argument: Argument<'a>) -> Option<Self> {
        Self::parse_or(argument, c"must be of type string|int, %s given")
    }

    fn source(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Number(number) => number.to_string(),
        }
    }
}

impl<'a> Parsed<'a> for Option<TextOrNumber<'a>> {
    const TYPE: Type = Type::STRING_OR_INT.or_null();

    fn parse(argument: Argument<'a>) -> Option<Self> {
        if argument.value().is_null() {
            return Some(None);
        }
        TextOrNumber::parse_or(argument, c"must be of type string|int|null, %s given").map(Some)
    }

    fn source(&self) -> String {
        self.map_or_else(|| "null".to_owned(), |value| value.source())
    }
}

impl<'a> Parsed<'a> for &'a ZendHashTable {
    const TYPE: Type = Type::ARRAY;

    fn parse(argument: Argument<'a>) -> Option<Self> {
        if let Some(table) = argument.value().array() {
            return Some(table);
        }
        let mut table = std::ptr::null_mut::<ZendHashTable>();
        // SAFETY: "h" writes a pointer to a table.
        unsafe { argument.parse_as(c"h", &mut table) }?;
        // SAFETY: the engine wrote the pointer, and the call frame keeps the table.
        unsafe { table.as_ref() }
    }

    fn source(&self) -> String {
        "[]".to_owned()
    }
}

/// An array that may be left out.
#[derive(Clone, Copy)]
pub(crate) struct List<'a>(pub(crate) Option<&'a ZendHashTable>);

impl<'a> Parsed<'a> for List<'a> {
    const TYPE: Type = Type::ARRAY;

    fn parse(argument: Argument<'a>) -> Option<Self> {
        <&ZendHashTable>::parse(argument).map(|table| Self(Some(table)))
    }

    fn source(&self) -> String {
        "[]".to_owned()
    }
}

/// The bytes of a string of the engine that the call frame keeps.
fn bytes<'a>(text: *mut ZendStr) -> Option<&'a [u8]> {
    // SAFETY: the pointer is null, or the engine wrote it and the call frame keeps the string.
    Some(unsafe { text.as_ref() }?.as_bytes())
}

/// A PHP string literal.
fn quoted(text: &[u8]) -> String {
    format!("'{}'", String::from_utf8_lossy(text).replace('\\', "\\\\").replace('\'', "\\'"))
}

/// An element of an array argument as a number, by the rules of an `int` argument; otherwise a `TypeError`
/// that names the element.
pub(crate) fn element_as_number(value: &Zval, position: u32, key: &Zval) -> Option<i64> {
    number_of_element(value, position, key, c"int")
}

fn number_of_element(value: &Zval, position: u32, key: &Zval, expected: &CStr) -> Option<i64> {
    // After `foreach ($list as &$element)` the elements are references.
    let value = value.dereference();
    if let Some(number) = value.long() {
        return Some(number);
    }
    let mut copy = value.shallow_clone();
    let mut number = 0_i64;
    // SAFETY: the engine may convert the copy in place. It writes a number if it returns true.
    if unsafe { zend_parse_arg_long_slow(&raw mut copy, &raw mut number, position) } {
        return Some(number);
    }
    element_type_error(position, expected, &element_name(position, key), &raw const copy);
    None
}

/// An element of an array argument as a text; otherwise a `TypeError` that names the element. An integer is
/// its digits, because PHP makes integers of such keys (`array_keys`).
pub(crate) fn element_as_text(value: &Zval, position: u32, key: &Zval) -> Option<String> {
    let value = value.dereference();
    if let Some(text) = value.zend_str() {
        return Some(String::from_utf8_lossy(text.as_bytes()).into_owned());
    }
    if let Some(number) = value.long() {
        return Some(number.to_string());
    }
    element_type_error(position, c"string", &element_name(position, key), std::ptr::from_ref(value));
    None
}

/// An element of an array argument as a text, or as a number by the rules of an `int` argument; otherwise a
/// `TypeError` that names the element.
pub(crate) fn element_as_text_or_number<'a>(
    value: &'a Zval,
    position: u32,
    key: &Zval,
) -> Option<TextOrNumber<'a>> {
    match value.dereference().zend_str() {
        Some(text) => Some(TextOrNumber::Text(text.as_bytes())),
        None => number_of_element(value, position, key, c"string|int").map(TextOrNumber::Number),
    }
}

/// An element of an array argument as PHP code names it, such as `$ids[5]`.
pub(crate) fn element_name(position: u32, key: &Zval) -> String {
    // SAFETY: it reads the current call frame, which has this parameter. Its name lives as long as the
    // process.
    let parameter =
        unsafe { get_active_function_arg_name(position).as_ref().map(|name| CStr::from_ptr(name)) };
    let parameter = parameter.unwrap_or_default().to_string_lossy();
    match key.zend_str() {
        Some(text) => format!("${parameter}[{}]", quoted(text.as_bytes())),
        None => format!("${parameter}[{}]", key.long().unwrap_or_default()),
    }
}
