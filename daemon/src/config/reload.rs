//! What a reload of the configuration changes, and what needs a restart.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::setting::Reload;
use super::{Config, table};

/// The value of every setting that was read, as a digest: enough to see that one has changed, and no
/// secret is kept.
#[derive(Clone, Default)]
pub(super) struct Fingerprints(BTreeMap<&'static str, Option<[u8; 32]>>);

/// The settings that have changed, by name, in the order of the table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// They were applied.
    pub(crate) applied: Vec<&'static str>,
    /// They need a restart.
    pub(crate) needs_restart: Vec<&'static str>,
}

impl Fingerprints {
    /// Notes the value of a setting; none if it is not set.
    pub(super) fn note(&mut self, key: &'static str, value: Option<&str>) {
        self.0.insert(key, value.map(|value| Sha256::digest(value).into()));
    }

    /// Whether a setting differs. One that is not read on either side, as those of MySQL with
    /// `storage = "none"`, does not.
    fn differ(&self, other: &Self, key: &str) -> bool {
        self.0.get(key).zip(other.0.get(key)).is_some_and(|(one, other)| one != other)
    }
}

impl std::fmt::Debug for Fingerprints {
    /// They are the same for the same settings however these were written, and say nothing of a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fingerprints")
    }
}

impl Config {
    /// Takes over from `fresh` what can change while the daemon runs. Says what has changed since the
    /// last time, and all that needs a restart since the start.
    pub(crate) fn adopt(&mut self, fresh: &Self) -> Changes {
        let differing: Vec<_> = table::all()
            .filter(|setting| self.fingerprints.differ(&fresh.fingerprints, setting.key))
            .collect();
        let needs_restart = |key: &str| {
            differing.iter().any(|setting| setting.key == key && matches!(setting.reload, Reload::Restart))
        };
        let mut changes = Changes::default();
        for setting in &differing {
            let applied = match setting.reload {
                Reload::Restart => false,
                Reload::Applied => true,
                Reload::AppliedWith(other) => !needs_restart(other),
            };
            let list = if applied { &mut changes.applied } else { &mut changes.needs_restart };
            list.push(setting.key);
        }
        let settings = fresh.live.get();
        // Also one that has not changed itself: without the other it may not have been read.
        let held = |key: &str| {
            let held = |reload| matches!(reload, Reload::AppliedWith(other) if needs_restart(other));
            table::all().any(|setting| setting.key == key && held(setting.reload))
        };
        self.live.change(|live| {
            let mut settings = (*settings).clone();
            if held("admin_token") {
                settings.admin_token.clone_from(&live.admin_token);
            }
            if held("trusted_proxies") {
                settings.trusted_proxies.clone_from(&live.trusted_proxies);
            }
            if held("webhook.secret") {
                settings.webhook_keys.clone_from(&live.webhook_keys);
            }
            *live = settings;
        });
        for key in &changes.applied {
            if let Some(value) = fresh.fingerprints.0.get(key) {
                self.fingerprints.0.insert(*key, *value);
            }
        }
        changes
    }
}
