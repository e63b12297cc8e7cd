//! What can go wrong with a call, and the one place where that becomes something PHP knows.

#![allow(unsafe_code, reason = "the class entries are kept as pointers")]

use std::sync::atomic::{AtomicPtr, Ordering};

use chatpush_wire::reply::Refusal;
use ext_php_rs::builders::ClassBuilder;
use ext_php_rs::exception::PhpException;
use ext_php_rs::flags::ErrorType;
use ext_php_rs::zend::ClassEntry;

use crate::settings::{self, Unusable};
use crate::zend;

/// A call that did not do what was asked. The text is for whoever runs the application: it says what is
/// known of the outcome and, where there is one, the fix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// A directive cannot be used. `ChatPush\Exception`.
    #[error("{0}")]
    Setting(String),
    /// Redis cannot be reached, or the connection broke. `ChatPush\ConnectionException`.
    #[error("{0}")]
    Connection(String),
    /// Nobody is there to do it; nothing was queued. `ChatPush\UnavailableException`.
    #[error("{0}")]
    Unavailable(String),
    /// No answer in time. `ChatPush\TimeoutException`.
    #[error("{0}")]
    Timeout(String),
    /// It was refused for what it is. `ChatPush\Exception`.
    #[error("{0}")]
    Refused(String),
}

impl From<Unusable> for Error {
    fn from(unusable: Unusable) -> Self {
        Self::Setting(unusable.0)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::NoDaemon | Refusal::Backlog | Refusal::Failed(_) => Self::Unavailable(text),
            Refusal::Rejected(_) => Self::Refused(text),
        }
    }
}

/// One exception class, once it is registered.
struct Class {
    name: &'static str,
    entry: AtomicPtr<ClassEntry>,
}

/// Everything but a wrong argument that a call can throw: a setting that cannot be used, or one of the classes below.
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

    fn entry(&self) -> &'static ClassEntry {
        // SAFETY: the pointer is null or was given by the engine, which keeps classes of a module until
        // the process ends. A class that is not registered is stood in for by its ancestor.
        unsafe { self.entry.load(Ordering::Acquire).as_ref() }.unwrap_or_else(zend::runtime_exception)
    }
}

impl Error {
    /// Tells PHP: an exception, or a warning where `chatpush.errors` asks for it.
    pub(crate) fn tell(self) {
        if settings::errors_are_warnings() {
            // The text moves into the engine's keeping first: a handler may leave by longjmp.
            let text = format!("chatpush: {self}");
            drop(self);
            zend::raise(ErrorType::Warning, &text);
            return;
        }
        self.throw();
    }

    /// Throws the exception of its class.
    pub(crate) fn throw(self) {
        let class = match &self {
            Self::Setting(_) | Self::Refused(_) => &BASE,
            Self::Connection(_) => &CONNECTION,
            Self::Unavailable(_) => &UNAVAILABLE,
            Self::Timeout(_) => &TIMEOUT,
        };
        PhpException::new(self.to_string(), 0, class.entry()).throw();
    }
}

/// A class to extend, and its name for stubs.
type Parent = (fn() -> &'static ClassEntry, &'static str);

/// Makes the exception classes known to PHP. They take everything, file and line included, from
/// `RuntimeException`.
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
    // The builder takes a plain function, so each class brings its own.
    KEEP.set(keep);
    builder.registration(|entry, _| KEEP.get()(entry)).register()
}

thread_local! {
    static KEEP: std::cell::Cell<fn(*mut ClassEntry)> = const { std::cell::Cell::new(|_| {}) };
}
