//! Where Redis is: the one grammar of `chatpush.redis_url` and `redis.url`.
//!
//! `redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS,
//! `unix:///path[?db=…&user=…&pass=…]`, `redis+sentinel://[user:password@]host[:port][,…]/master[/db]`,
//! `redis+cluster://[user:password@]host[:port][,…]`, and the last two with `rediss+` for TLS. The forms are those of
//! the IANA registration of `redis:` and of the common clients. What those clients ignore is refused here: an ignored
//! part means another database or another account than the one that was written down.

mod several_hosts;

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
    /// It is the master of a part of the slots: a Redis Cluster.
    Cluster(Box<Nodes>),
}

/// The socket that a server listens on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// Nodes of a Redis Cluster, any of which knows the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nodes {
    /// Host and port of each; at least one.
    pub hosts: Vec<(String, u16)>,
    /// Whether to use TLS, to all nodes.
    pub tls: bool,
}

impl Nodes {
    /// The socket of each.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint> {
        self.hosts.iter().map(|(host, port)| Endpoint::Tcp { host: host.clone(), port: *port, tls: self.tls })
    }
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
    "must be redis://[user:password@]host[:port][/db], rediss://…, unix:///path[?db=N&user=…&pass=…], \
     redis+sentinel://[user:password@]host[:port],host[:port]/NAME[/db] or \
     redis+cluster://[user:password@]host[:port],host[:port]{0}"
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
    /// A cluster has one database.
    ClusterDatabase,
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

/// Where servers listen.
const PORT: u16 = 6379;

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
            Self::ClusterDatabase => f.write_str(" (a Redis Cluster has no databases)"),
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
        match text.trim().split_once("://") {
            Some((scheme @ ("redis+sentinel" | "rediss+sentinel"), rest)) => {
                return Self::sentinel(rest, scheme.starts_with("rediss"));
            }
            Some((scheme @ ("redis+cluster" | "rediss+cluster"), rest)) => {
                return Self::cluster(rest, scheme.starts_with("rediss"));
            }
            _ => {}
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
        let (host, port) = host_and_port(url, PORT)?;
        if url.query().is_some() {
            return Err(Problem::QueryOfTcp);
        }
        Self::with_login(Location::Server(Endpoint::Tcp { host, port, tls }), url, database(url.path())?)
    }

    /// With the user and the password of a URL.
    fn with_login(location: Location, url: &Url, database: u32) -> Result<Self, Problem> {
        Ok(Self {
            location,
            user: non_empty(decoded(url.username())?),
            password: url.password().map(decoded).transpose()?.and_then(non_empty),
            database,
        })
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
                write!(f, "{scheme}://{login}{}/{master}/{}", several_hosts::text(hosts), self.database)
            }
            Location::Cluster(nodes) => {
                let scheme = if nodes.tls { "rediss+cluster" } else { "redis+cluster" };
                write!(f, "{scheme}://{login}{}", several_hosts::text(&nodes.hosts))
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

    pub(super) fn parse(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    pub(super) fn problem(text: &str) -> Problem {
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
