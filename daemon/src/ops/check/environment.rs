//! Environment variables that look like settings and are none.

use super::Finding;
use crate::config::Config;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let unknown = config.unknown_variables.iter();
    unknown.map(|variable| Finding::warning("environment", variable.to_string())).collect()
}
