//! The public listener: the certificate, and the open-file limit.

use super::Finding;
use crate::base::error_text::error_text;
use crate::config::Config;
use crate::edge::tls::LoadedTls;
use crate::ops::rlimit;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let live = config.live.get();
    let mut findings = vec![files(live.limits.connections as u64)];
    if let Some(files) = &live.tls {
        let what = "certificate and key";
        findings.push(match LoadedTls::load(Some(files)) {
            Ok(_) => Finding::fine(what, ""),
            Err(error) => Finding::wrong(what, error_text(&error)),
        });
    }
    findings
}

fn files(connections: u64) -> Finding {
    match rlimit::raise() {
        Some(limit) if rlimit::connections(limit) < connections => Finding::warning(
            "open files",
            format!(
                "{limit} are allowed here, which is room for {} connections and not for limits.connections = \
                 {connections}: set LimitNOFILE in the systemd unit, or a lower limits.connections",
                rlimit::connections(limit)
            ),
        ),
        Some(limit) => Finding::fine("open files", format!("{limit} are allowed")),
        None => Finding::fine("open files", "any number is allowed"),
    }
}
