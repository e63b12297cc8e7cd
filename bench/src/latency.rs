//! A histogram of latencies with three significant digits.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The highest latency that the histogram can hold, in nanoseconds: five minutes. Longer ones count as this.
const HIGHEST: u64 = 300_000_000_000;

/// Latencies in nanoseconds and how often each occurred.
#[derive(Clone, Debug)]
pub struct LatencyHistogram(Histogram<u64>);

/// A histogram in the form that is sent between processes: pairs of a value and its count.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Buckets(Vec<(u64, u64)>);

impl Default for LatencyHistogram {
    fn default() -> Self {
        let bounds = Histogram::new_with_bounds(1, HIGHEST, 3);
        Self(bounds.unwrap_or_else(|_| unreachable!("the bounds are valid")))
    }
}

impl LatencyHistogram {
    /// Adds one latency.
    pub fn record(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds.clamp(1, HIGHEST));
    }

    /// Adds the buckets of another histogram.
    pub fn merge(&mut self, buckets: &Buckets) {
        for (value, count) in &buckets.0 {
            self.0.saturating_record_n(*value, *count);
        }
    }

    /// All buckets that are not empty.
    pub fn buckets(&self) -> Buckets {
        let recorded = self.0.iter_recorded();
        Buckets(recorded.map(|step| (step.value_iterated_to(), step.count_at_value())).collect())
    }

    /// The number of latencies.
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether it holds no latency.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The latency that `percent` of all do not exceed, in microseconds.
    pub fn percentile(&self, percent: f64) -> f64 {
        micros(self.0.value_at_percentile(percent))
    }

    /// The highest latency, in microseconds.
    pub fn max(&self) -> f64 {
        micros(self.0.max())
    }

    /// How many latencies are at least `nanoseconds`.
    pub fn count_at_least(&self, nanoseconds: u64) -> u64 {
        self.0.len() - self.0.count_between(0, nanoseconds.saturating_sub(1))
    }

    /// Pairs of a percentile and its latency in microseconds. The percentiles are evenly spaced on a scale on
    /// which 90, 99 and 99.9 are equally far apart. The last is the highest that at least one latency
    /// exceeds.
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
    fn buckets_carry_a_histogram_between_processes() {
        let mut here = LatencyHistogram::default();
        (1..=1_000).for_each(|value| here.record(value * 1_000));
        let mut there = LatencyHistogram::default();
        there.merge(&here.buckets());
        assert_eq!(there.len(), 1_000);
        assert!((there.percentile(50.0) - 500.0).abs() < 1.0, "{}", there.percentile(50.0));
        assert_eq!(there.count_at_least(900_500), 100);
    }

    #[test]
    fn a_percentile_curve_ends_at_the_last_meaningful_percentile() {
        let mut latencies = LatencyHistogram::default();
        (1..=100).for_each(|value| latencies.record(value));
        let last = latencies.percentile_curve().last().copied().expect("a curve");
        assert!((last.0 - 99.0).abs() < 0.01, "{last:?}");
    }
}
