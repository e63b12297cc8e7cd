//! What settings of chatpush cost a store. Two installations, one without the setting and one with it, take turns in
//! slices of a second, and each pair of slices gives a ratio. The CPU time is that of the daemon, Redis and MariaDB.

mod counters;
mod installation;
mod pairs;

use self::installation::Installation;
use self::pairs::{Load, Slices, alternate};
use crate::bench_env::{BenchEnv, USERS};
use crate::metrics::Spread;
use crate::paired::{Interval, PairedRatios};
use crate::peers::PeerName;
use crate::scenarios::{Bench, Outcome};

/// The message table of the installation with a history.
const HISTORY: &str = "history";

/// No variant.
const WITHOUT: &str = "without";

/// An environment variable of the daemon.
type Setting = (&'static str, &'static str);

/// Something that is compared with an installation that has none of it.
#[derive(Clone, Copy)]
struct Variant {
    title: &'static str,
    settings: &'static [Setting],
    /// For whom messages are.
    receivers: Receivers,
    /// What a row may cost, in time and in CPU time; none: it is only measured.
    budget: Option<(f64, f64)>,
    /// Whether it is also measured with one caller.
    one_caller: bool,
    /// Whether it has a column in the tables of counts.
    counted: bool,
}

#[derive(Clone, Copy)]
enum Receivers {
    /// A thousand, so that a message waits for each, but for its first one.
    Same,
    /// As many as there are, so that nothing waits for most.
    New,
}

const UNDELIVERED: &[Setting] = &[("CHATPUSH_NOTIFY_AFTER", "600")];
const UNREAD: &[Setting] = &[("CHATPUSH_NOTIFY_AFTER", "600"), ("CHATPUSH_NOTIFY_WHEN", "unread")];

/// The first one is a control: it shows the error of the method.
const VARIANTS: [Variant; 7] = [
    often("control", &[], Receivers::Same, None),
    often("notify.after", UNDELIVERED, Receivers::Same, Some((1.03, 1.01))),
    often("notify.when = unread", UNREAD, Receivers::Same, Some((1.03, 1.01))),
    rare("notify.after, new receivers", UNDELIVERED, Receivers::New, None),
    rare("unread, new receivers", UNREAD, Receivers::New, None),
    Variant {
        counted: true,
        ..rare(
            "unread_by_conversation",
            &[("CHATPUSH_UNREAD_BY_CONVERSATION", "true")],
            Receivers::Same,
            Some((1.1, 1.03)),
        )
    },
    Variant {
        counted: true,
        ..rare(
            "history",
            &[
                ("CHATPUSH_MYSQL_TABLES_OFFLINE_MESSAGE", HISTORY),
                ("CHATPUSH_MYSQL_HISTORY_COLUMN", "delivered_at"),
                ("CHATPUSH_MYSQL_HISTORY_VALUE", "now"),
            ],
            Receivers::Same,
            Some((1.1, 1.03)),
        )
    },
];

const fn often(
    title: &'static str,
    settings: &'static [Setting],
    receivers: Receivers,
    budget: Option<(f64, f64)>,
) -> Variant {
    Variant { title, settings, receivers, budget, one_caller: true, counted: !settings.is_empty() }
}

/// With sixteen callers alone.
const fn rare(
    title: &'static str,
    settings: &'static [Setting],
    receivers: Receivers,
    budget: Option<(f64, f64)>,
) -> Variant {
    Variant { one_caller: false, counted: false, ..often(title, settings, receivers, budget) }
}

/// Runs it.
pub fn run(bench: &Bench<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    bench.run_rounds(
        &mut outcome,
        |name| name == PeerName::Chatpush,
        |_, outcome| {
            for variant in VARIANTS {
                for (callers, what) in [(1, "1 caller"), (16, "16 callers")] {
                    if callers > 1 || variant.one_caller {
                        eprintln!("    {}, {what}", variant.title);
                        measure(bench, variant, (callers, what), outcome)?;
                    }
                }
            }
            Ok(())
        },
    );
    outcome.counts.extend(counters::count(bench.env, bench.choose(2_000, 500))?);
    Ok(outcome)
}

/// Compares an installation with the option and one without it.
fn measure(
    bench: &Bench<'_>,
    variant: Variant,
    (callers, what): (u32, &'static str),
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let env: &BenchEnv = bench.env;
    let without = Installation::start(env, &[])?;
    let with = Installation::start(env, variant.settings)?;
    let (users, pairs) = match variant.receivers {
        Receivers::Same => (1_000, bench.choose(if variant.one_caller { 60 } else { 20 }, 2)),
        // So that the receivers suffice.
        Receivers::New => (USERS, bench.choose(12, 2)),
    };
    let (one, other) = alternate((&without, &with), Load { callers, users, pairs })?;
    let metric = format!("{}, {what}", variant.title);
    for (title, slices) in [(WITHOUT, &one), (variant.title, &other)] {
        let median = |values: &[f64]| Spread::of(values).map_or(0.0, |spread| spread.median);
        outcome.metrics.record(&metric, "rows/s", title, median(&slices.rates));
        outcome.metrics.record(&format!("{metric}, CPU per row"), "µs", title, median(&slices.cpu) * 1e6);
    }
    let time = ratios(&one, &other, |slices| &slices.rates, true);
    let cpu = ratios(&one, &other, |slices| &slices.cpu, false);
    for (metric, ratios) in [("time", time), ("CPU", cpu)] {
        let interval = Interval::of(&ratios).map(|interval| interval.text()).unwrap_or_default();
        eprintln!("      {metric} per row × {interval}");
        add(outcome, variant, &format!("{metric} per row, {what}"), ratios);
    }
    without.remove()?;
    with.remove()
}

/// How many times as much the second one takes, by pairs.
fn ratios(one: &Slices, other: &Slices, of: fn(&Slices) -> &Vec<f64>, is_rate: bool) -> Vec<f64> {
    let pairs = of(one).iter().zip(of(other));
    pairs.map(|(one, other)| if is_rate { one / other } else { other / one }).collect()
}

/// Adds the pairs of a round to those of the others.
fn add(outcome: &mut Outcome, variant: Variant, metric: &str, ratios: Vec<f64>) {
    let known =
        outcome.paired.iter_mut().find(|known| known.metric == metric && known.option == variant.title);
    if let Some(known) = known {
        known.ratios.extend(ratios);
    } else {
        let Variant { title, budget, .. } = variant;
        outcome.paired.push(PairedRatios { metric: metric.to_owned(), option: title, ratios, budget });
    }
}
