//! The alerts for Prometheus and the dashboard for Grafana.

use std::process::Command;

use chatpush_tests::test_env::TestEnv;

fn packaging(file: &str) -> String {
    format!("{}/../packaging/{file}", env!("CARGO_MANIFEST_DIR"))
}

/// Prometheus's own tool takes the alerts, and its unit tests of them pass: none fires too early.
#[test]
fn the_alerts_fire_when_they_should() {
    for arguments in [
        ["check", "rules", &packaging("prometheus/chatpush.rules.yml")],
        ["test", "rules", &packaging("prometheus/chatpush.test.yml")],
    ] {
        let output = Command::new("promtool").args(arguments).output();
        let output = output.expect("promtool is installed: Debian's package `prometheus`");
        assert!(output.status.success(), "{output:?}");
    }
    let alerts =
        std::fs::read_to_string(packaging("prometheus/chatpush.rules.yml")).expect("the rules are there");
    let tests =
        std::fs::read_to_string(packaging("prometheus/chatpush.test.yml")).expect("the tests are there");
    let runbook = include_str!("../../../docs/runbook.md");
    let names: Vec<_> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        assert!(tests.contains(&format!("alertname: {name}")), "{name} has no test");
        assert!(runbook.contains(&format!("\n## {name}\n")), "{name} is not in the runbook");
        assert!(
            alerts.contains(&format!("docs/runbook.md#{}\n", name.to_lowercase())),
            "{name} names no page"
        );
    }
}

/// The metrics that a text names.
fn named_metrics(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !(letter.is_ascii_lowercase() || letter == '_'));
    let words = words.filter(|word| word.starts_with("chatpush_") || word.starts_with("process_"));
    words.map(str::to_owned).collect()
}

/// Every metric that an alert or the dashboard names is one of a real daemon.
#[tokio::test]
async fn alerts_and_dashboard_name_metrics_that_exist() {
    let env = TestEnv::bare().await.with("CHATPUSH_NOTIFY_AFTER", "1");
    let env = env.with("CHATPUSH_WEBHOOK_URL", "http://127.0.0.1:9/hook");
    let env = env.with("CHATPUSH_WEBHOOK_SECRET", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
    let env = env.set_up().await;
    let daemon = env.daemon().await;
    let metrics = daemon.get("/metrics").await;
    let has_sample = |name: &str| {
        let rest = metrics.lines().filter_map(|line| line.strip_prefix(name));
        rest.into_iter().any(|rest| rest.starts_with(['{', ' ']))
    };
    for file in ["prometheus/chatpush.rules.yml", "grafana/chatpush.json"] {
        let text = std::fs::read_to_string(packaging(file)).expect("the file is there");
        let named = named_metrics(&text);
        assert!(named.len() > 5, "{named:?}");
        for name in named {
            // It is there once a task has met an outage.
            assert!(name == "chatpush_outages_total" || has_sample(&name), "{file} names {name}");
        }
    }
    let dashboard = std::fs::read_to_string(packaging("grafana/chatpush.json")).expect("the file is there");
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).expect("it is JSON");
    assert_eq!(dashboard["uid"], "chatpush");
}
