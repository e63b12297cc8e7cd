//! Where Redis is: the one grammar of `chatpush.redis_url` and `redis.url`.
//!
//! `redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS,
//! `unix:///path[?db=…&user=…&pass=…]`, or `redis+sentinel://[user:password@]host[:port][,…]/master[/db]` and
//! `rediss+sentinel://…`. The forms are those of the IANA registration of `redis:` and of the
//! common clients. What those clients ignore is refused here: an ignored part means another database or
//! another account than the one that was written down.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::Url;

/// A parsed address.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Where the server is.
    pub location: Location,
    /// The ACL user, if one is named. There is a password then.
    pub user: Option<String>,
    /// The password, if there is one. Never printed.
    pub password: Option<String>,
    /// The database number.
    pub database: u32,
}

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// It has one address.
    Server(Endpoint),
    /// It is whatever server Sentinels name as the master.
    Sentinel(Box<Sentinels>),
}

/// The socket that a server listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// TCP, with or without TLS.
    Tcp {
        /// A name or an address; an IPv6 address without brackets.
        host: String,
        /// The port.
        port: u16,
        /// Whether to use TLS.
        tls: bool,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

/// The Sentinels that are asked for a master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentinels {
    /// Host and port of each; at least one.
    pub hosts: Vec<(String, u16)>,
    /// The name of the master, as in `sentinel monitor`.
    pub master: String,
    /// Whether to use TLS, to Sentinels and to the master.
    pub tls: bool,
}

/// As it stands in an address.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, .. } => f.write_str(&authority(host, *port)),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

impl Sentinels {
    /// The socket of each.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint> {
        self.hosts.iter().map(|(host, port)| self.endpoint(host.clone(), *port))
    }

    /// The socket of a master that they have named.
    pub fn endpoint(&self, host: String, port: u16) -> Endpoint {
        Endpoint::Tcp { host, port, tls: self.tls }
    }
}

/// Why a text is not an address. The text itself is not repeated, since it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be redis://[user:password@]host[:port][/db], rediss://…, unix:///path[?db=N&user=…&pass=…] or \
     redis+sentinel://[user:password@]host[:port],host[:port]/NAME[/db]{0}"
)]
pub struct InvalidAddress(Problem);

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    /// It is not a URL of one of the forms.
    Form,
    /// Sentinels need the name of a master.
    Master,
    /// There is an `@` behind the host: a character of the password ended the host too early.
    Unencoded,
    /// The database is not a number.
    Database,
    /// A query parameter that does not exist.
    Parameter(String),
    /// A query parameter that is there twice.
    Repeated(String),
    /// A parameter on `redis://`.
    QueryOfTcp,
    /// There is a `#`.
    Fragment,
    /// A user without a password. Redis would be used as the user `default`.
    NoPassword,
    /// No socket can have this path: `sockaddr_un` holds 107 bytes and the terminating zero (`unix(7)`).
    Path,
    /// A `%` without two hexadecimal digits behind it (RFC 3986 section 2.1).
    Percent,
    /// Decoded, it is not UTF-8.
    Utf8,
}

/// Where Sentinels listen.
const SENTINEL_PORT: u16 = 26379;

/// Most bytes in the path of a Unix socket.
const LONGEST_PATH: usize = 107;

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => Ok(()),
            Self::Master => {
                f.write_str(" (the name of the master, as in \"sentinel monitor\", follows the hosts)")
            }
            Self::Unencoded => f.write_str(
                " (special characters in user and password must be percent-encoded: @ is %40, / is %2F, \
                 # is %23, ? is %3F, % is %25)",
            ),
            Self::Database => f.write_str(" (the database must be a number)"),
            Self::Parameter(name) => write!(f, " ({name:?} is not known)"),
            Self::Repeated(name) => write!(f, " ({name:?} is there twice)"),
            Self::QueryOfTcp => f.write_str(
                " (redis:// has no parameters: write the database as /N, user and password before the host; \
                 a ? in a password is %3F)",
            ),
            Self::Fragment => f.write_str(" (it has no part behind a #; a # in a password is %23)"),
            Self::NoPassword => f.write_str(
                " (a user needs a password, or Redis would take the account \"default\"; for a user with \
                 nopass any password will do; a password alone is :password@)",
            ),
            Self::Path => f.write_str(" (the path of a socket has at most 107 bytes, none of them 0)"),
            Self::Percent => {
                f.write_str(" (a % must be followed by two hexadecimal digits; % itself is %25)")
            }
            Self::Utf8 => f.write_str(" (it must be UTF-8)"),
        }
    }
}

impl Address {
    /// Parses an address.
    ///
    /// # Errors
    ///
    /// [`InvalidAddress`], which says what is wrong and never repeats a password.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        Self::from_url(text).map_err(InvalidAddress)
    }

    fn from_url(text: &str) -> Result<Self, Problem> {
        if has_unencoded_login(text) {
            return Err(Problem::Unencoded);
        }
        if let Some((scheme @ ("redis+sentinel" | "rediss+sentinel"), rest)) = text.trim().split_once("://") {
            return Self::sentinel(rest, scheme.starts_with("rediss"));
        }
        let url = Url::parse(text).map_err(|_| Problem::Form)?;
        if url.fragment().is_some() {
            return Err(Problem::Fragment);
        }
        let address = match url.scheme() {
            "redis" => Self::tcp(&url, false)?,
            "rediss" => Self::tcp(&url, true)?,
            "unix" => Self::unix(&url)?,
            _ => return Err(Problem::Form),
        };
        address.with_whole_login()
    }

    /// A user needs a password.
    fn with_whole_login(self) -> Result<Self, Problem> {
        if self.user.is_some() && self.password.is_none() { Err(Problem::NoPassword) } else { Ok(self) }
    }

    fn tcp(url: &Url, tls: bool) -> Result<Self, Problem> {
        let (host, port) = host_and_port(url, 6379)?;
        if url.query().is_some() {
            return Err(Problem::QueryOfTcp);
        }
        Ok(Self {
            location: Location::Server(Endpoint::Tcp { host, port, tls }),
            user: non_empty(decoded(url.username())?),
            password: url.password().map(decoded).transpose()?.and_then(non_empty),
            database: database(url.path())?,
        })
    }

    /// `rest`: what follows the scheme. A URL has one host; so each is read as the host of one.
    fn sentinel(rest: &str, tls: bool) -> Result<Self, Problem> {
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let url = |text: String| Url::parse(&text).map_err(|_| Problem::Form);
        let hosts =
            hosts.split(',').map(|host| host_and_port(&url(format!("redis://{host}"))?, SENTINEL_PORT));
        let hosts = hosts.collect::<Result<_, _>>()?;
        let url = url(format!("redis://{login}@host{path}"))?;
        if url.fragment().is_some() {
            return Err(Problem::Fragment);
        }
        if url.query().is_some() {
            return Err(Problem::QueryOfTcp);
        }
        let path = url.path().strip_prefix('/').unwrap_or_default();
        let (master, path) = path.split_once('/').unwrap_or((path, ""));
        let master = non_empty(decoded(master)?).ok_or(Problem::Master)?;
        let address = Self {
            location: Location::Sentinel(Box::new(Sentinels { hosts, master, tls })),
            user: non_empty(decoded(url.username())?),
            password: url.password().map(decoded).transpose()?.and_then(non_empty),
            database: database(path)?,
        };
        address.with_whole_login()
    }

    fn unix(url: &Url) -> Result<Self, Problem> {
        let path = decoded(url.path())?;
        if url.has_host() && url.host_str().is_some_and(|host| !host.is_empty())
            || path.trim_matches('/').is_empty()
        {
            return Err(Problem::Form);
        }
        if path.len() > LONGEST_PATH || path.contains('\0') {
            return Err(Problem::Path);
        }
        let (mut database, mut user, mut password) = (None, None, None);
        for parameter in url.query().unwrap_or_default().split('&').filter(|text| !text.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            let place = match name.as_str() {
                "db" => &mut database,
                "user" => &mut user,
                "pass" => &mut password,
                _ => return Err(Problem::Parameter(name)),
            };
            if place.replace(value).is_some() {
                return Err(Problem::Repeated(name));
            }
        }
        Ok(Self {
            location: Location::Server(Endpoint::Unix(path.into())),
            user: user.and_then(non_empty),
            password: password.and_then(non_empty),
            database: database.as_deref().map(number).transpose()?.unwrap_or_default(),
        })
    }
}

/// The address as it may be shown: without the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let login = match (&self.user, &self.password) {
            (Some(user), Some(_)) => format!("{user}:***@"),
            (None, Some(_)) => ":***@".to_owned(),
            (Some(user), None) => format!("{user}@"),
            (None, None) => String::new(),
        };
        match &self.location {
            Location::Server(endpoint @ Endpoint::Tcp { tls, .. }) => {
                let scheme = if *tls { "rediss" } else { "redis" };
                write!(f, "{scheme}://{login}{endpoint}/{}", self.database)
            }
            Location::Sentinel(sentinels) => {
                let Sentinels { hosts, master, tls } = &**sentinels;
                let scheme = if *tls { "rediss+sentinel" } else { "redis+sentinel" };
                let hosts: Vec<_> = hosts.iter().map(|(host, port)| authority(host, *port)).collect();
                write!(f, "{scheme}://{login}{}/{master}/{}", hosts.join(","), self.database)
            }
            Location::Server(Endpoint::Unix(path)) => {
                write!(f, "unix://{login}{}?db={}", path.display(), self.database)
            }
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Whether there is an `@` behind the authority, which ends at the first `/`, `?` or `#` (RFC 3986 section
/// 3.2). The path of a Unix socket may have one.
fn has_unencoded_login(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let behind = rest.find(['/', '?', '#']).and_then(|end| rest.get(end..)).unwrap_or_default();
    scheme.trim() != "unix" && behind.contains('@')
}

/// A host and port as in a URL.
fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn host_and_port(url: &Url, default: u16) -> Result<(String, u16), Problem> {
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(Problem::Form)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok((decoded(host)?, url.port().unwrap_or(default)))
}

fn database(path: &str) -> Result<u32, Problem> {
    match path.trim_matches('/') {
        "" => Ok(0),
        digits => number(digits),
    }
}

fn number(text: &str) -> Result<u32, Problem> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or(Problem::Database)
}

fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Decodes percent-encoding. The decoder leaves a malformed sequence as it is, so those are found first. A
/// `+` stays one, also in a parameter: it is common in passwords.
fn decoded(text: &str) -> Result<String, Problem> {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let is_malformed = |rest: &str| !(is_hex(rest.as_bytes().first()) && is_hex(rest.as_bytes().get(1)));
    if text.split('%').skip(1).any(is_malformed) {
        return Err(Problem::Percent);
    }
    Ok(percent_decode_str(text).decode_utf8().map_err(|_| Problem::Utf8)?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn problem(text: &str) -> Problem {
        Address::parse(text).unwrap_err().0
    }

    fn tcp(host: &str, port: u16, tls: bool) -> Location {
        Location::Server(Endpoint::Tcp { host: host.to_owned(), port, tls })
    }

    #[test]
    fn forms_are_parsed() {
        for (text, location, user, password, database) in [
            ("redis://localhost", tcp("localhost", 6379, false), None, None, 0),
            ("rediss://10.0.0.5:7/", tcp("10.0.0.5", 7, true), None, None, 0),
            ("redis://[::1]:6380/12", tcp("::1", 6380, false), None, None, 12),
            ("redis://:p%40ss%2Fw%23rd@h/3", tcp("h", 6379, false), None, Some("p@ss/w#rd"), 3),
            ("redis://me:p@ss@h", tcp("h", 6379, false), Some("me"), Some("p@ss"), 0),
            ("unix:///run/r.sock", unix("/run/r.sock"), None, None, 0),
            (
                "unix:///run/r@1.sock?db=5&user=me&pass=a+b%26",
                unix("/run/r@1.sock"),
                Some("me"),
                Some("a+b&"),
                5,
            ),
        ] {
            let expected = Address {
                location,
                user: user.map(str::to_owned),
                password: password.map(str::to_owned),
                database,
            };
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    fn unix(path: &str) -> Location {
        Location::Server(Endpoint::Unix(path.into()))
    }

    fn sentinels(hosts: &[(&str, u16)], master: &str, tls: bool) -> Location {
        let hosts = hosts.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect();
        Location::Sentinel(Box::new(Sentinels { hosts, master: master.to_owned(), tls }))
    }

    #[test]
    fn sentinels_are_parsed() {
        let one = parse("redis+sentinel://s1/mymaster");
        assert_eq!(one.location, sentinels(&[("s1", 26379)], "mymaster", false));
        assert_eq!((one.user, one.password, one.database), (None, None, 0));
        let several = parse("rediss+sentinel://me:p%40ss@s1:1,[::1],10.0.0.3:26380/my%20master/3");
        let hosts = [("s1", 1), ("::1", 26379), ("10.0.0.3", 26380)];
        assert_eq!(several.location, sentinels(&hosts, "my master", true));
        assert_eq!(
            (several.user.as_deref(), several.password.as_deref(), several.database),
            (Some("me"), Some("p@ss"), 3)
        );
        assert_eq!(
            several.to_string(),
            "rediss+sentinel://me:***@s1:1,[::1]:26379,10.0.0.3:26380/my master/3"
        );
    }

    #[test]
    fn sentinels_need_a_master_and_nothing_is_ignored() {
        for text in ["redis+sentinel://s1", "redis+sentinel://s1,s2/", "redis+sentinel://s1//3"] {
            assert_eq!(problem(text), Problem::Master, "{text}");
        }
        for text in
            ["redis+sentinel:///m", "redis+sentinel://s1,/m", "redis+sentinel://s1:x/m", "sentinel://s1/m"]
        {
            assert_eq!(problem(text), Problem::Form, "{text}");
        }
        assert_eq!(problem("redis+sentinel://s1/m/x"), Problem::Database);
        assert_eq!(problem("redis+sentinel://s1/m/3/4"), Problem::Database);
        assert_eq!(problem("redis+sentinel://s1/m?db=3"), Problem::QueryOfTcp);
        assert_eq!(problem("redis+sentinel://s1/m#3"), Problem::Fragment);
        assert_eq!(problem("redis+sentinel://me@s1/m"), Problem::NoPassword);
        assert_eq!(problem("redis+sentinel://me:a/b@s1/m"), Problem::Unencoded);
        assert_eq!(problem("redis+sentinel://me:100%@s1/m"), Problem::Percent);
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        assert_eq!(problem("redis://me@h"), Problem::NoPassword);
        assert_eq!(problem("redis://me:@h"), Problem::NoPassword);
        assert_eq!(problem("unix:///r.sock?user=me"), Problem::NoPassword);
        assert_eq!(problem("redis://h?db=3"), Problem::QueryOfTcp);
        assert_eq!(problem("redis://h/3#x"), Problem::Fragment);
        assert_eq!(problem("redis://h/three"), Problem::Database);
        assert_eq!(problem("redis://h/+3"), Problem::Database);
        assert_eq!(problem("redis://h/99999999999"), Problem::Database);
        assert_eq!(problem("unix:///r.sock?db="), Problem::Database);
        assert_eq!(problem("unix:///r.sock?database=1"), Problem::Parameter("database".to_owned()));
        assert_eq!(problem("unix:///r.sock?db=1&db=2"), Problem::Repeated("db".to_owned()));
        for text in ["", "h:6379", "http://h", "redis://", "redis:///3", "unix://h/r.sock", "unix:///"] {
            assert_eq!(problem(text), Problem::Form, "{text}");
        }
        assert_eq!(problem(&format!("unix:///{}", "x".repeat(107))), Problem::Path);
        assert_eq!(problem("unix:///a%00b"), Problem::Path);
    }

    #[test]
    fn unencoded_password_is_named_as_the_cause() {
        for password in ["p@ss/w#rd", "a/b", "a?b", "a#b", "12/b"] {
            let text = format!("redis://me:{password}@h/3");
            assert_eq!(problem(&text), Problem::Unencoded, "{text}");
            let shown = Address::parse(&text).unwrap_err().to_string();
            assert!(shown.contains("percent-encoded") && !shown.contains(password), "{shown}");
        }
        assert_eq!(problem("redis://:100%@h"), Problem::Percent);
        assert_eq!(problem("redis://:%FF@h"), Problem::Utf8);
    }

    #[test]
    fn password_is_never_shown() {
        let address = parse("rediss://me:s3cret@[::1]/2");
        assert_eq!(address.to_string(), "rediss://me:***@[::1]:6379/2");
        assert_eq!(format!("{address:?}"), "Address(rediss://me:***@[::1]:6379/2)");
    }
}
