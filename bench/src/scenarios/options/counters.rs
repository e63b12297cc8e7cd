//! What MariaDB and Redis count of a store: no other program on the machine changes that.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::installation::Installation;
use super::{VARIANTS, Variant, WITHOUT};
use crate::bench_env::BenchEnv;
use crate::counts::CountTable;
use crate::publisher::ClosedLoop;
use crate::scenarios::CONTENT_BYTES;

/// Counters of MariaDB, by how their names begin.
const MARIADB: [&str; 7] =
    ["Com_", "Handler_", "Innodb_rows_", "Innodb_os_log_written", "Bytes_", "Queries", "Rows_read"];

/// Until what the daemon does about a store every second is done.
const SETTLE: Duration = Duration::from_secs(3);

/// Fewer of a store are not shown.
const LEAST: f64 = 0.02;

type Counters = BTreeMap<String, f64>;

/// Counts of one caller's stores to an installation with each option, and without any: the first messages of so many
/// receivers, then second ones.
pub(super) fn count(env: &BenchEnv, receivers: u32) -> anyhow::Result<[CountTable; 3]> {
    let titles = [
        "Counts of a store to a receiver for whom nothing waits".to_owned(),
        "Counts of a store to a receiver for whom a message waits".to_owned(),
        "Counts of a second in which nothing happens".to_owned(),
    ];
    let mut found = titles.map(|title| (title, Vec::new()));
    let without = Variant { title: WITHOUT, settings: &[], ..VARIANTS[0] };
    let variants = [without].into_iter().chain(VARIANTS.into_iter().filter(|variant| variant.counted));
    let variants: Vec<_> = variants.collect();
    for variant in &variants {
        let counted = of_variant(env, *variant, receivers)?;
        for ((_, counters), counted) in found.iter_mut().zip(counted) {
            counters.push(counted);
        }
    }
    let columns: Vec<_> = variants.iter().map(|variant| variant.title.to_owned()).collect();
    Ok(found.map(|(title, counters)| table(title, columns.clone(), &counters)))
}

fn of_variant(env: &BenchEnv, variant: Variant, receivers: u32) -> anyhow::Result<[Counters; 3]> {
    let installation = Installation::start(env, variant.settings)?;
    let load = ClosedLoop {
        call: "store",
        callers: 1,
        first_user: 1,
        users: receivers,
        calls: receivers,
        content_bytes: CONTENT_BYTES,
        ..ClosedLoop::default()
    };
    // Until the daemon writes.
    thread::sleep(SETTLE);
    let (before, start) = (counters(env)?, Instant::now());
    thread::sleep(SETTLE);
    let second = difference(&counters(env)?, &before, start.elapsed().as_secs_f64());
    let of_stores = || {
        let publishers = load.start(&installation.php)?;
        let (before, start) = (counters(env)?, Instant::now());
        let accepted = publishers.run()?.accepted();
        ensure!(accepted == u64::from(receivers), "{accepted} of {receivers} stores were accepted");
        thread::sleep(SETTLE);
        let (mut all, seconds) = (difference(&counters(env)?, &before, 1.0), start.elapsed().as_secs_f64());
        for (name, value) in &mut all {
            *value = (*value - seconds * second.get(name).copied().unwrap_or(0.0)) / f64::from(receivers);
        }
        anyhow::Ok(all)
    };
    let counted = [of_stores()?, of_stores()?, second.clone()];
    installation.remove()?;
    Ok(counted)
}

fn table(title: String, columns: Vec<String>, counters: &[Counters]) -> CountTable {
    let names: BTreeSet<_> = counters.iter().flat_map(BTreeMap::keys).collect();
    let rows = names.into_iter().map(|name| {
        let values = counters.iter().map(|counters| counters.get(name).copied().unwrap_or(0.0));
        (name.clone(), values.collect::<Vec<_>>())
    });
    let rows = rows.filter(|(_, values)| values.iter().any(|value| value.abs() >= LEAST)).collect();
    CountTable { title, columns, rows }
}

/// What was counted between two times, divided by `by`.
fn difference(after: &Counters, before: &Counters, by: f64) -> Counters {
    let since = |(name, value): (&String, &f64)| {
        (name.clone(), (value - before.get(name).copied().unwrap_or(0.0)) / by)
    };
    after.iter().map(since).collect()
}

fn counters(env: &BenchEnv) -> anyhow::Result<Counters> {
    let mut found = Counters::new();
    for line in env.sql("SHOW GLOBAL STATUS")?.lines() {
        if let Some((name, value)) = line.split_once('\t')
            && MARIADB.iter().any(|begin| name.starts_with(begin))
            && let Ok(value) = value.parse()
        {
            found.insert(name.to_owned(), value);
        }
    }
    let info = Command::new("redis-cli").args(["-s", &env.redis_socket(), "INFO", "everything"]).output();
    for line in String::from_utf8(info.context("cannot start redis-cli")?.stdout)?.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        if let Some(command) = name.strip_prefix("cmdstat_") {
            let calls = value.split(',').find_map(|field| field.strip_prefix("calls="));
            let calls = calls.and_then(|calls| calls.parse().ok());
            found.insert(format!("Redis: {command}"), calls.context("Redis counts no calls")?);
        } else if matches!(name, "total_net_input_bytes" | "total_net_output_bytes") {
            found.insert(format!("Redis: {name}"), value.trim().parse()?);
        }
    }
    Ok(found)
}
