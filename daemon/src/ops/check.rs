//! `chatpushd check`: every prerequisite, each with `ok` or the fix.

mod certificates;
mod environment;
mod installation;
mod listener;
mod mysql;
mod redis;
mod web_push;

use std::process::ExitCode;

use chatpush_wire::installation::Installation;
use serde::Serialize;

use crate::base::output;
use crate::config::Config;

/// The result for one prerequisite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    name: String,
    status: Status,
    /// What was found, if that is informative; or the fix.
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// Met.
    Ok,
    /// Met in part: not every promise holds.
    Warning,
    /// Not met.
    Wrong,
}

impl Finding {
    fn fine(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { name: name.into(), status: Status::Ok, text: found.into() }
    }

    fn warning(name: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name: name.into(), status: Status::Warning, text: fix.into() }
    }

    fn wrong(name: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name: name.into(), status: Status::Wrong, text: fix.into() }
    }
}

/// Checks every prerequisite and prints a line for each, or with `json` a list of objects. Exits with 1 if
/// anything is wrong; warnings do not count.
///
/// # Errors
///
/// None: what cannot be reached is a finding.
pub async fn print(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let mut findings = environment::check(config);
    findings.extend(redis::check(config).await);
    match &config.mysql {
        Some(mysql) => findings.extend(mysql::check(config, mysql).await),
        None => findings
            .push(installation::agreement(config, Installation::push_only(config.user_id_type), None).await),
    }
    findings.extend(listener::check(config));
    findings.extend(certificates::check(config).await);
    findings.extend(web_push::check(config));
    if json {
        output::line(serde_json::to_string(&findings)?);
    } else {
        findings.iter().for_each(print_line);
    }
    let is_wrong = findings.iter().any(|finding| finding.status == Status::Wrong);
    Ok(if is_wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print_line(Finding { name, status, text }: &Finding) {
    let status = match status {
        Status::Ok => "ok       ",
        Status::Warning => "warning  ",
        Status::Wrong => "WRONG    ",
    };
    let separator = if text.is_empty() { "" } else { ": " };
    output::line(format_args!("{status}{name}{separator}{text}"));
}
