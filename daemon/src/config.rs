//! What can be configured: one struct, each field with its variable, its place in the file and its default.

mod limits;
mod names;
mod source;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chatpush_wire::frame::{DEFAULT_TYPE, MessageType};
use chatpush_wire::key::Prefix;
use chatpush_wire::limit::TYPE_BYTES;
use chatpush_wire::token::{Secret, Verifier};
use mysql_async::Opts;

use crate::net::client_ip::TrustedProxies;
use crate::net::origin::Origins;

pub use self::limits::Limits;
pub use self::names::{Column, Identifier, Names};
use self::source::Source;

/// Everything the daemon is told from outside.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where browsers connect. `CHATPUSH_LISTEN`, `listen`, default `127.0.0.1:8089`.
    pub listen: SocketAddr,
    /// Where health and metrics are served. `CHATPUSH_ADMIN_LISTEN`, `admin_listen`, default
    /// `127.0.0.1:8090`.
    pub admin_listen: SocketAddr,
    /// Key of the connect tokens. `CHATPUSH_SECRET`, `secret`, required, at least 32 bytes.
    pub secret: Secret,
    /// Keys of tokens that are still about from before the key was changed. `CHATPUSH_PREVIOUS_SECRETS`,
    /// `previous_secrets`, separated by spaces, none by default.
    pub previous_secrets: Vec<Secret>,
    /// Which pages may connect. `CHATPUSH_ALLOWED_ORIGINS`, `allowed_origins`, separated by spaces; by default
    /// those of the host they connect to.
    pub allowed_origins: Origins,
    /// What tokens must say beside that. `CHATPUSH_TOKEN_AUDIENCE`, `token.audience`: whom they are for, nobody
    /// in particular by default.
    pub audience: Option<Arc<str>>,
    /// `CHATPUSH_TOKEN_CLOCK_SKEW`, `token.clock_skew`: how many seconds the clock of whoever signs them may be
    /// ahead, default 60.
    pub clock_skew: u32,
    /// Proxies whose word for the client's address is taken. `CHATPUSH_TRUSTED_PROXIES`, `trusted_proxies`,
    /// addresses and networks separated by spaces, default `127.0.0.0/8 ::1`.
    pub trusted_proxies: TrustedProxies,
    /// Whether they give it by the PROXY protocol instead of `X-Forwarded-For`. `CHATPUSH_PROXY_PROTOCOL`,
    /// `proxy_protocol`, default false; if true, nobody else may connect.
    pub proxy_protocol: bool,
    /// Certificate and key, if the daemon speaks TLS itself. `CHATPUSH_TLS_CERT` and `CHATPUSH_TLS_KEY`,
    /// `tls.cert` and `tls.key`, both or none.
    pub tls: Option<Certificate>,
    /// How many threads serve clients, Redis and MySQL. `CHATPUSH_THREADS`, `threads`, 0 to 1024; 0, which is the
    /// default, makes it half as many as there are processors, and at least one. Redis, MySQL and PHP need the others
    /// where they are on the same machine, and one thread hands work on without waking another.
    pub threads: usize,
    /// How much clients may use.
    pub limits: Limits,
    /// Longest time over which clients are told to connect elsewhere when the daemon stops.
    /// `CHATPUSH_DRAIN_SECONDS`, `drain_seconds`, default 10.
    pub drain: Duration,
    /// Start of every Redis name. `CHATPUSH_PREFIX`, `prefix`, default `chatpush`.
    pub prefix: Prefix,
    /// Whether a store counts the message as unread. `CHATPUSH_COUNT_UNREAD`, `count_unread`, default true;
    /// false for an application that keeps its own `UPDATE … + 1`.
    pub count_unread: bool,
    /// Whether stored messages are delivered on connect. `CHATPUSH_FLUSH_ON_CONNECT`, `flush_on_connect`,
    /// default true; false leaves it to the application's own loop.
    pub flush_on_connect: bool,
    /// Type of messages that were stored without one. `CHATPUSH_DEFAULT_TYPE`, `default_type`, default
    /// `text`.
    pub default_type: MessageType,
    /// The Redis that the extension uses too. `CHATPUSH_REDIS_URL`, `redis.url`, default
    /// `redis://127.0.0.1:6379`.
    pub redis: redis::ConnectionInfo,
    /// The application's database.
    pub mysql: Mysql,
    /// What is logged and how.
    pub log: Log,
}

/// Two files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate, and those between it and its root behind it.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The application's database and what it calls things.
#[derive(Clone, Debug)]
pub struct Mysql {
    /// Where it is. `CHATPUSH_MYSQL_URL`, `mysql.url`, required:
    /// `mysql://user:password@host:3306/database`, with `?socket=/path` for a Unix socket.
    pub opts: Opts,
    /// Names of its tables and columns: `[mysql.tables]` and `[mysql.columns]`.
    pub names: Names,
}

/// What is logged and how.
#[derive(Clone, Debug)]
pub struct Log {
    /// A level, or a filter as `tracing-subscriber` reads them. `CHATPUSH_LOG`, `log.filter`, default
    /// `info`.
    pub filter: String,
    /// One JSON object a line instead of text. `CHATPUSH_LOG_FORMAT` and `log.format`: `text` (default) or
    /// `json`.
    pub json: bool,
}

/// Everything that is wrong with a configuration, found in one go.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

/// One setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Its name, as whoever set it wrote it.
    pub name: String,
    /// What is wrong and what would be right. Never holds a secret.
    pub what: String,
}

impl Config {
    /// Reads the file, then the environment, which wins. Without a named file, `chatpush.toml` in the
    /// working directory is read if it is there.
    ///
    /// # Errors
    ///
    /// All [`Mistakes`], so that an operator mends them in one go.
    pub fn load(file: Option<&Path>, env: impl Fn(&str) -> Option<String>) -> Result<Self, Mistakes> {
        let mut source = Source::read(file, env);
        let listen = source.parsed("listen", "CHATPUSH_LISTEN", "127.0.0.1:8089", address);
        let admin_listen = source.parsed("admin_listen", "CHATPUSH_ADMIN_LISTEN", "127.0.0.1:8090", address);
        let secret = source.required("secret", "CHATPUSH_SECRET", |text| {
            Secret::new(text).map_err(|error| error.to_string())
        });
        let previous_secrets = source.parsed("previous_secrets", "CHATPUSH_PREVIOUS_SECRETS", "", |text| {
            let secrets =
                text.split_whitespace().map(|one| Secret::new(one).map_err(|error| error.to_string()));
            secrets.collect::<Result<Vec<_>, _>>()
        });
        let allowed_origins =
            source.parsed("allowed_origins", "CHATPUSH_ALLOWED_ORIGINS", "", Origins::parse);
        let audience = source.parsed("token.audience", "CHATPUSH_TOKEN_AUDIENCE", "", |text| {
            Ok(Some(text).filter(|text| !text.is_empty()).map(Arc::from))
        });
        let clock_skew =
            source.parsed("token.clock_skew", "CHATPUSH_TOKEN_CLOCK_SKEW", "60", |text| seconds(text, 3_600));
        let trusted_proxies = source.parsed(
            "trusted_proxies",
            "CHATPUSH_TRUSTED_PROXIES",
            "127.0.0.0/8 ::1",
            TrustedProxies::parse,
        );
        let proxy_protocol = source.parsed("proxy_protocol", "CHATPUSH_PROXY_PROTOCOL", "false", boolean);
        if proxy_protocol == Some(true) && trusted_proxies == Some(TrustedProxies::default()) {
            source.mistake(
                "trusted_proxies",
                "must name who speaks the PROXY protocol; nobody else can connect",
            );
        }
        let tls = Certificate::read(&mut source);
        let threads = source.parsed("threads", "CHATPUSH_THREADS", "0", threads);
        let limits = Limits::read(&mut source);
        let drain =
            source.parsed("drain_seconds", "CHATPUSH_DRAIN_SECONDS", "10", |text| seconds(text, 3_600));
        let prefix = source.parsed("prefix", "CHATPUSH_PREFIX", Prefix::DEFAULT, |text| {
            Prefix::try_from(text.to_owned()).map_err(|error| error.to_string())
        });
        let count_unread = source.parsed("count_unread", "CHATPUSH_COUNT_UNREAD", "true", boolean);
        let flush_on_connect =
            source.parsed("flush_on_connect", "CHATPUSH_FLUSH_ON_CONNECT", "true", boolean);
        let default_type = source.parsed("default_type", "CHATPUSH_DEFAULT_TYPE", DEFAULT_TYPE, message_type);
        let redis = source.parsed("redis.url", "CHATPUSH_REDIS_URL", "redis://127.0.0.1:6379", redis_url);
        let mysql = source.required("mysql.url", "CHATPUSH_MYSQL_URL", mysql_url);
        let names = Names::read(&mut source);
        let filter = source.parsed("log.filter", "CHATPUSH_LOG", "info", log_filter);
        let json = source.parsed("log.format", "CHATPUSH_LOG_FORMAT", "text", |text| match text {
            "text" => Ok(false),
            "json" => Ok(true),
            _ => Err("must be text or json".to_owned()),
        });
        source.finish(|| {
            Some(Self {
                listen: listen?,
                admin_listen: admin_listen?,
                secret: secret?,
                previous_secrets: previous_secrets?,
                allowed_origins: allowed_origins?,
                audience: audience?,
                clock_skew: clock_skew?,
                trusted_proxies: trusted_proxies?,
                proxy_protocol: proxy_protocol?,
                tls,
                threads: threads?,
                limits: limits?,
                drain: Duration::from_secs(drain?.into()),
                prefix: prefix?,
                count_unread: count_unread?,
                flush_on_connect: flush_on_connect?,
                default_type: default_type?,
                redis: redis?,
                mysql: Mysql { opts: mysql?, names: names? },
                log: Log { filter: filter?, json: json? },
            })
        })
    }

    /// What the tokens of browsers are held against.
    pub fn verifier(&self) -> Verifier {
        let secrets = std::iter::once(&self.secret).chain(&self.previous_secrets).cloned();
        Verifier { secrets: secrets.collect(), audience: self.audience.clone(), clock_skew: self.clock_skew }
    }
}

impl Certificate {
    /// Both files, or nothing if neither is set; one alone is a mistake.
    fn read<E: Fn(&str) -> Option<String>>(source: &mut Source<E>) -> Option<Self> {
        let path = |text: &str| Ok(Some(PathBuf::from(text)).filter(|path| !path.as_os_str().is_empty()));
        let cert = source.parsed("tls.cert", "CHATPUSH_TLS_CERT", "", path).flatten();
        let key = source.parsed("tls.key", "CHATPUSH_TLS_KEY", "", path).flatten();
        match (&cert, &key) {
            (Some(_), None) => source.mistake("tls.key", "must be set beside tls.cert"),
            (None, Some(_)) => source.mistake("tls.cert", "must be set beside tls.key"),
            _ => {}
        }
        Some(Self { cert: cert?, key: key? })
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chatpushd: the configuration cannot be used:")?;
        for Mistake { name, what } in &self.0 {
            write!(f, "\n  {name}: {what}")?;
        }
        Ok(())
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} must be an address and a port, such as 127.0.0.1:8089"))
}

fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" | "on" | "yes" => Ok(true),
        "false" | "0" | "off" | "no" => Ok(false),
        _ => Err(format!("{text:?} must be true or false")),
    }
}

fn seconds(text: &str, most: u32) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number <= most);
    number.ok_or_else(|| format!("{text:?} must be a number of seconds from 0 to {most}"))
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Ok((std::thread::available_parallelism().map_or(1, usize::from) / 2).max(1)),
        Ok(number) if number <= 1024 => Ok(number),
        _ => Err(format!("{text:?} must be a number from 0 to 1024")),
    }
}

fn message_type(text: &str) -> Result<MessageType, String> {
    if text.len() > TYPE_BYTES {
        return Err(format!("must have at most {TYPE_BYTES} bytes"));
    }
    Ok(MessageType::Name(text.to_owned()))
}

fn redis_url(text: &str) -> Result<redis::ConnectionInfo, String> {
    const FORMS: &str =
        "must be redis://[user[:password]@]host[:port][/db], rediss://… or unix:///path[?db=…]";
    let known = ["redis://", "rediss://", "unix://"].iter().any(|scheme| text.starts_with(scheme));
    if !known {
        return Err(FORMS.to_owned());
    }
    redis::IntoConnectionInfo::into_connection_info(text).map_err(|error| format!("{FORMS} ({error})"))
}

fn mysql_url(text: &str) -> Result<Opts, String> {
    const FORM: &str = "must be mysql://user:password@host:3306/database[?socket=/path]";
    let opts = Opts::from_url(text).map_err(|error| format!("{FORM} ({error})"))?;
    if opts.db_name().is_none_or(str::is_empty) {
        return Err(format!("{FORM} (the database is missing)"));
    }
    Ok(opts)
}

fn log_filter(text: &str) -> Result<String, String> {
    tracing_subscriber::EnvFilter::try_new(text).map_err(|error| format!("{text:?}: {error}"))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
