//! What settings of chatpush cost a store: the same stores with each of them on and off, interleaved. The CPU time per
//! row is that of the daemon, Redis and MariaDB.

use std::time::Duration;

use anyhow::ensure;
use chatpush_stack::daemon::Daemon;

use crate::bench_env::BenchEnv;
use crate::budget::{Budget, Rule};
use crate::peers::{PeerName, chatpush};
use crate::scenarios::stores::store_in;
use crate::scenarios::{Bench, Outcome};

/// The message table of the variant with a history.
const HISTORY: &str = "history";

const NOTIFY: &str = "notify.after";
const UNREAD: &str = "notify.when = unread";
const BY_CONVERSATION: &str = "unread_by_conversation";

/// The name of an option, and the settings of its daemon.
type Variant = (Option<&'static str>, &'static [(&'static str, &'static str)]);

/// The one without a name is chatpush itself.
const VARIANTS: [Variant; 5] = [
    (None, &[]),
    (Some(NOTIFY), &[("CHATPUSH_NOTIFY_AFTER", "600")]),
    (Some(UNREAD), &[("CHATPUSH_NOTIFY_AFTER", "600"), ("CHATPUSH_NOTIFY_WHEN", "unread")]),
    (Some(BY_CONVERSATION), &[("CHATPUSH_UNREAD_BY_CONVERSATION", "true")]),
    (
        Some(HISTORY),
        &[
            ("CHATPUSH_MYSQL_TABLES_OFFLINE_MESSAGE", HISTORY),
            ("CHATPUSH_MYSQL_HISTORY_COLUMN", "delivered_at"),
            ("CHATPUSH_MYSQL_HISTORY_VALUE", "now"),
        ],
    ),
];

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let duration = Duration::from_secs(bench.choose(5, 1));
    bench.env.sql(&format!(
        "CREATE TABLE IF NOT EXISTS {HISTORY} LIKE offline_message; ALTER TABLE {HISTORY} \
         ADD COLUMN IF NOT EXISTS delivered_at datetime NULL, \
         ADD INDEX IF NOT EXISTS waiting (receiver_id, delivered_at, id)"
    ))?;
    // Each comes first in one round of five: what was measured before leaves work to the disk.
    let mut first = 0;
    bench.run_rounds(
        &mut outcome,
        |name| name == PeerName::Chatpush,
        |name, outcome| {
            let mut variants = VARIANTS;
            variants.rotate_left(first % VARIANTS.len());
            first += 1;
            for (variant, settings) in variants {
                measure(bench.env, variant.unwrap_or(name.title()), settings, duration, outcome)?;
            }
            Ok(())
        },
    );
    // As rules of chatpush itself: without the setting it is at most so many times as fast, and uses at least so much of
    // the CPU time. A few percent of the rows per second are less than the disk's speed changes from minute to minute;
    // CPU time shows them.
    let most =
        |metric, times, variant, goal| Budget { metric, rule: Rule::AtMostTimes(times, variant), goal };
    let cpu = |variant| Budget {
        metric: "16 callers, CPU per row",
        rule: Rule::AtLeastTimes(0.97, variant),
        goal: 1.0,
    };
    outcome.budgets = vec![
        cpu(NOTIFY),
        cpu(UNREAD),
        most("1 caller", 1.03, NOTIFY, 1.0),
        most("16 callers", 1.03, NOTIFY, 1.0),
        most("1 caller", 1.03, UNREAD, 1.0),
        most("16 callers", 1.03, UNREAD, 1.0),
        most("16 callers", 1.1, BY_CONVERSATION, 1.03),
        most("16 callers", 1.1, HISTORY, 1.03),
    ];
    Ok(outcome)
}

/// Stores with these settings, by one caller and by sixteen.
fn measure(
    env: &BenchEnv,
    title: &str,
    settings: &[(&'static str, &str)],
    duration: Duration,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let table = if title == HISTORY { HISTORY } else { "offline_message" };
    env.clear_messages()?;
    env.sql(&format!("TRUNCATE {HISTORY}"))?;
    let mut environment = env.daemon_environment();
    environment.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let migrated = env.block_on(Daemon::command(env.folder(), &environment, &["migrate"]))?;
    ensure!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    let peer = chatpush::start_with(env, &environment)?;
    let php = chatpush::php(env)?;
    for (callers, what) in [(1, "1 caller"), (16, "16 callers")] {
        let stored = store_in(env, table, &peer, &php, (callers, 0), duration)?;
        let rows = stored.called.accepted() as f64 / stored.called.seconds();
        outcome.metrics.record(what, "rows/s", title, rows);
        outcome.record_percentiles(what, title, &stored.called.latencies, &[50.0, 99.0]);
        let cpu = stored.servers_cpu_seconds() / stored.called.accepted().max(1) as f64 * 1e6;
        outcome.metrics.record(&format!("{what}, CPU per row"), "µs", title, cpu);
    }
    Ok(())
}
