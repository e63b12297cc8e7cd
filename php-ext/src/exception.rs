//! The exception classes, and the one place where an error becomes an exception or a warning.

#![allow(unsafe_code, reason = "the class entries are kept as pointers")]

use std::cell::Cell;
use std::sync::atomic::{AtomicPtr, Ordering};

use chatpush_wire::reply::Refusal;
use ext_php_rs::builders::ClassBuilder;
use ext_php_rs::exception::PhpException;
use ext_php_rs::flags::ErrorType;
use ext_php_rs::zend::ClassEntry;

use crate::error::Error;
use crate::link::ExecuteError;
use crate::{settings, zend};

/// An exception class and, once it is registered, its entry.
struct Class {
    name: &'static str,
    entry: AtomicPtr<ClassEntry>,
}

/// Every failure of a call but an invalid argument: an invalid setting, a message that MySQL refused, a
/// subclass.
static BASE: Class = Class::new("ChatPush\\Exception");
/// Redis cannot be reached, or the connection to it broke.
static CONNECTION: Class = Class::new("ChatPush\\ConnectionException");
/// No daemon runs, or the backlog is full. Nothing was queued; the call can be repeated later.
static UNAVAILABLE: Class = Class::new("ChatPush\\UnavailableException");
/// No answer in time. The text says whether the message is queued and will be stored.
static TIMEOUT: Class = Class::new("ChatPush\\TimeoutException");

impl Class {
    const fn new(name: &'static str) -> Self {
        Self { name, entry: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// The class of an error.
    fn of(error: &Error) -> &'static Self {
        match error {
            Error::Directives(_)
            | Error::Directive(_)
            | Error::NoSecret
            | Error::NoEntropy(_)
            | Error::Execute(ExecuteError::Content(_))
            | Error::Refused(Refusal::Rejected(_)) => &BASE,
            Error::Execute(ExecuteError::TimedOut { .. }) => &TIMEOUT,
            Error::Execute(ExecuteError::Installation { .. })
            | Error::Refused(Refusal::NoDaemon | Refusal::Backlog | Refusal::Failed(_)) => &UNAVAILABLE,
            Error::Execute(_) | Error::UnexpectedReply => &CONNECTION,
        }
    }

    fn entry(&self) -> &'static ClassEntry {
        // SAFETY: the pointer is null or was given by the engine, which keeps a module's classes until the
        // process ends. `RuntimeException` stands in for a class that is not registered.
        unsafe { self.entry.load(Ordering::Acquire).as_ref() }.unwrap_or_else(zend::runtime_exception)
    }
}

/// Throws the exception of an error or, with `chatpush.errors=warning`, raises a warning.
pub(crate) fn raise(error: Error) {
    if settings::errors_are_warnings() {
        let text = format!("chatpush: {}", error.message());
        // The application's error handler may leave by longjmp, so nothing is held across the call.
        drop(error);
        zend::raise(ErrorType::Warning, text);
    } else {
        throw(error);
    }
}

/// Throws the exception of an error.
pub(crate) fn throw(error: Error) {
    let exception = PhpException::new(error.message(), 0, Class::of(&error).entry());
    drop(error);
    exception.throw();
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
    register(BASE.name, runtime, |entry| BASE.entry.store(entry, Ordering::Release))?;
    register(CONNECTION.name, base, |entry| CONNECTION.entry.store(entry, Ordering::Release))?;
    register(UNAVAILABLE.name, base, |entry| UNAVAILABLE.entry.store(entry, Ordering::Release))?;
    register(TIMEOUT.name, base, |entry| TIMEOUT.entry.store(entry, Ordering::Release))?;
    Ok(())
}

fn register(name: &str, parent: Parent, keep: fn(*mut ClassEntry)) -> Result<(), ext_php_rs::error::Error> {
    let builder = ClassBuilder::new(name).extends(parent);
    // The builder takes a plain function, which cannot capture `keep`.
    KEEP.set(keep);
    builder.registration(|entry, _| KEEP.get()(entry)).register()
}

thread_local! {
    static KEEP: Cell<fn(*mut ClassEntry)> = const { Cell::new(|_| {}) };
}
