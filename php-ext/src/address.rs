//! Where Redis is: `redis://`, `rediss://` and `unix://` addresses.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::Url;

/// A parsed address.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The socket to connect to.
    pub(crate) endpoint: Endpoint,
    /// The ACL user, if one is named.
    pub(crate) user: Option<String>,
    /// The password, if there is one. Never printed.
    pub(crate) password: Option<String>,
    /// The database number.
    pub(crate) database: u32,
}

/// The socket that Redis listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
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

/// Why a text is not an address. The text itself is not repeated, since it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be redis://[user[:password]@]host[:port][/db], rediss://… or unix:///path[?db=N&user=…&pass=…]{0}"
)]
pub(crate) struct InvalidAddress(Problem);

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    /// It is not a URL of one of the three forms.
    Form,
    /// The database is not a number.
    Database,
    /// A query parameter that does not exist.
    Parameter(String),
    /// A `%` without two hexadecimal digits behind it (RFC 3986 section 2.1).
    Percent,
    /// Decoded, it is not UTF-8.
    Utf8,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => Ok(()),
            Self::Database => f.write_str(" (the database must be a number)"),
            Self::Parameter(name) => write!(f, " ({name:?} is not known)"),
            Self::Percent => f.write_str(" (a % must be followed by two hexadecimal digits)"),
            Self::Utf8 => f.write_str(" (it must be UTF-8)"),
        }
    }
}

impl Address {
    /// Parses an address.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidAddress> {
        Self::from_url(text).map_err(InvalidAddress)
    }

    fn from_url(text: &str) -> Result<Self, Problem> {
        let url = Url::parse(text).map_err(|_| Problem::Form)?;
        match url.scheme() {
            "redis" => Self::tcp(&url, false),
            "rediss" => Self::tcp(&url, true),
            "unix" => Self::unix(&url),
            _ => Err(Problem::Form),
        }
    }

    fn tcp(url: &Url, tls: bool) -> Result<Self, Problem> {
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(Problem::Form)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let database = match url.path().trim_matches('/') {
            "" => 0,
            number => number.parse().map_err(|_| Problem::Database)?,
        };
        Ok(Self {
            endpoint: Endpoint::Tcp { host: decoded(&host)?, port: url.port().unwrap_or(6379), tls },
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
        let mut address =
            Self { endpoint: Endpoint::Unix(path.into()), user: None, password: None, database: 0 };
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "db" => {
                    address.database = value.parse().map_err(|_| Problem::Database)?;
                }
                "user" => address.user = non_empty(value.into_owned()),
                "pass" => address.password = non_empty(value.into_owned()),
                other => return Err(Problem::Parameter(other.to_owned())),
            }
        }
        Ok(address)
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
        match &self.endpoint {
            Endpoint::Tcp { host, port, tls } => {
                let scheme = if *tls { "rediss" } else { "redis" };
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                write!(f, "{scheme}://{login}{host}:{port}/{}", self.database)
            }
            Endpoint::Unix(path) => write!(f, "unix://{login}{}?db={}", path.display(), self.database),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Decodes percent-encoding. The decoder leaves a malformed sequence as it is, so those are found first.
fn decoded(text: &str) -> Result<String, Problem> {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let is_malformed = |rest: &str| !(is_hex(rest.as_bytes().first()) && is_hex(rest.as_bytes().get(1)));
    if text.split('%').skip(1).any(is_malformed) {
        return Err(Problem::Percent);
    }
    Ok(percent_decode_str(text).decode_utf8().map_err(|_| Problem::Utf8)?.into_owned())
}
