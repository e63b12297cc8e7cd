//! Delays as a histogram that keeps three digits of each.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest delay that is told from longer ones, in nanoseconds: five minutes.
const LONGEST: u64 = 300_000_000_000;

/// How often each delay was seen, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Delays(Histogram<u64>);

/// A histogram on its way between processes: values and how often each was seen.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Pairs(Vec<(u64, u64)>);

impl Default for Delays {
    fn default() -> Self {
        let bounds = Histogram::new_with_bounds(1, LONGEST, 3);
        Self(bounds.unwrap_or_else(|_| unreachable!("the bounds are as the crate asks for")))
    }
}

impl Delays {
    /// Adds a delay.
    pub fn note(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds.clamp(1, LONGEST));
    }

    /// Adds what was seen elsewhere.
    pub fn add(&mut self, pairs: &Pairs) {
        for (value, count) in &pairs.0 {
            self.0.saturating_record_n(*value, *count);
        }
    }

    /// Everything that was seen.
    pub fn pairs(&self) -> Pairs {
        let seen = self.0.iter_recorded();
        Pairs(seen.map(|step| (step.value_iterated_to(), step.count_at_value())).collect())
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The delay that `percent` of all stay within, in microseconds.
    pub fn percentile(&self, percent: f64) -> f64 {
        micros(self.0.value_at_percentile(percent))
    }

    /// The longest, in microseconds.
    pub fn longest(&self) -> f64 {
        micros(self.0.max())
    }

    /// How many are at least as long as `nanoseconds`.
    pub fn at_least(&self, nanoseconds: u64) -> u64 {
        self.0.len() - self.0.count_between(0, nanoseconds.saturating_sub(1))
    }

    /// Delays in microseconds at percentiles that lie evenly on a scale on which 90, 99 and 99.9 are equally
    /// far apart, up to the last that more than one delay stands behind.
    pub fn curve(&self) -> Vec<(f64, f64)> {
        let mut curve = Vec::new();
        for step in 0..=100 {
            let nines = f64::from(step) / 20.0;
            let percent = 100.0 * (1.0 - 10f64.powf(-nines));
            if self.is_empty() || self.len() < 10f64.powf(nines) as u64 {
                break;
            }
            curve.push((percent, self.percentile(percent)));
        }
        curve
    }
}

fn micros(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_travel_between_processes() {
        let mut here = Delays::default();
        (1..=1_000).for_each(|value| here.note(value * 1_000));
        let mut there = Delays::default();
        there.add(&here.pairs());
        assert_eq!(there.len(), 1_000);
        assert!((there.percentile(50.0) - 500.0).abs() < 1.0, "{}", there.percentile(50.0));
        assert_eq!(there.at_least(900_500), 100);
    }

    #[test]
    fn a_curve_ends_where_single_delays_begin() {
        let mut delays = Delays::default();
        (1..=100).for_each(|value| delays.note(value));
        let last = delays.curve().last().copied().expect("a curve");
        assert!((last.0 - 99.0).abs() < 0.01, "{last:?}");
    }
}
