//! The INI directives: names, defaults, and their checked values.
//!
//! They are read when first needed and again only after one has changed; the engine tells by a handler that
//! each directive carries.

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use chatpush_wire::key::Prefix;
use chatpush_wire::token::Secret;
use ext_php_rs::flags::{ErrorType, IniEntryPermission};
use ext_php_rs::zend::{IniEntryDef, IniEntryDefs};

use crate::address::Address;
use crate::zend;

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

/// Longest time that can be set, in milliseconds: an hour.
const LONGEST: u64 = 3_600_000;

/// Longest time that an answer can be watched for, in microseconds.
const LONGEST_POLL: u64 = 10_000;

/// A script may not change the secret, the audience or who owns the global names: the first two would let it
/// sign for an installation it was not given, the last is decided when PHP starts.
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
    /// `chatpush.secret`: none if it is not set, or what is wrong with it.
    pub(crate) secret: Result<Option<Secret>, String>,
    /// `chatpush.audience`: whom tokens are for, if it is set.
    pub(crate) audience: Option<String>,
    /// `chatpush.connect_timeout_ms`.
    pub(crate) connect_timeout: Duration,
    /// `chatpush.timeout_ms`: the bound on one whole call.
    pub(crate) timeout: Duration,
    /// `chatpush.busy_poll_us`: how long an answer is watched for before the process goes to sleep.
    pub(crate) busy_poll: Duration,
    /// `chatpush.durability`: whether a store waits for the commit.
    pub(crate) committed: bool,
}

/// What was read, and after how many changes.
type Read = (u64, Result<Rc<Settings>, String>);

thread_local! {
    static CHANGES: Cell<u64> = const { Cell::new(0) };
    static READ: RefCell<Option<Read>> = const { RefCell::new(None) };
}

impl Settings {
    /// When a call that begins now has to be over.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }
}

/// Directives that cannot be used, each by its name, with what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unusable(pub(crate) String);

/// The settings as they are now.
///
/// # Errors
///
/// [`Unusable`], which names every directive that cannot be used.
pub(crate) fn current() -> Result<Rc<Settings>, Unusable> {
    let changes = CHANGES.get();
    let known = READ.with_borrow(|read| {
        read.as_ref().filter(|(at, _)| *at == changes).map(|(_, settings)| settings.clone())
    });
    let settings = known.unwrap_or_else(|| {
        let settings = Settings::read().map(Rc::new).map_err(|wrong| wrong.join("; "));
        READ.set(Some((changes, settings.clone())));
        settings
    });
    settings.map_err(Unusable)
}

/// Whether errors are to be warnings. A value that is neither is an exception, which cannot be overlooked.
pub(crate) fn errors_are_warnings() -> bool {
    zend::ini(ERRORS) == b"warning"
}

/// Whether the four global functions are wanted. Read before the directives exist.
pub(crate) fn wants_global_functions() -> bool {
    zend::configured_number(GLOBAL_FUNCTIONS) != Some(0)
}

/// Makes the directives known to PHP.
pub(crate) fn register(module: i32) {
    IniEntryDef::register(DIRECTIVES.as_slice(), module);
}

/// Warns of every directive that cannot be used, while PHP starts.
pub(crate) fn warn_at_start() {
    let mut wrong = Settings::read().err().unwrap_or_default();
    if let Err(secret) = read_secret() {
        wrong.push(secret);
    }
    for text in wrong {
        zend::raise(ErrorType::CoreWarning, &format!("chatpush: {text}"));
    }
}

/// Name and value of each directive for `phpinfo()`, secrets masked.
pub(crate) fn phpinfo_rows() -> Vec<(String, String)> {
    let plain = |name: &CStr| (text(name.to_bytes()), text(&zend::ini(name)));
    let secret = match zend::ini(SECRET).len() {
        0 => "not set".to_owned(),
        bytes => format!("set ({bytes} bytes)"),
    };
    let url = text(&zend::ini(REDIS_URL));
    let url = Address::parse(&url).map_or_else(|_| "not usable".to_owned(), |address| address.to_string());
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
    fn read() -> Result<Self, Vec<String>> {
        let mut wrong = Vec::new();
        let address = parse_directive(&mut wrong, REDIS_URL, Address::parse);
        let prefix = parse_directive(&mut wrong, PREFIX, |text| {
            Prefix::try_from(text.to_owned()).map_err(|error| format!("{text:?} {error}"))
        });
        let connect_timeout = parse_directive(&mut wrong, CONNECT_TIMEOUT, milliseconds);
        let timeout = parse_directive(&mut wrong, TIMEOUT, milliseconds);
        let busy_poll = parse_directive(&mut wrong, BUSY_POLL, |text| match text.trim().parse::<u64>() {
            Ok(number) if number <= LONGEST_POLL => Ok(Duration::from_micros(number)),
            _ => Err(format!("{text:?} must be a number of microseconds between 0 and {LONGEST_POLL}")),
        });
        let committed = parse_directive(&mut wrong, DURABILITY, |text| match text {
            "committed" => Ok(true),
            "queued" => Ok(false),
            _ => Err(format!("{text:?} must be committed or queued")),
        });
        parse_directive(&mut wrong, ERRORS, |text| match text {
            "exception" | "warning" => Ok(()),
            _ => Err(format!("{text:?} must be exception or warning")),
        });
        match (address, prefix, connect_timeout, timeout, busy_poll, committed) {
            (
                Some(address),
                Some(prefix),
                Some(connect_timeout),
                Some(timeout),
                Some(busy_poll),
                Some(committed),
            ) if wrong.is_empty() => {
                let audience = Some(text(&zend::ini(AUDIENCE))).filter(|audience| !audience.is_empty());
                let secret = read_secret();
                Ok(Self { address, prefix, secret, audience, connect_timeout, timeout, busy_poll, committed })
            }
            _ => Err(wrong),
        }
    }
}

/// The secret, which only some calls need and whose value is never printed.
fn read_secret() -> Result<Option<Secret>, String> {
    let secret = zend::ini(SECRET);
    if secret.is_empty() {
        return Ok(None);
    }
    Secret::new(secret).map(Some).map_err(|error| format!("{} {error}", text(SECRET.to_bytes())))
}

fn parse_directive<T>(
    wrong: &mut Vec<String>,
    name: &CStr,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    let value = text(&zend::ini(name));
    parse(&value).map_err(|what| wrong.push(format!("{} {what}", text(name.to_bytes())))).ok()
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.trim().parse::<u64>() {
        Ok(number) if (1..=LONGEST).contains(&number) => Ok(Duration::from_millis(number)),
        _ => Err(format!("{text:?} must be a number of milliseconds between 1 and {LONGEST}")),
    }
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

/// A directive has changed, at start, by `ini_set()` or as a request ends: what was read is out of date.
extern "C" fn changed(
    _entry: *mut ext_php_rs::ffi::zend_ini_entry,
    _value: *mut ext_php_rs::types::ZendStr,
    _first: *mut std::ffi::c_void,
    _second: *mut std::ffi::c_void,
    _third: *mut std::ffi::c_void,
    _stage: i32,
) -> i32 {
    CHANGES.set(CHANGES.get().wrapping_add(1));
    zend::SUCCESS
}
