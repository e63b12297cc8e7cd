//! `chatpushd check`: every prerequisite, each with `ok` or the fix.

mod listener;
mod mysql;
mod redis;

use std::process::ExitCode;

use crate::config::Config;

/// What was found out about one prerequisite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    what: String,
    verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// As it must be; with what was found, if that is worth a word.
    Fine(String),
    /// It works, with less than everything promised.
    Warning(String),
    /// It does not work; with the fix.
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

/// Looks at everything and prints a line each. Fails if anything is wrong; warnings do not fail.
///
/// # Errors
///
/// Never; what cannot be reached is a finding.
pub async fn print(config: &Config) -> anyhow::Result<ExitCode> {
    let mut findings = redis::look(config).await;
    findings.extend(mysql::look(config).await);
    findings.extend(listener::look(config));
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
