//! SIGHUP: reads the configuration again, applies what can be applied, and says what needs a restart.

use std::sync::Arc;

use super::logging;
use super::rlimit;
use super::service_manager::Manager;
use crate::base::error_text::error_text;
use crate::base::{clock, metrics};
use crate::config::{Changes, Config};
use crate::edge::tls::{LoadedTls, Tls};

/// Reads the configuration again.
#[derive(Debug)]
pub(crate) struct Reloader {
    /// The configuration in force. Its live settings are those of the whole daemon.
    config: Config,
    tls: Arc<Tls>,
    manager: Option<Manager>,
}

impl Reloader {
    /// Reloads what began with this configuration.
    pub(crate) fn new(config: Config, tls: Arc<Tls>, manager: Option<Manager>) -> Self {
        config.live.note_reading(|reading| reading.read_at = clock::unix_seconds());
        Self { config, tls, manager }
    }

    /// Reads file and environment again, and the files that they name. With an error nothing changes.
    pub(crate) async fn reload(&mut self) {
        if let Some(manager) = &self.manager {
            manager.reloading().await;
        }
        self.read_again().await;
        if let Some(manager) = &self.manager {
            manager.reloaded().await;
        }
    }

    async fn read_again(&mut self) {
        let file = self.config.file.clone();
        // Files may be on a disk that is slow.
        let read = tokio::task::spawn_blocking(move || read(file.as_deref()));
        let fresh = read.await.unwrap_or_else(|error| Err(error.to_string()));
        let (fresh, tls) = match fresh {
            Ok(fresh) => fresh,
            Err(error) => {
                metrics::RELOADS.increment("failed");
                tracing::error!(error, "the configuration cannot be used; nothing was changed");
                self.config.live.note_reading(|reading| reading.refused = Some(error));
                return;
            }
        };
        let speaks_tls = fresh.live.get().tls.is_some();
        let Changes { applied, needs_restart } = self.config.adopt(&fresh);
        self.tls.replace(tls);
        if speaks_tls {
            metrics::CERTIFICATE_RELOADS.increment("ok");
        }
        if applied.contains(&"log.filter")
            && let Err(error) = logging::change_filter(&self.config.live.get().log_filter)
        {
            tracing::error!(error, "cannot change the log filter");
        }
        metrics::RELOADS.increment("ok");
        for setting in &applied {
            tracing::info!(setting, "applied");
        }
        for setting in &needs_restart {
            tracing::warn!(setting, "needs a restart");
        }
        for warning in fresh.warnings() {
            tracing::warn!("{warning}");
        }
        let (changed, waiting) = (applied.len(), needs_restart.len());
        tracing::info!(applied = changed, need_restart = waiting, "the configuration was read again");
        self.config.live.note_reading(|reading| {
            reading.read_at = clock::unix_seconds();
            reading.needs_restart = needs_restart.into_iter().map(str::to_owned).collect();
            reading.refused = None;
        });
    }
}

/// Reads and checks everything, as at the start.
fn read(file: Option<&std::path::Path>) -> Result<(Config, LoadedTls), String> {
    let fresh = Config::load(file, std::env::vars_os()).map_err(|refused| {
        let errors: Vec<_> = refused.errors.iter().map(ToString::to_string).collect();
        errors.join("; ")
    })?;
    let tls = LoadedTls::load(fresh.live.get().tls.as_ref()).map_err(|error| {
        metrics::CERTIFICATE_RELOADS.increment("failed");
        error_text(&error)
    })?;
    fresh.live.change(|live| rlimit::raise_and_apply(&mut live.limits));
    Ok((fresh, tls))
}
