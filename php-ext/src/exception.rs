//! The exception classes, and the one place where an error becomes an exception or a warning.

#![allow(unsafe_code, reason = "the class entries are kept as pointers")]

mod partial;

use std::cell::Cell;
use std::ffi::CStr;
use std::sync::atomic::{AtomicPtr, Ordering};

use chatpush_wire::reply::Refusal;
use ext_php_rs::builders::{ClassBuilder, ClassProperty, FunctionBuilder};
use ext_php_rs::convert::IntoZval as _;
use ext_php_rs::flags::{DataType, ErrorType, MethodFlags, PropertyFlags};
use ext_php_rs::types::Zval;
use ext_php_rs::zend::{BailoutGuard, ClassEntry, ExecuteData, run_handler};

use crate::error::Error;
use crate::link::ExecuteError;
use crate::outcome::Outcome;
use crate::{settings, zend};

/// An exception class and, once it is registered, its entry.
struct Class {
    name: &'static str,
    entry: AtomicPtr<ClassEntry>,
}

/// A method of the base class.
struct Method {
    name: &'static str,
    returns: DataType,
    handler: extern "C" fn(&mut ExecuteData, &mut Zval),
}

/// Every failure of a call but an invalid argument: an invalid setting, a message that MySQL refused, a
/// subclass.
static BASE: Class = Class::new("ChatPush\\Exception");
/// Redis cannot be reached or refuses, or the connection to it broke.
static CONNECTION: Class = Class::new("ChatPush\\ConnectionException");
/// No daemon runs, Redis has no installation or another one, too much is waiting, or a read could not be
/// answered. Nothing was queued; `isRetryable()` says whether to try again.
static UNAVAILABLE: Class = Class::new("ChatPush\\UnavailableException");
/// No answer in time. `getOutcome()` says whether the message is queued and will be stored.
static TIMEOUT: Class = Class::new("ChatPush\\TimeoutException");

/// Returns whether the same call may succeed later and can be repeated without harm.
///
/// It is false if the cause does not pass by itself, such as an invalid setting; if the call is queued; and
/// if its outcome is unknown, unless a repeated call has no effect of its own, as with a `$message_id`.
const IS_RETRYABLE: Method = Method { name: "isRetryable", returns: DataType::Bool, handler: is_retryable };

/// Returns what is known of the call's effect.
const GET_OUTCOME: Method =
    Method { name: "getOutcome", returns: DataType::object("ChatPush\\Outcome"), handler: get_outcome };

/// The private properties of the base class.
const RETRYABLE: &CStr = c"retryable";
const OUTCOME: &CStr = c"outcome";

impl Class {
    const fn new(name: &'static str) -> Self {
        Self { name, entry: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// The class of an error.
    fn of(error: &Error) -> &'static Self {
        match error {
            Error::Directives(_)
            | Error::Directive(_)
            | Error::Argument { .. }
            | Error::NoSecret
            | Error::NoEntropy(_)
            | Error::Execute(ExecuteError::Content(_))
            | Error::Refused(Refusal::Rejected(_) | Refusal::NotConfigured(_)) => &BASE,
            Error::Execute(ExecuteError::TimedOut { .. }) | Error::NotAwaited => &TIMEOUT,
            Error::Execute(ExecuteError::Installation { .. })
            | Error::Refused(
                Refusal::NoDaemon | Refusal::Backlog | Refusal::MailboxFull(_) | Refusal::Failed(_),
            ) => &UNAVAILABLE,
            Error::Execute(_) | Error::UnexpectedReply => &CONNECTION,
            Error::Idempotent(error) => Self::of(error),
            Error::Partial(partial) if partial.is_whole() => Self::of(&partial.cause),
            Error::Partial(_) => &partial::PARTIAL,
        }
    }

    fn entry(&self) -> &'static ClassEntry {
        // SAFETY: the pointer is null or was given by the engine, which keeps a module's classes until the
        // process ends. `RuntimeException` stands in for a class that is not registered.
        unsafe { self.entry.load(Ordering::Acquire).as_ref() }.unwrap_or_else(zend::runtime_exception)
    }
}

/// Throws the exception of an error or, with `chatpush.errors=warning`, raises a warning. An invalid argument is a
/// `ValueError` always.
pub(crate) fn raise(error: Error) {
    if let Error::Argument { position, text } = error {
        zend::value_error(position, &text);
    } else if settings::errors_are_warnings() {
        let text = format!("chatpush: {}", error.message());
        // The application's error handler may leave by longjmp, so nothing is held across the call.
        drop(error);
        zend::raise(ErrorType::Warning, text);
    } else {
        throw(error);
    }
}

/// Throws the exception of an error.
fn throw(error: Error) {
    let (class, outcome, retryable) = (Class::of(&error), error.outcome(), error.is_retryable());
    let text = error.message();
    let mut value = Zval::new();
    value.set_bool(retryable);
    let base = [(BASE.entry(), RETRYABLE, value), (BASE.entry(), OUTCOME, case(outcome))];
    match error {
        Error::Partial(partial) if !partial.is_whole() => {
            // Building the arrays can meet memory_limit, which leaves by longjmp. The guard frees what is held.
            let guard = BailoutGuard::new((text, partial));
            let properties = partial::properties(&guard.1);
            let (text, _) = guard.into_inner();
            zend::throw(class.entry(), text, base.into_iter().chain(properties));
        }
        other => {
            drop(other);
            zend::throw(class.entry(), text, base);
        }
    }
}

/// The PHP value of an outcome.
fn case(outcome: Outcome) -> Zval {
    let mut value = Zval::new();
    // A case of a registered enum cannot fail to be set.
    let _ = outcome.set_zval(&mut value, false);
    value
}

/// False for an exception that the application made itself.
extern "C" fn is_retryable(frame: &mut ExecuteData, answer: &mut Zval) {
    run_handler(std::panic::AssertUnwindSafe(|| {
        if let Some(property) = property(frame, &BASE, RETRYABLE) {
            answer.set_bool(property.bool().unwrap_or(false));
        }
    }));
}

/// Unknown for an exception that the application made itself.
extern "C" fn get_outcome(frame: &mut ExecuteData, answer: &mut Zval) {
    run_handler(std::panic::AssertUnwindSafe(|| {
        if let Some(property) = property(frame, &BASE, OUTCOME) {
            *answer = if property.is_object() { property } else { case(Outcome::Unknown) };
        }
    }));
}

/// A property of the exception whose method is called. `None`: an `ArgumentCountError` was thrown.
fn property(frame: &mut ExecuteData, scope: &Class, name: &CStr) -> Option<Zval> {
    zend::Frame::new(frame, 0, 0)?;
    Some(zend::private_property(scope.entry(), frame.get_self()?, name))
}

/// A parent class, and its name for stubs.
type Parent = (fn() -> &'static ClassEntry, &'static str);

/// Registers the exception classes. They inherit everything, file and line included, from `RuntimeException`.
///
/// # Errors
///
/// When a class of that name exists.
pub(crate) fn register_classes() -> Result<(), ext_php_rs::error::Error> {
    let runtime: Parent = (zend::runtime_exception, "\\RuntimeException");
    let base: Parent = (|| BASE.entry(), "\\ChatPush\\Exception");
    let builder =
        with_members(ClassBuilder::new(BASE.name), [RETRYABLE, OUTCOME], [IS_RETRYABLE, GET_OUTCOME]);
    register(builder.extends(runtime), |entry| BASE.entry.store(entry, Ordering::Release))?;
    let subclass = |class: &Class| ClassBuilder::new(class.name).extends(base);
    register(subclass(&CONNECTION), |entry| CONNECTION.entry.store(entry, Ordering::Release))?;
    register(subclass(&UNAVAILABLE), |entry| UNAVAILABLE.entry.store(entry, Ordering::Release))?;
    register(subclass(&TIMEOUT), |entry| TIMEOUT.entry.store(entry, Ordering::Release))?;
    let builder = with_members(subclass(&partial::PARTIAL), partial::PROPERTIES, partial::METHODS);
    register(builder, |entry| partial::PARTIAL.entry.store(entry, Ordering::Release))?;
    Ok(())
}

/// Adds private properties and public methods.
fn with_members<const N: usize>(
    builder: ClassBuilder,
    properties: [&'static CStr; N],
    methods: [Method; N],
) -> ClassBuilder {
    let builder = properties.into_iter().fold(builder, |builder, name| builder.property(private_null(name)));
    methods.into_iter().fold(builder, |builder, method| {
        let function = FunctionBuilder::new(method.name, method.handler);
        builder.method(function.returns(method.returns, false, false), MethodFlags::Public)
    })
}

fn private_null(name: &CStr) -> ClassProperty {
    ClassProperty {
        name: name.to_string_lossy().into_owned(),
        flags: PropertyFlags::Private,
        default: Some(Box::new(|| Ok(Zval::null()))),
        docs: &[],
        ty: None,
        nullable: true,
        readonly: false,
        default_stub: None,
    }
}

fn register(builder: ClassBuilder, keep: fn(*mut ClassEntry)) -> Result<(), ext_php_rs::error::Error> {
    // The builder takes a plain function, which cannot capture `keep`.
    KEEP.set(keep);
    let builder = builder.registration(|entry, arguments| {
        // The methods refer to their argument information as long as the process lives.
        std::mem::forget(arguments);
        KEEP.get()(entry);
    });
    builder.register()
}

thread_local! {
    static KEEP: Cell<fn(*mut ClassEntry)> = const { Cell::new(|_| {}) };
}
