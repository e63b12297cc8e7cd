//! How a PHP function is declared: once. From [`function!`] follow its argument information, the parsing and
//! the checks of its arguments, its handler and its documentation in the stubs.

use ext_php_rs::args::Arg;
use ext_php_rs::builders::FunctionBuilder;
use ext_php_rs::flags::DataType;
use ext_php_rs::types::Zval;
use ext_php_rs::zend::ExecuteData;

use crate::zend::{self, Parsed, Type};

/// A declared PHP function.
pub(crate) struct Function {
    /// The name without a namespace.
    pub(crate) name: &'static str,
    pub(crate) parameters: &'static [Parameter],
    /// The number of leading parameters that have no default.
    pub(crate) required: usize,
    pub(crate) returns: DataType,
    /// Whether it may return null too.
    pub(crate) returns_null: bool,
    pub(crate) handler: extern "C" fn(&mut ExecuteData, &mut Zval),
}

/// A declared parameter.
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Type,
    /// The default value as PHP source, if there is one.
    pub(crate) default: Option<fn() -> String>,
}

/// A kind of parameter: what the engine parses the argument into, and the checked value that a function works
/// with.
pub(crate) trait Kind<'a> {
    type Parsed: Parsed<'a>;
    type Value;

    /// Checks a parsed argument. `None`: a `ValueError` was thrown.
    fn check(position: u32, parsed: Self::Parsed) -> Option<Self::Value>;
}

/// A parameter that takes null too.
impl<'a, K: Kind<'a>> Kind<'a> for Option<K>
where
    Option<K::Parsed>: Parsed<'a>,
{
    type Parsed = Option<K::Parsed>;
    type Value = Option<K::Value>;

    fn check(position: u32, parsed: Self::Parsed) -> Option<Self::Value> {
        match parsed {
            Some(parsed) => K::check(position, parsed).map(Some),
            None => Some(None),
        }
    }
}

impl Function {
    /// The function under a full name, for registration.
    pub(crate) fn builder(&self, name: &str) -> FunctionBuilder<'static> {
        let builder = FunctionBuilder::new(name, self.handler).required_args(self.required);
        let builder = self.parameters.iter().map(Parameter::arg).fold(builder, FunctionBuilder::arg);
        builder.returns(self.returns, false, self.returns_null)
    }

    /// Adds the types that the builder cannot express to the registered function.
    pub(crate) fn complete_types(&self, name: &str) {
        for (index, parameter) in self.parameters.iter().enumerate() {
            if parameter.kind.or_int {
                zend::allow_int(name, index);
            }
        }
    }
}

impl Parameter {
    fn arg(&self) -> Arg<'static> {
        // A parameter that Rust reserves the name of is declared as `r#name`.
        let mut arg = Arg::new(self.name.trim_start_matches("r#"), self.kind.of);
        if self.kind.nullable {
            arg = arg.allow_null();
        }
        match self.default {
            Some(default) => arg.default(default()),
            None => arg,
        }
    }
}

/// Declares a PHP function, with its `PHPDoc`. Each parameter has a [`Kind`] and may have a default, which is
/// a parsed value. The body gets the checked values and returns a `Result`; see [`crate::returns::Returns`]
/// for its types.
///
/// As in PHP's own functions, the types of all arguments are parsed first, then the values are checked, each
/// in order.
macro_rules! function {
    (
        $(#[doc = $doc:literal])*
        fn $name:ident($($parameter:ident: $kind:ty $(= $default:expr)?),* $(,)?) -> $returns:ty $body:block
    ) => {
        #[allow(non_upper_case_globals, reason = "it is the name in PHP")]
        #[allow(unused_imports, unused_mut, unused_variables, reason = "it may have no parameters")]
        #[allow(clippy::unnecessary_wraps, reason = "it may never fail")]
        pub(super) const $name: $crate::declaration::Function = {
            use ext_php_rs::types::Zval;
            use ext_php_rs::zend::ExecuteData;
            use $crate::declaration::{Kind, Parameter};
            use $crate::zend::{Frame, Parsed};

            const PARAMETERS: &[Parameter] = &[$(Parameter {
                name: stringify!($parameter),
                kind: <<$kind as Kind<'static>>::Parsed as Parsed<'static>>::TYPE,
                default: function!(@source $kind $(, $default)?),
            }),*];
            const REQUIRED: usize =
                ext_php_rs::args::required_count(&[$(function!(@omittable $($default)?)),*]);

            type Outcome = Result<$returns, $crate::error::Error>;

            fn body($($parameter: <$kind as Kind<'_>>::Value),*) -> Outcome $body

            /// `None`: an exception was thrown, and PHP ignores the answer.
            fn call(frame: &mut ExecuteData, answer: &mut Zval) -> Option<()> {
                let frame = Frame::new(frame, REQUIRED, PARAMETERS.len())?;
                let mut arguments = frame.arguments();
                $(let $parameter: <$kind as Kind<'_>>::Parsed = match arguments.next() {
                    Some(argument) => Parsed::parse(argument)?,
                    None => function!(@value $($default)?),
                };)*
                let mut positions = 1..;
                $(let $parameter = <$kind as Kind<'_>>::check(positions.next()?, $parameter)?;)*
                $crate::returns::give(body($($parameter),*), answer);
                Some(())
            }

            extern "C" fn handler(frame: &mut ExecuteData, answer: &mut Zval) {
                ext_php_rs::zend::run_handler(std::panic::AssertUnwindSafe(|| _ = call(frame, answer)));
            }

            $crate::declaration::Function {
                name: stringify!($name),
                parameters: PARAMETERS,
                required: REQUIRED,
                returns: <$returns as $crate::returns::Returns>::TYPE,
                returns_null: <$returns as $crate::returns::Returns>::NULLABLE,
                handler,
            }
        };
    };
    (@source $kind:ty) => { None };
    (@source $kind:ty, $default:expr) => {
        Some(|| {
            let default: <$kind as Kind<'static>>::Parsed = $default;
            Parsed::source(&default)
        })
    };
    (@omittable) => { false };
    (@omittable $default:expr) => { true };
    // The number of arguments was checked, so an argument without a default is there.
    (@value) => { return None };
    (@value $default:expr) => { $default };
}

pub(crate) use function;
