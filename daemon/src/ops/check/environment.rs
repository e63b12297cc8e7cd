//! Environment variables that look like settings and are none, and settings of what is switched off.

use super::Finding;
use crate::config::Config;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let unknown = config.unknown_variables.iter();
    let unknown = unknown.map(|variable| Finding::warning("environment", variable.to_string()));
    let idle = config.idle_settings.iter();
    unknown.chain(idle.map(|setting| Finding::warning("settings", setting.to_string()))).collect()
}
