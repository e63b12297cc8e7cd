//! Latencies as a histogram that keeps three digits of each.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest delay that is told from longer ones, in nanoseconds: five minutes.
const LONGEST: u64 = 300_000_000_000;

/// How often each delay was seen, in nanoseconds.
#[derive(Clone, Debug)]
pub struct LatencyHistogram(Histogram<u64>);

/// A histogram on its way between processes: values and how often each was seen.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Buckets(Vec<(u64, u64)>);

impl Default for LatencyHistogram {
    fn default() -> Self {
        let bounds = Histogram::new_with_bounds(1, LONGEST, 3);
        Self(bounds.unwrap_or_else(|_| unreachable!("the bounds are as the crate asks for")))
    }
}

impl LatencyHistogram {
    /// Adds a delay.
    pub fn record(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds.clamp(1, LONGEST));
    }

    /// Adds what was seen elsewhere.
    pub fn merge(&mut self, buckets: &Buckets) {
        for (value, count) in &buckets.0 {
            self.0.saturating_record_n(*value, *count);
        }
    }

    /// Everything that was seen.
    pub fn buckets(&self) -> Buckets {
        let seen = self.0.iter_recorded();
        Buckets(seen.map(|step| (step.value_iterated_to(), step.count_at_value())).collect())
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
    pub fn max(&self) -> f64 {
        micros(self.0.max())
    }

    /// How many are at least as long as `nanoseconds`.
    pub fn count_at_least(&self, nanoseconds: u64) -> u64 {
        self.0.len() - self.0.count_between(0, nanoseconds.saturating_sub(1))
    }

    /// Latencies in microseconds at percentiles that lie evenly on a scale on which 90, 99 and 99.9 are equally
    /// far apart, up to the last that more than one delay stands behind.
    pub fn percentile_curve(&self) -> Vec<(f64, f64)> {
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
        let mut here = LatencyHistogram::default();
        (1..=1_000).for_each(|value| here.record(value * 1_000));
        let mut there = LatencyHistogram::default();
        there.merge(&here.buckets());
        assert_eq!(there.len(), 1_000);
        assert!((there.percentile(50.0) - 500.0).abs() < 1.0, "{}", there.percentile(50.0));
        assert_eq!(there.count_at_least(900_500), 100);
    }

    #[test]
    fn a_curve_ends_where_single_delays_begin() {
        let mut latencies = LatencyHistogram::default();
        (1..=100).for_each(|value| latencies.record(value));
        let last = latencies.percentile_curve().last().copied().expect("a curve");
        assert!((last.0 - 99.0).abs() < 0.01, "{last:?}");
    }
}
