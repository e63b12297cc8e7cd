//! Where Redis is: `redis://`, `rediss://` and `unix://` addresses.

use std::fmt;
use std::path::PathBuf;

use url::Url;

/// A parsed address.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// How to get there.
    pub(crate) endpoint: Endpoint,
    /// The ACL user, if one is named.
    pub(crate) user: Option<String>,
    /// The password, if there is one. Never printed.
    pub(crate) password: Option<String>,
    /// The database number.
    pub(crate) database: u32,
}

/// How to get to Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// By TCP, encrypted or not.
    Tcp {
        /// A name or an address, an IPv6 one without brackets.
        host: String,
        /// The port.
        port: u16,
        /// Whether to speak TLS.
        tls: bool,
    },
    /// By a Unix socket.
    Unix(PathBuf),
}

const FORMS: &str =
    "must be redis://[user[:password]@]host[:port][/db], rediss://… or unix:///path[?db=N&user=…&pass=…]";

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// What would be right. The text itself is not repeated, since it may hold a password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| FORMS.to_owned())?;
        match url.scheme() {
            "redis" => Self::tcp(&url, false),
            "rediss" => Self::tcp(&url, true),
            "unix" => Self::unix(&url),
            _ => Err(FORMS.to_owned()),
        }
    }

    fn tcp(url: &Url, tls: bool) -> Result<Self, String> {
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(FORMS)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let database = match url.path().trim_matches('/') {
            "" => 0,
            number => number.parse().map_err(|_| format!("{FORMS} (the database must be a number)"))?,
        };
        Ok(Self {
            endpoint: Endpoint::Tcp { host: decoded(&host)?, port: url.port().unwrap_or(6379), tls },
            user: some(decoded(url.username())?),
            password: url.password().map(decoded).transpose()?.and_then(some),
            database,
        })
    }

    fn unix(url: &Url) -> Result<Self, String> {
        let path = decoded(url.path())?;
        if url.has_host() && url.host_str().is_some_and(|host| !host.is_empty())
            || path.trim_matches('/').is_empty()
        {
            return Err(FORMS.to_owned());
        }
        let mut address =
            Self { endpoint: Endpoint::Unix(path.into()), user: None, password: None, database: 0 };
        for (name, value) in url.query_pairs() {
            match name.as_ref() {
                "db" => {
                    address.database =
                        value.parse().map_err(|_| format!("{FORMS} (the database must be a number)"))?;
                }
                "user" => address.user = some(value.into_owned()),
                "pass" => address.password = some(value.into_owned()),
                other => return Err(format!("{FORMS} ({other:?} is not known)")),
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

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Undoes percent-encoding (RFC 3986 section 2.1).
fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(format!("{FORMS} (a % must be followed by two hexadecimal digits)"));
        };
        bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    String::from_utf8(bytes).map_err(|_| format!("{FORMS} (it must be UTF-8)"))
}
