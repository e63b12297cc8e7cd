//! `chatpushd check`.

mod mysql;
mod redis;

use chatpush_tests::daemon::Daemon;
use chatpush_tests::test_env::TestEnv;
use serde_json::Value;

/// The findings of `check --json`.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) code: Option<i32>,
    findings: Vec<(String, String, String)>,
}

impl Report {
    pub(crate) async fn of(env: &TestEnv) -> Self {
        let output = Daemon::command(env, &["check", "--json"]).await;
        let list: Vec<serde_json::Map<String, Value>> =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        let findings = list.iter().map(|finding| {
            assert_eq!(finding.len(), 3, "{finding:?}");
            let field = |name: &str| finding[name].as_str().expect("a text").to_owned();
            (field("name"), field("status"), field("text"))
        });
        Self { code: output.status.code(), findings: findings.collect() }
    }

    /// Status and text of the finding with this name.
    pub(crate) fn finding(&self, name: &str) -> (&str, &str) {
        let found = self.findings.iter().find(|(found, ..)| found == name);
        let (_, status, text) = found.unwrap_or_else(|| panic!("{name} is not in {self:?}"));
        (status, text)
    }

    fn has(&self, name: &str) -> bool {
        self.findings.iter().any(|(found, ..)| found == name)
    }

    /// The names of all findings that are not `ok`, besides those that depend on the machine.
    pub(crate) fn problems(&self) -> Vec<&str> {
        let problems = self.findings.iter().filter(|(_, status, _)| status != "ok");
        let names = problems.map(|(name, ..)| name.as_str());
        names.filter(|name| !["open files", "environment"].contains(name)).collect()
    }
}

/// What `migrate` makes needs no change.
#[tokio::test]
async fn nothing_is_wrong_after_migrate() {
    let env = TestEnv::new().await;
    let report = Report::of(&env).await;
    assert_eq!((report.problems(), report.code), (Vec::new(), Some(0)), "{report:?}");
    let lines = Daemon::command(&env, &["check"]).await;
    let lines = String::from_utf8_lossy(&lines.stdout).into_owned();
    assert!(lines.starts_with("ok ") || lines.starts_with("warning  environment: "), "{lines}");
    assert_eq!(lines.lines().count(), report.findings.len(), "{lines}");
}

#[tokio::test]
async fn an_unknown_variable_is_warned_of() {
    let env = TestEnv::new().await.with("CHATPUSH_LOGFORMAT", "json");
    let report = Report::of(&env).await;
    let named = |(name, status, text): &(String, String, String)| {
        name == "environment" && status == "warning" && text.contains("mean CHATPUSH_LOG_FORMAT?")
    };
    assert!(report.findings.iter().any(named), "{report:?}");
}

#[tokio::test]
async fn another_installations_redis_is_wrong() {
    let (one, other) = (TestEnv::new().await, TestEnv::new().await);
    let _daemon = one.daemon().await;
    assert_eq!(Report::of(&one).await.finding("installation").0, "ok");
    let mixed = other.clone().with("CHATPUSH_MYSQL_URL", one.servers().mysql_url(one.name()));
    assert_eq!(Report::of(&mixed).await.finding("installation").0, "wrong");
}
