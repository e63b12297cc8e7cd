//! The settings that can change while the daemon runs.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AdminToken, Certificate, Key, Limits, Tokens};
use crate::net::client_ip::TrustedProxies;
use crate::net::origin::Origins;

/// The settings that a reload applies.
#[derive(Clone, Debug)]
pub struct LiveSettings {
    /// What whoever uses the admin listener must know; none on loopback alone.
    pub admin_token: Option<AdminToken>,
    /// Keys and claims of the connect tokens.
    pub tokens: Tokens,
    /// Which pages may connect.
    pub allowed_origins: Origins,
    /// Proxies that are believed when they name the address of a client.
    pub trusted_proxies: TrustedProxies,
    /// Certificate and key, if the daemon itself terminates TLS.
    pub tls: Option<Certificate>,
    /// How much clients may use.
    pub limits: Limits,
    /// On shutdown, the longest time over which clients are asked to connect elsewhere.
    pub drain: Duration,
    /// Each of them signs webhooks. Some if there is an address for them.
    pub webhook_keys: Vec<Key>,
    /// What is logged: a level, or a filter in the syntax of `tracing-subscriber`.
    pub log_filter: String,
}

/// The settings that a reload applies, as they are now, and what the last reading of the configuration
/// came to. Cloning is shallow: every clone sees the same.
#[derive(Clone, Debug)]
pub struct Live(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Plain locks: nothing awaits while holding one.
    settings: RwLock<Arc<LiveSettings>>,
    reading: Mutex<Reading>,
}

/// What the last reading of the configuration came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// When the configuration in force was read, in seconds since 1970.
    pub read_at: u64,
    /// The settings that have changed since the start and need a restart.
    pub needs_restart: Vec<String>,
    /// Why a later configuration was refused; none if the last one was not.
    pub refused: Option<String>,
}

impl Live {
    pub(super) fn new(settings: LiveSettings) -> Self {
        let settings = RwLock::new(Arc::new(settings));
        Self(Arc::new(Shared { settings, reading: Mutex::default() }))
    }

    /// The defaults.
    #[cfg(test)]
    pub(crate) fn of_defaults() -> Self {
        let secret = ("CHATPUSH_SECRET".into(), "0123456789abcdef0123456789abcdef".into());
        let none = ("CHATPUSH_STORAGE".into(), "none".into());
        super::Config::load(None, [secret, none]).unwrap().live
    }

    /// The settings as they are now. Whoever holds them for long does not see a reload.
    pub fn get(&self) -> Arc<LiveSettings> {
        self.0.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the settings, for whoever gets them from now on.
    pub(crate) fn change(&self, change: impl FnOnce(&mut LiveSettings)) {
        let mut settings = self.0.settings.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut settings));
    }

    /// What the last reading of the configuration came to.
    pub(crate) fn reading(&self) -> Reading {
        self.0.reading.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what a reading of the configuration has come to.
    pub(crate) fn note_reading(&self, note: impl FnOnce(&mut Reading)) {
        note(&mut self.0.reading.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
