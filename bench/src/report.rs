//! The report of a scenario: a table, JSON and plots.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use crate::budget::BudgetResult;
use crate::machine::Machine;
use crate::metrics::{Metric, Spread};
use crate::number_format::format_number;
use crate::paired::PairedRatios;
use crate::peers::PeerName;
use crate::scenarios::{Outcome, Scenario};

/// A scenario and its results.
pub struct Report<'a> {
    scenario: Scenario,
    outcome: Outcome,
    machine: &'a Machine,
    rounds: u32,
    budget_results: Vec<BudgetResult>,
}

impl<'a> Report<'a> {
    /// Evaluates the budgets of the outcome.
    pub fn new(scenario: Scenario, outcome: Outcome, machine: &'a Machine, rounds: u32) -> Self {
        let evaluate =
            |budget: &crate::budget::Budget| budget.evaluate(&outcome.metrics, PeerName::Chatpush.title());
        let budget_results = outcome.budgets.iter().filter_map(evaluate).collect();
        Self { scenario, outcome, machine, rounds, budget_results }
    }

    /// Prints the table, and writes the table, the JSON and the plots into a folder.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let table = self.table()?;
        println!("{table}");
        let name = self.scenario.name();
        std::fs::write(
            folder.join(format!("{name}.json")),
            serde_json::to_string_pretty(&self.json())? + "\n",
        )?;
        std::fs::write(folder.join(format!("{name}.txt")), table)?;
        for (file, chart) in &self.outcome.charts {
            let caption = [self.machine.caption(), self.machine.versions()];
            std::fs::write(folder.join(format!("{file}.svg")), chart.svg(&caption))?;
        }
        if let Some(profile) = &self.outcome.profile {
            std::fs::write(folder.join(format!("{name}-profile.txt")), profile)?;
        }
        Ok(())
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "scenario": self.scenario.name(),
            "title": self.scenario.title(),
            "machine": self.machine,
            "rounds": self.rounds,
            "metrics": self.outcome.metrics,
            "budgets": self.budget_results,
            "paired": self.paired_json(),
            "counts": self.outcome.counts,
            "notes": self.outcome.notes,
        })
    }

    fn table(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        writeln!(text, "\n{}: {}", self.scenario.name(), self.scenario.title())?;
        writeln!(text, "{}\n{}", self.machine.caption(), self.machine.versions())?;
        let rounds =
            if self.rounds == 1 { String::new() } else { format!(" (min–max of {} rounds)", self.rounds) };
        writeln!(text, "Medians{rounds}; × is chatpush's figure divided by the peer's, within each round.")?;
        for metric in self.outcome.metrics.all() {
            if metric.peers.iter().all(|(_, values)| values.iter().all(|value| *value == 0.0)) {
                writeln!(text, "\n{}: 0 for every peer", metric.name)?;
                continue;
            }
            let unit = if metric.unit.is_empty() { String::new() } else { format!(" [{}]", metric.unit) };
            writeln!(text, "\n{}{unit}", metric.name)?;
            for (peer, _) in &metric.peers {
                if let Some(line) = peer_line(metric, peer) {
                    writeln!(text, "{}", line.trim_end())?;
                }
            }
        }
        self.write_paired(&mut text)?;
        let judged: Vec<_> = self.outcome.paired.iter().filter_map(PairedRatios::judged).collect();
        if !self.budget_results.is_empty() || !judged.is_empty() {
            writeln!(text, "\nBudgets")?;
        }
        for BudgetResult { budget, spread, met, goal } in &self.budget_results {
            let word = match (met, goal) {
                (true, true) => "met, goal reached",
                (true, false) => "met",
                _ => "MISSED",
            };
            writeln!(text, "  {word:<18} {budget}: {}", format_spread(*spread))?;
        }
        for line in judged {
            writeln!(text, "  {line}")?;
        }
        for table in &self.outcome.counts {
            writeln!(text, "\n{}", table.text())?;
        }
        for note in &self.outcome.notes {
            writeln!(text, "\n{note}")?;
        }
        Ok(text)
    }

    /// Each ratio of pairs, by what was compared.
    fn write_paired(&self, text: &mut String) -> std::fmt::Result {
        let mut metrics: Vec<&str> = Vec::new();
        for PairedRatios { metric, .. } in &self.outcome.paired {
            if !metrics.contains(&&**metric) {
                metrics.push(metric);
            }
        }
        for metric in metrics {
            writeln!(text, "\n{metric}, × that without: median of pairs (95 % confidence)")?;
            for ratios in self.outcome.paired.iter().filter(|ratios| ratios.metric == metric) {
                if let Some(interval) = ratios.interval() {
                    writeln!(text, "  {:<34} {}", ratios.option, interval.text())?;
                }
            }
        }
        Ok(())
    }

    fn paired_json(&self) -> Vec<serde_json::Value> {
        let json = |ratios: &PairedRatios| {
            let interval = ratios.interval()?;
            let (most, goal) = ratios.budget.unzip();
            Some(json!({
                "metric": ratios.metric,
                "option": ratios.option,
                "interval": interval,
                "most": most,
                "goal": goal,
                "verdict": most.map(|most| interval.within(most)),
            }))
        };
        self.outcome.paired.iter().filter_map(json).collect()
    }
}

/// The line of one peer: its values, and chatpush's relative to them.
fn peer_line(metric: &Metric, peer: &str) -> Option<String> {
    let product = PeerName::Chatpush.title();
    let reached = format_spread(metric.of(peer)?);
    let ratio = metric.compare(product, peer, |ours, theirs| ours / theirs).filter(|_| peer != product);
    let ratio = ratio.map(|ratio| format!("× {}", format_spread(ratio))).unwrap_or_default();
    Some(format!("  {peer:<34} {reached:<28} {ratio}"))
}

/// The median, with the range unless the values are equal.
fn format_spread(spread: Spread) -> String {
    let Spread { median, min, max } = spread;
    let (median, min, max) = (format_number(median), format_number(min), format_number(max));
    if min == max { median } else { format!("{median} ({min}–{max})") }
}
