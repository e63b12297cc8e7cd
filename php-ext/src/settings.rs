//! The INI directives: names, defaults, and their checked values.
//!
//! They are read when first needed, and again only after a directive has changed: each has a change handler.

#![allow(unsafe_code, reason = "a change handler gets pointers")]

mod call;
mod error;
mod value;

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString};
use std::rc::Rc;
use std::time::Duration;

use chatpush_wire::key::Prefix;
use chatpush_wire::token::Secret;
use ext_php_rs::flags::{ErrorType, IniEntryPermission};
use ext_php_rs::zend::{IniEntryDef, IniEntryDefs};

pub(crate) use self::call::Call;
pub(crate) use self::error::{InvalidDirective, InvalidDirectives, InvalidValue};
pub(crate) use self::value::Durability;
use crate::zend;
use chatpush_wire::address::{Address, Location};

const REDIS_URL: &CStr = c"chatpush.redis_url";
const PREFIX: &CStr = c"chatpush.prefix";
const SECRET: &CStr = c"chatpush.secret";
const AUDIENCE: &CStr = c"chatpush.audience";
const CONNECT_TIMEOUT: &CStr = c"chatpush.connect_timeout_ms";
const TIMEOUT: &CStr = c"chatpush.timeout_ms";
const BUSY_POLL: &CStr = c"chatpush.busy_poll_us";
const DURABILITY: &CStr = c"chatpush.durability";
const ERRORS: &CStr = c"chatpush.errors";
const GLOBAL_FUNCTIONS: &CStr = c"chatpush.global_functions";

/// A script must not change the secret or the audience, or it could sign tokens for another installation. The
/// global functions are registered when PHP starts, so that directive cannot change later either.
static DIRECTIVES: IniEntryDefs<11> = IniEntryDefs::new([
    directive(REDIS_URL, c"redis://127.0.0.1:6379", IniEntryPermission::All),
    directive(PREFIX, c"chatpush", IniEntryPermission::All),
    directive(SECRET, c"", IniEntryPermission::PerDir.union(IniEntryPermission::System)),
    directive(AUDIENCE, c"", IniEntryPermission::PerDir.union(IniEntryPermission::System)),
    directive(CONNECT_TIMEOUT, c"500", IniEntryPermission::All),
    directive(TIMEOUT, c"2000", IniEntryPermission::All),
    directive(BUSY_POLL, c"300", IniEntryPermission::All),
    directive(DURABILITY, c"committed", IniEntryPermission::All),
    directive(ERRORS, c"exception", IniEntryPermission::All),
    directive(GLOBAL_FUNCTIONS, c"1", IniEntryPermission::System),
    IniEntryDef::end(),
]);

/// The checked settings of this process at this moment.
#[derive(Debug)]
pub(crate) struct Settings {
    /// `chatpush.redis_url`.
    pub(crate) address: Address,
    /// `chatpush.prefix`.
    pub(crate) prefix: Prefix,
    /// `chatpush.secret`, if it is set. Most calls do not need it, so a weak one fails only those that do.
    pub(crate) secret: Result<Option<Secret>, InvalidDirective>,
    /// `chatpush.audience`: the audience that tokens name, if it is set.
    pub(crate) audience: Option<String>,
    /// `chatpush.connect_timeout_ms`.
    pub(crate) connect_timeout: Duration,
    /// `chatpush.timeout_ms`: the bound on one whole call.
    pub(crate) timeout: Duration,
    /// `chatpush.busy_poll_us`: how long to poll for an answer before the process sleeps.
    pub(crate) busy_poll: Duration,
    /// `chatpush.durability`: what a store waits for.
    pub(crate) durability: Durability,
}

/// The settings that were read last, and the number of changes before that.
type Read = (u64, Result<Rc<Settings>, InvalidDirectives>);

thread_local! {
    static CHANGES: Cell<u64> = const { Cell::new(0) };
    static READ: RefCell<Option<Read>> = const { RefCell::new(None) };
}

/// The current settings.
///
/// # Errors
///
/// [`InvalidDirectives`], which names every directive that has an invalid value.
pub(crate) fn current() -> Result<Rc<Settings>, InvalidDirectives> {
    let changes = CHANGES.get();
    let known = READ.with_borrow(|read| {
        read.as_ref().filter(|(at, _)| *at == changes).map(|(_, settings)| settings.clone())
    });
    known.unwrap_or_else(|| {
        let settings = Settings::read().map(Rc::new).map_err(InvalidDirectives::from);
        READ.set(Some((changes, settings.clone())));
        settings
    })
}

/// Whether errors are warnings. Any other value means exceptions, which cannot be overlooked.
pub(crate) fn errors_are_warnings() -> bool {
    zend::ini(ERRORS) == b"warning"
}

/// Whether the four functions are global too. Read before the directives are registered.
pub(crate) fn wants_global_functions() -> bool {
    zend::configured_switch(GLOBAL_FUNCTIONS) != Some(false)
}

/// Registers the directives.
pub(crate) fn register(module: i32) {
    IniEntryDef::register(DIRECTIVES.as_slice(), module);
}

/// Raises a warning for each directive that has an invalid value, while PHP starts.
pub(crate) fn warn_at_start() {
    let mut invalid = Settings::read().err().unwrap_or_default();
    invalid.extend(read_secret().err());
    for directive in invalid {
        zend::raise(ErrorType::CoreWarning, format!("chatpush: {directive}"));
    }
}

/// Name and value of each directive for `phpinfo()`, with secrets masked.
pub(crate) fn phpinfo_rows() -> Vec<(String, String)> {
    let plain = |name: &CStr| (text(name.to_bytes()), text(&zend::ini(name)));
    let secret = match zend::ini(SECRET).len() {
        0 => "not set".to_owned(),
        bytes => format!("set ({bytes} bytes)"),
    };
    let url = text(&zend::ini(REDIS_URL));
    let url = Address::parse(&url).map_or_else(|_| "invalid".to_owned(), |address| address.to_string());
    vec![
        (text(REDIS_URL.to_bytes()), url),
        plain(PREFIX),
        (text(SECRET.to_bytes()), secret),
        plain(AUDIENCE),
        plain(CONNECT_TIMEOUT),
        plain(TIMEOUT),
        plain(BUSY_POLL),
        plain(DURABILITY),
        plain(ERRORS),
        plain(GLOBAL_FUNCTIONS),
    ]
}

impl Settings {
    fn read() -> Result<Self, Vec<InvalidDirective>> {
        let mut invalid = Vec::new();
        let address = read(&mut invalid, REDIS_URL, value::address);
        let prefix = read(&mut invalid, PREFIX, value::prefix);
        let connect_timeout = read(&mut invalid, CONNECT_TIMEOUT, value::milliseconds);
        let timeout = read(&mut invalid, TIMEOUT, value::milliseconds);
        let busy_poll = read(&mut invalid, BUSY_POLL, value::microseconds);
        let durability = read(&mut invalid, DURABILITY, value::durability);
        read(&mut invalid, ERRORS, value::errors);
        match (address, prefix, connect_timeout, timeout, busy_poll, durability) {
            (
                Some(address),
                Some(prefix),
                Some(connect_timeout),
                Some(timeout),
                Some(busy_poll),
                Some(durability),
            ) if invalid.is_empty() => {
                let audience = Some(text(&zend::ini(AUDIENCE))).filter(|audience| !audience.is_empty());
                let secret = read_secret();
                let is_cluster = matches!(address.location, Location::Cluster(_));
                let prefix = if is_cluster { prefix.in_cluster() } else { prefix };
                Ok(Self {
                    address,
                    prefix,
                    secret,
                    audience,
                    connect_timeout,
                    timeout,
                    busy_poll,
                    durability,
                })
            }
            _ => Err(invalid),
        }
    }
}

/// Checks a new value of a directive that scripts may change.
fn check(name: &CStr, bytes: &[u8]) -> Result<(), InvalidDirective> {
    let checked = |directive, value: Result<(), InvalidValue>| {
        value.map_err(|problem| InvalidDirective::new(directive, problem))
    };
    match name {
        name if name == REDIS_URL => checked(REDIS_URL, value::address(bytes).map(drop)),
        name if name == PREFIX => checked(PREFIX, value::prefix(bytes).map(drop)),
        name if name == CONNECT_TIMEOUT => checked(CONNECT_TIMEOUT, value::milliseconds(bytes).map(drop)),
        name if name == TIMEOUT => checked(TIMEOUT, value::milliseconds(bytes).map(drop)),
        name if name == BUSY_POLL => checked(BUSY_POLL, value::microseconds(bytes).map(drop)),
        name if name == DURABILITY => checked(DURABILITY, value::durability(bytes).map(drop)),
        name if name == ERRORS => checked(ERRORS, value::errors(bytes)),
        _ => Ok(()),
    }
}

/// The secret. Its value is never printed.
fn read_secret() -> Result<Option<Secret>, InvalidDirective> {
    let secret = zend::ini(SECRET);
    if secret.is_empty() {
        return Ok(None);
    }
    Secret::new(secret).map(Some).map_err(|error| InvalidDirective::new(SECRET, error.into()))
}

/// The checked value of a directive. An invalid one is added to the list.
fn read<T>(
    invalid: &mut Vec<InvalidDirective>,
    name: &'static CStr,
    parse: impl Fn(&[u8]) -> Result<T, InvalidValue>,
) -> Option<T> {
    parse(&zend::ini(name)).map_err(|problem| invalid.push(InvalidDirective::new(name, problem))).ok()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const fn directive(name: &'static CStr, default: &'static CStr, who: IniEntryPermission) -> IniEntryDef {
    let mut directive = IniEntryDef::new(name, default, who);
    let handler: zend::IniHandler = changed;
    directive.on_modify = Some(handler);
    directive
}

/// The change handler of every directive: called at start, by `ini_set()` and at the end of a request. An
/// invalid value is refused with a warning, and `ini_set()` returns false.
extern "C" fn changed(
    entry: *mut ext_php_rs::ffi::zend_ini_entry,
    value: *mut ext_php_rs::types::ZendStr,
    _first: *mut std::ffi::c_void,
    _second: *mut std::ffi::c_void,
    _third: *mut std::ffi::c_void,
    stage: i32,
) -> i32 {
    // SAFETY: these are the arguments that the engine has called this handler with.
    let change = unsafe { zend::IniChange::of_script(entry, value, stage) };
    let refusal = change.and_then(|change| {
        let name = CString::new(change.name).ok()?;
        check(&name, &change.value).err()
    });
    if let Some(directive) = refusal {
        let text = format!("chatpush: {directive}; the setting stays as it was");
        // The application's error handler may leave by longjmp, so nothing is held across the call.
        drop(directive);
        zend::raise(ErrorType::Warning, text);
        return zend::FAILURE;
    }
    CHANGES.set(CHANGES.get().wrapping_add(1));
    zend::SUCCESS
}
