//! Budgets for chatpush's metrics, and whether they are met.

use serde::Serialize;

use crate::metrics::{Metrics, Spread};

/// The limit for a metric of chatpush. `Budget::goal` is in the same terms.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// At most this many times the peer's value.
    AtMostTimes(f64, &'static str),
    /// At least this many times the peer's value.
    AtLeastTimes(f64, &'static str),
    /// At most this much above the peer's value.
    AtMostAbove(f64, &'static str),
    /// At most this value.
    AtMost(f64),
}

/// A budget for one metric.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The name of the metric.
    pub metric: &'static str,
    /// The limit.
    pub rule: Rule,
    /// The value to aim for beyond the limit.
    pub goal: f64,
}

/// A budget and the measured values.
#[derive(Clone, Debug, Serialize)]
pub struct BudgetResult {
    /// The budget as text.
    pub budget: String,
    /// The measured values, in the terms of the rule.
    pub spread: Spread,
    /// Whether the median is within the limit.
    pub met: bool,
    /// Whether the median reaches the goal.
    pub goal: bool,
}

impl Budget {
    /// Compares the values of `product` with the budget; none if they, or those of the rule's peer, are
    /// missing.
    pub fn evaluate(&self, metrics: &Metrics, product: &str) -> Option<BudgetResult> {
        let metric = metrics.get(self.metric)?;
        let (unit, goal) = (metric.unit, self.goal);
        let times = |peer| metric.compare(product, peer, |ours, theirs| ours / theirs);
        let (words, spread, met, goal) = match self.rule {
            Rule::AtMostTimes(most, peer) => {
                let spread = times(peer)?;
                let words = format!("at most {most} × {peer}, goal {goal} ×");
                (words, spread, spread.median <= most, spread.median <= goal)
            }
            Rule::AtLeastTimes(least, peer) => {
                let spread = times(peer)?;
                let words = format!("at least {least} × {peer}, goal {goal} ×");
                (words, spread, spread.median >= least, spread.median >= goal)
            }
            Rule::AtMostAbove(most, peer) => {
                let spread = metric.compare(product, peer, |ours, theirs| ours - theirs)?;
                let words = format!("at most {most} {unit} above the {peer}, goal {goal} {unit}");
                (words, spread, spread.median <= most, spread.median <= goal)
            }
            Rule::AtMost(most) => {
                let spread = metric.of(product)?;
                let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
                let words = format!("at most {most}{unit}, goal {goal}{unit}");
                (words, spread, spread.median <= most, spread.median <= goal)
            }
        };
        Some(BudgetResult { budget: format!("{}: {words}", self.metric), spread, met, goal })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_met_or_missed_by_the_median() {
        let mut metrics = Metrics::default();
        for (ours, theirs) in [(8.0, 10.0), (9.0, 10.0), (12.0, 10.0)] {
            metrics.record("p50", "µs", "ours", ours);
            metrics.record("p50", "µs", "theirs", theirs);
        }
        let judge = |rule, goal| {
            Budget { metric: "p50", rule, goal }.evaluate(&metrics, "ours").expect("both are measured")
        };
        assert!(judge(Rule::AtMostTimes(0.9, "theirs"), 0.8).met);
        assert!(!judge(Rule::AtMostTimes(0.9, "theirs"), 0.8).goal);
        assert!(!judge(Rule::AtMostTimes(0.89, "theirs"), 0.8).met);
        assert!(!judge(Rule::AtLeastTimes(1.0, "theirs"), 2.0).met);
        assert!(judge(Rule::AtMostAbove(-1.0, "theirs"), -1.0).goal);
        assert!(judge(Rule::AtMost(9.0), 8.0).met);
    }
}
