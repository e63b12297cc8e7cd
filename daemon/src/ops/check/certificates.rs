//! The authorities that are trusted over https, and the address of webhooks.

use super::Finding;
use crate::config::{Config, Webhook};
use crate::net::https::{self, Unreachable};

pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.uses_https() {
        findings.push(match https::trusted_authorities() {
            Ok(count) => Finding::fine("trusted authorities", format!("{count} may sign certificates")),
            Err(error) => Finding::wrong("trusted authorities", error),
        });
    }
    if let Some(webhook) = &config.webhook {
        findings.push(address(webhook).await);
    }
    findings
}

/// Nothing is sent. An application that is down may come back, and webhooks wait for it.
async fn address(webhook: &Webhook) -> Finding {
    let what = "webhook.url";
    match https::reach(&webhook.url, webhook.timeout).await {
        Ok(()) => Finding::fine(what, "answers"),
        Err(error @ Unreachable::Silent(_)) => Finding::warning(what, error.to_string()),
        Err(error @ Unreachable::Tls(_)) => Finding::wrong(what, error.to_string()),
    }
}
