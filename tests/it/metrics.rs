//! What `/metrics` says, and that the documentation lists it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

const DOCUMENTATION: &str = include_str!("../../docs/operations.md");

/// An installation with every feature that has metrics of its own.
async fn complete() -> TestEnv {
    let env = TestEnv::bare().await.with("CHATPUSH_NOTIFY_AFTER", "1");
    let env = env.with("CHATPUSH_WEBHOOK_URL", "http://127.0.0.1:9/hook");
    let env = env.with("CHATPUSH_WEBHOOK_SECRET", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
    env.with("CHATPUSH_WEBHOOK_EVENTS", "message.waiting message.delivered").set_up().await
}

/// The body of an answer.
fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or(answer, |(_, body)| body)
}

/// Name and type of each metric, and the names of its labels.
fn exposed(text: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut found = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').expect("a name and a type");
        found.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
    }
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name = line.split(['{', ' ']).next().expect("a name");
        let family = ["_bucket", "_sum", "_count"].into_iter().find_map(|end| name.strip_suffix(end));
        let family = family.filter(|family| found.contains_key(*family)).unwrap_or(name);
        let (_, labels) = found.get_mut(family).unwrap_or_else(|| panic!("{line} has no type"));
        if let Some((_, rest)) = line.split_once('{') {
            let rest = rest.rsplit_once('}').expect("labels end").0;
            let names = rest.split(',').filter_map(|pair| pair.split_once("=\"").map(|(name, _)| name));
            labels.extend(names.filter(|name| *name != "le").map(str::to_owned));
        }
    }
    found
}

/// The same from the documentation's table.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut found = BTreeMap::new();
    for line in DOCUMENTATION.lines() {
        let columns: Vec<_> = line.split(" | ").collect();
        let [names, kind, _] = columns.as_slice() else { continue };
        if !["counter", "gauge", "histogram"].contains(kind) {
            continue;
        }
        for name in names.trim_start_matches("| ").split(", ") {
            let name = name.trim_matches('`');
            let (name, labels) = name.split_once('{').unwrap_or((name, ""));
            let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
            found.insert(name.to_owned(), ((*kind).to_owned(), labels.map(str::to_owned).collect()));
        }
    }
    found
}

/// Every metric is documented with its type and labels, and every documented one exists.
#[tokio::test]
async fn the_documentation_lists_every_metric() {
    let env = complete().await;
    let daemon = env.daemon().await;
    let answer = daemon.get("/metrics").await;
    assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
    let (mut exposed, mut documented) = (exposed(body(&answer)), documented());
    assert!(documented.len() > 30, "the table is found: {documented:?}");
    // It is there once a task has met an outage.
    assert!(documented.remove("chatpush_outages_total").is_some());
    exposed.remove("chatpush_outages_total");
    assert_eq!(exposed, documented);
}

/// Prometheus's own tool has nothing to say about names, types and help texts.
#[tokio::test]
async fn promtool_finds_nothing_to_mend() {
    let env = complete().await;
    let daemon = env.daemon().await;
    let answer = daemon.get("/metrics").await;
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = promtool.spawn().expect("promtool is installed: Debian's package `prometheus`");
    let mut input = running.stdin.take().expect("it has an input");
    input.write_all(body(&answer).as_bytes()).await.expect("it reads");
    drop(input);
    let output = running.wait_with_output().await.expect("it ends");
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

async fn value(daemon: &Daemon, name: &str) -> Option<f64> {
    let text = daemon.get("/metrics").await;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

/// A stored message is counted at each step, and both histograms have it.
#[tokio::test]
async fn a_message_is_counted_at_each_step() {
    let env = TestEnv::new().await;
    let daemon = env.daemon().await;
    let mut browser = daemon.connect(2).await;
    browser.until_unread_count().await;
    let php = env.php();
    assert_eq!(php.get("echo ChatPush\\sendMessage(1, 2, 'hello')->value;").await, "live");
    assert_eq!(php.get("echo (int) pushMessage(2, 'hi', 'chat');").await, "1");
    let reading = browser.keep_reading();
    let outcome = |kind: &str, outcome: &str| {
        let name = format!("chatpush_messages_total{{kind=\"{kind}\",outcome=\"{outcome}\"}}");
        let daemon = &daemon;
        async move { value(daemon, &name).await }
    };
    let confirmed = || outcome("stored", "confirmed");
    eventually("the message is confirmed", confirmed, |count| *count == Some(1.0)).await;
    for (kind, what) in [("stored", "stored"), ("stored", "sent")] {
        assert_eq!(outcome(kind, what).await, Some(1.0), "{kind} {what}");
    }
    let pushed = || outcome("pushed", "sent");
    eventually("the push is counted", pushed, |count| *count == Some(1.0)).await;
    assert_eq!(outcome("stored", "refused").await, Some(0.0));
    for (name, count) in [("store", 1.0), ("delivery", 2.0)] {
        let counts = format!("chatpush_{name}_duration_seconds_count");
        let counted = || value(&daemon, &counts);
        eventually("it is in the histogram", counted, |found| *found == Some(count)).await;
        let sum = value(&daemon, &format!("chatpush_{name}_duration_seconds_sum")).await.expect("a sum");
        assert!((0.0..60.0).contains(&sum), "{name}: {sum}");
    }
    assert_eq!(value(&daemon, "chatpush_connections{protocol=\"none\"}").await, Some(1.0));
    reading.abort();
    let closed = || daemon.metric("chatpush_connections");
    eventually("the connection is gone", closed, |open| *open == 0).await;
    assert_eq!(daemon.metric("chatpush_closes_total").await, 1);
}

/// What waits grows while MySQL is away, and what is not known has no value.
#[tokio::test]
async fn outages_are_visible() {
    let env = TestEnv::with_own_servers().await;
    let daemon = env.daemon().await;
    assert_eq!(value(&daemon, "chatpush_mysql_up").await, Some(1.0));
    assert_eq!(value(&daemon, "chatpush_redis_up").await, Some(1.0));
    assert_eq!(value(&daemon, "chatpush_writer").await, Some(1.0));
    assert_eq!(value(&daemon, "chatpush_dead_letters").await, Some(0.0));
    assert_eq!(value(&daemon, "chatpush_oldest_waiting_seconds").await, Some(0.0));
    env.servers().kill_mariadb().await;
    env.php().with("chatpush.durability=queued").get("storeOfflineMessage(1, 2, 'x');").await;
    let oldest = || value(&daemon, "chatpush_oldest_waiting_seconds");
    eventually("the message waits", oldest, |waits| waits.is_some_and(|seconds| seconds > 0.5)).await;
    let partition = value(&daemon, "chatpush_log_entries{partition=\"2\"}").await;
    assert_eq!(partition, Some(1.0));
    assert_eq!(value(&daemon, "chatpush_mysql_up").await, Some(0.0));
    assert_eq!(value(&daemon, "chatpush_dead_letters").await, None);
    env.servers().kill_redis().await;
    assert_eq!(value(&daemon, "chatpush_redis_up").await, Some(0.0));
    assert_eq!(value(&daemon, "chatpush_writer").await, None);
}
