//! What is said of a scenario: a table for the terminal, JSON, plots.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use crate::digits::digits;
use crate::machine::Machine;
use crate::peers::Name;
use crate::rounds::{Measure, Spread};
use crate::scenarios::{Outcome, Scenario};
use crate::verdict::Verdict;

/// A scenario with all that came of it.
pub struct Report<'a> {
    scenario: Scenario,
    outcome: Outcome,
    machine: &'a Machine,
    rounds: u32,
    verdicts: Vec<Verdict>,
}

impl<'a> Report<'a> {
    /// Holds the outcome against its budgets.
    pub fn new(scenario: Scenario, outcome: Outcome, machine: &'a Machine, rounds: u32) -> Self {
        let judge = |budget: &crate::verdict::Budget| budget.judge(&outcome.figures, Name::Chatpush.title());
        let verdicts = outcome.budgets.iter().filter_map(judge).collect();
        Self { scenario, outcome, machine, rounds, verdicts }
    }

    /// Prints the table and writes everything else into a folder.
    pub fn publish(&self, folder: &Path) -> anyhow::Result<()> {
        println!("{}", self.table());
        let name = self.scenario.name();
        std::fs::write(
            folder.join(format!("{name}.json")),
            serde_json::to_string_pretty(&self.json())? + "\n",
        )?;
        std::fs::write(folder.join(format!("{name}.txt")), self.table())?;
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
            "measures": self.outcome.figures,
            "budgets": self.verdicts,
            "notes": self.outcome.notes,
        })
    }

    fn table(&self) -> String {
        let mut text = format!("\n{}: {}\n", self.scenario.name(), self.scenario.title());
        for line in [self.machine.caption(), self.machine.versions()] {
            text += &format!("{line}\n");
        }
        let rounds =
            if self.rounds == 1 { String::new() } else { format!(" (least–most of {})", self.rounds) };
        text += &format!("Medians{rounds}; × is what chatpush's figure is to the peer's, round by round.\n");
        for measure in self.outcome.figures.measures() {
            let unit = if measure.unit.is_empty() { String::new() } else { format!(" [{}]", measure.unit) };
            if measure.peers.iter().all(|(_, values)| values.iter().all(|value| *value == 0.0)) {
                text += &format!("\n{}: 0 for everybody\n", measure.name);
                continue;
            }
            text += &format!("\n{}{unit}\n", measure.name);
            for (peer, _) in &measure.peers {
                text += &line(measure, peer);
            }
        }
        if !self.verdicts.is_empty() {
            text += "\nBudgets\n";
        }
        for Verdict { budget, spread, met, goal } in &self.verdicts {
            let word = match (met, goal) {
                (true, true) => "met, and the goal",
                (true, false) => "met",
                _ => "MISSED",
            };
            text += &format!("  {word:<18} {budget}: {}\n", shown(*spread));
        }
        for note in &self.outcome.notes {
            text += &format!("\n{note}\n");
        }
        text
    }
}

fn line(measure: &Measure, peer: &str) -> String {
    let mut line = String::new();
    let Some(spread) = measure.of(peer) else { return line };
    let product = Name::Chatpush.title();
    let ratio = measure.compare(product, peer, |ours, theirs| ours / theirs);
    // Writing to a text cannot fail.
    let _ = write!(line, "  {peer:<30} {:<28}", shown(spread));
    if let Some(ratio) = ratio.filter(|_| peer != product) {
        let _ = write!(line, " × {}", shown(ratio));
    }
    line.truncate(line.trim_end().len());
    line + "\n"
}

/// The median, and the ends where they differ.
fn shown(spread: Spread) -> String {
    let Spread { median, least, most } = spread;
    let (median, least, most) = (digits(median), digits(least), digits(most));
    if least == most { median } else { format!("{median} ({least}–{most})") }
}
