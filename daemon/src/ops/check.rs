//! `chatpushd check`: every prerequisite, each with `ok` or the fix.

mod listener;
mod mysql;
mod redis;

use std::process::ExitCode;

use crate::config::Config;

/// The result for one prerequisite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    what: String,
    verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// Met; with what was found, if that is informative.
    Fine(String),
    /// Met in part: not every promise holds. With the fix.
    Warning(String),
    /// Not met. With the fix.
    Wrong(String),
}

impl Finding {
    fn fine(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Fine(found.into()) }
    }

    fn warning(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Warning(fix.into()) }
    }

    fn wrong(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Wrong(fix.into()) }
    }
}

/// Checks every prerequisite and prints a line for each. Exits with 1 if anything is wrong; warnings do not
/// count.
///
/// # Errors
///
/// None: what cannot be reached is a finding.
pub async fn print(config: &Config) -> anyhow::Result<ExitCode> {
    let mut findings = redis::check(config).await;
    findings.extend(mysql::check(config).await);
    findings.extend(listener::check(config));
    let mut code = ExitCode::SUCCESS;
    for Finding { what, verdict } in findings {
        match verdict {
            Verdict::Fine(found) if found.is_empty() => println!("ok       {what}"),
            Verdict::Fine(found) => println!("ok       {what}: {found}"),
            Verdict::Warning(fix) => println!("warning  {what}: {fix}"),
            Verdict::Wrong(fix) => {
                println!("WRONG    {what}: {fix}");
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
