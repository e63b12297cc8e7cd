//! The settings of the daemon.
//!
//! Each setting is a row of the table in `table.rs`. The rows stand beside the code that reads them:
//! `limits.rs` has those of `[limits]`, `tokens.rs` those of the keys and of `[token]`, and so on.

mod admin;
mod encoding;
mod environment;
mod error;
mod file;
mod general;
mod history;
mod limits;
mod live;
mod logging;
mod mailbox;
mod mysql;
mod names;
mod notify;
mod origins;
mod redis;
mod reload;
mod render;
mod setting;
mod source;
mod table;
mod tls;
mod tokens;
mod values;
mod web_push;
mod webhook;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chatpush_wire::address::{Address, Location};
use chatpush_wire::frame::MessageType;
use chatpush_wire::id::UserIdType;
use chatpush_wire::key::Prefix;

use crate::net::origin::Origins;

pub use self::admin::AdminToken;
pub use self::environment::UnknownVariable;
pub use self::error::{ConfigError, ConfigErrors, IdleSetting};
pub use self::history::History;
pub use self::limits::{Limits, OutboxLimits};
pub use self::live::{Live, LiveSettings, Reading};
pub use self::logging::Log;
pub use self::mailbox::Mailbox;
pub use self::mysql::Mysql;
use self::names::Told;
pub(crate) use self::names::UNREAD;
pub use self::names::{Column, Identifier, Names};
pub use self::notify::{Notify, When};
pub(crate) use self::reload::Changes;
use self::reload::Fingerprints;
pub use self::render::{environment_help, example};
use self::source::{Read, Source};
pub use self::tls::Certificate;
pub use self::tokens::Tokens;
pub(crate) use self::web_push::Values;
pub use self::web_push::{Hosts, Notification, RefusedHost, Template, VapidKeys, WebPush, vapid};
pub use self::webhook::{Event, Events, Key, Webhook};

/// The configuration of the daemon.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are switches of the operator, each on its own")]
pub struct Config {
    /// Where browsers connect.
    pub listen: SocketAddr,
    /// Where health and metrics are served.
    pub admin_listen: SocketAddr,
    /// What a reload applies.
    pub live: Live,
    /// Whether the trusted proxies name the address of a client by the PROXY protocol instead of
    /// `X-Forwarded-For`. Then only they can connect.
    pub proxy_protocol: bool,
    /// Threads that serve clients, Redis and MySQL. At least one.
    pub threads: usize,
    /// Prefix of every name in Redis.
    pub prefix: Prefix,
    /// The type of user ids.
    pub user_id_type: UserIdType,
    /// Whether storing a message increments the unread counter.
    pub count_unread: bool,
    /// Whether senders are told when a client has confirmed their message.
    pub receipts: bool,
    /// Whether senders get copies of their own messages.
    pub carbons: bool,
    /// Whether stored messages are sent on connect.
    pub flush_on_connect: bool,
    /// Type of messages that were stored without one.
    pub default_type: MessageType,
    /// The Redis server that the extension uses too.
    pub redis: Address,
    /// How long a confirmed message is remembered in the database. Zero: not at all.
    pub failover_memory: Duration,
    /// How many replicas of a master must have what is committed.
    pub replicas: u32,
    /// The application's database; none if this installation stores nothing (`storage = "none"`).
    pub mysql: Option<Mysql>,
    /// When somebody is told of messages that wait; none: never.
    pub notify: Option<Notify>,
    /// Where the application is told; none: nowhere.
    pub webhook: Option<Webhook>,
    /// How browsers are told; none: they are not.
    pub web_push: Option<WebPush>,
    /// How much waits for users who are away.
    pub mailbox: Mailbox,
    /// How much may wait for clients that do not read.
    pub outbox: OutboxLimits,
    /// How is logged: one JSON object per line instead of text.
    pub log_json: bool,
    /// The file that was read; none if there is none.
    pub file: Option<PathBuf>,
    /// What was read, to see later what has changed.
    fingerprints: Fingerprints,
    /// Environment variables that look like settings and are none.
    pub unknown_variables: Vec<UnknownVariable>,
    /// Settings of something that is switched off.
    pub idle_settings: Vec<IdleSetting>,
}

impl Config {
    /// Reads the file and the environment, which overrides the file. Without `file`, `chatpush.toml` in the
    /// working directory is read, else `/etc/chatpush/chatpush.toml`, if one exists.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, so that an operator can correct it in one go.
    pub fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigErrors> {
        let mut source = Source::open(table::all(), file, variables);
        let config = Self::read(&mut source);
        let (config, Read { file, unknown_variables, idle_settings, fingerprints }) =
            source.finish(config)?;
        Ok(Self { file, fingerprints, unknown_variables, idle_settings, ..config })
    }

    /// Whether anything is sent over https, as webhooks and Web Push are.
    pub(crate) fn uses_https(&self) -> bool {
        self.web_push.is_some()
            || self.webhook.as_ref().is_some_and(|webhook| webhook.url.scheme() == "https")
    }

    /// What was given and has no effect, for the operator.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = String> {
        let unknown = self.unknown_variables.iter().map(ToString::to_string);
        unknown.chain(self.idle_settings.iter().map(ToString::to_string))
    }

    /// Reads every setting before the first `?`, so that every error is found.
    fn read(source: &mut Source) -> Option<Self> {
        let tokens = Tokens::read(source);
        let listen = source.parse("listen", general::address);
        let admin = admin::read(source);
        let threads = source.size("threads");
        let drain = source.seconds("drain_seconds");
        let prefix = source.parse("prefix", general::prefix);
        let count_unread = source.boolean("count_unread");
        let receipts = source.boolean("receipts");
        let carbons = source.boolean("carbons");
        let flush_on_connect = source.boolean("flush_on_connect");
        let default_type = source.parse("default_type", general::message_type);
        let allowed_origins = source.parse("allowed_origins", Origins::parse);
        let proxies = origins::proxies(source);
        let tls = Certificate::read(source);
        let limits = Limits::read(source);
        let outbox = OutboxLimits::read(source);
        let redis = source.parse("redis.url", redis::url);
        let failover_memory = source.seconds("redis.failover_memory");
        let replicas = source.integer("redis.replicas");
        let user_id_type = source.parse("user_id_type", general::user_id_type);
        let stores = source.text("storage").map(|storage| storage != "none");
        let notify = if stores == Some(true) { Notify::read(source) } else { None };
        let webhook = Webhook::read(source, notify.is_some(), stores != Some(false));
        let (webhook, webhook_keys) = webhook.unzip();
        let web_push = WebPush::read(source, notify);
        let mailbox = if stores == Some(true) { Mailbox::read(source) } else { Some(Mailbox::UNLIMITED) };
        let mysql = if stores == Some(true) {
            let told = Told {
                when: notify.map(|notify| notify.when),
                events: webhook.as_ref().map(|webhook| webhook.events).unwrap_or_default(),
                web_push: web_push.is_some(),
            };
            Mysql::read(source, user_id_type.unwrap_or_default(), told)
        } else {
            source.skip("notify.");
            source.skip("mailbox.");
            source.skip("mysql.");
            source.skip("unread_by_conversation");
            None
        };
        let log = Log::read(source);
        if let (Some(Mysql { names, .. }), Some(false)) = (&mysql, count_unread)
            && names.unread_by_conversation
        {
            source.error("unread_by_conversation", "needs count_unread = true");
        }
        if let (Some(Notify { when: When::Unread, .. }), Some(false)) = (notify, count_unread) {
            source.error("notify.when", "is unread, which needs count_unread = true");
        }
        let (redis, prefix) = (redis?, prefix?);
        let is_cluster = matches!(redis.location, Location::Cluster(_));
        let (trusted_proxies, proxy_protocol) = proxies?;
        let (admin_listen, admin_token) = admin?;
        let Log { filter: log_filter, json: log_json } = log?;
        Some(Self {
            listen: listen?,
            admin_listen,
            live: Live::new(LiveSettings {
                admin_token,
                tokens: tokens?,
                allowed_origins: allowed_origins?,
                trusted_proxies,
                tls,
                limits: limits?,
                drain: drain?,
                webhook_keys: webhook_keys.unwrap_or_default(),
                log_filter,
            }),
            proxy_protocol,
            threads: general::threads(threads?),
            prefix: if is_cluster { prefix.in_cluster() } else { prefix },
            user_id_type: user_id_type?,
            count_unread: count_unread?,
            receipts: receipts?,
            carbons: carbons?,
            flush_on_connect: flush_on_connect?,
            default_type: default_type?,
            redis,
            failover_memory: failover_memory?,
            replicas: replicas?,
            mysql: if stores? { Some(mysql?) } else { None },
            notify,
            webhook,
            web_push,
            mailbox: mailbox?,
            outbox: outbox?,
            log_json,
            file: None,
            fingerprints: Fingerprints::default(),
            unknown_variables: Vec::new(),
            idle_settings: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests;
