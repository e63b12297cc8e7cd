//! What something costs, from pairs of measurements that follow each other: how many times as much as without it.

use serde::Serialize;

/// The ratios of pairs, and what they must not exceed.
#[derive(Clone, Debug)]
pub struct PairedRatios {
    /// What is compared.
    pub metric: String,
    /// With what.
    pub option: &'static str,
    /// One for each pair.
    pub ratios: Vec<f64>,
    /// At most this, and the value to aim for; none for what is not judged.
    pub budget: Option<(f64, f64)>,
}

/// The median of ratios, and the interval that holds it with a probability of 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The number of pairs.
    pub pairs: usize,
    /// The median.
    pub median: f64,
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// What an interval says of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// All of it is within the budget.
    #[serde(rename = "met")]
    Met,
    /// Some of it is.
    #[serde(rename = "not shown")]
    NotShown,
    /// None of it is.
    #[serde(rename = "missed")]
    Missed,
}

impl PairedRatios {
    /// The interval; none without pairs.
    pub fn interval(&self) -> Option<Interval> {
        Interval::of(&self.ratios)
    }

    /// The line of a report on the budget, if there is one.
    pub fn judged(&self) -> Option<String> {
        let ((most, goal), interval) = (self.budget?, self.interval()?);
        let word = match (interval.within(most), interval.within(goal)) {
            (Verdict::Met, Verdict::Met) => "met, goal reached",
            (Verdict::Met, _) => "met",
            (Verdict::NotShown, _) => "not shown",
            (Verdict::Missed, _) => "MISSED",
        };
        let Self { metric, option, .. } = self;
        Some(format!("{word:<18} {option}: {metric}, at most {most} ×, goal {goal} ×: {}", interval.text()))
    }
}

impl Interval {
    /// By order statistics: of `n` values that do not depend on each other, the number below the median is binomial, so
    /// the values of rank `n/2 ± 0.98 √n` enclose it with a probability of 95 %, however they are distributed.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (pairs, last) = (sorted.len(), sorted.len().checked_sub(1)?);
        let rank = (pairs as f64 / 2.0 - 0.98 * (pairs as f64).sqrt()).floor().max(1.0) as usize;
        let below = rank - 1;
        let median = f64::midpoint(sorted[last / 2], sorted[pairs / 2]);
        Some(Self { pairs, median, low: sorted[below], high: sorted[last - below] })
    }

    /// Whether it is at most this.
    pub fn within(&self, most: f64) -> Verdict {
        if self.high <= most {
            Verdict::Met
        } else if self.low <= most {
            Verdict::NotShown
        } else {
            Verdict::Missed
        }
    }

    /// For a table.
    pub fn text(&self) -> String {
        format!("{:.3} ({:.3}–{:.3}) of {} pairs", self.median, self.low, self.high, self.pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_median_in_95_of_100_samples() {
        // A generator that gives the same numbers each time (xorshift64).
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Skewed, with a median of 1.
            2f64.powf((state >> 11) as f64 / (1u64 << 53) as f64 * 4.0 - 2.0)
        };
        let held = (0..2_000).filter(|_| {
            let values: Vec<f64> = (0..100).map(|_| next()).collect();
            let Interval { low, high, .. } = Interval::of(&values).expect("there are values");
            (low..=high).contains(&1.0)
        });
        let held = held.count();
        assert!((1_890..=1_960).contains(&held), "{held} of 2,000");
    }

    #[test]
    fn a_budget_is_met_only_by_the_whole_interval() {
        let values: Vec<f64> = (0..100).map(|number| 1.0 + f64::from(number) / 1_000.0).collect();
        let interval = Interval::of(&values).expect("there are values");
        assert!((interval.median - 1.0495).abs() < 1e-9, "{interval:?}");
        assert_eq!((interval.low, interval.high), (1.039, 1.06));
        assert_eq!(interval.within(1.07), Verdict::Met);
        assert_eq!(interval.within(1.05), Verdict::NotShown);
        assert_eq!(interval.within(1.03), Verdict::Missed);
        assert_eq!(Interval::of(&[]), None);
        assert_eq!(Interval::of(&[2.0]).map(|one| (one.low, one.high)), Some((2.0, 2.0)));
    }
}
