//! The metrics of a scenario. Peers are compared within each round, since what disturbs a round disturbs all
//! peers.

use serde::Serialize;

/// The metrics of a scenario, in the order in which they were first recorded.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Metrics(Vec<Metric>);

/// One metric.
#[derive(Clone, Debug, Serialize)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Its unit.
    pub unit: &'static str,
    /// The values of each peer, one per round.
    pub peers: Vec<(String, Vec<f64>)>,
}

/// The median and the range of some values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Metrics {
    /// Records a peer's value of one round.
    pub fn record(&mut self, name: &str, unit: &'static str, peer: &str, value: f64) {
        let at = self.0.iter().position(|metric| metric.name == name).unwrap_or_else(|| {
            self.0.push(Metric { name: name.to_owned(), unit, peers: Vec::new() });
            self.0.len() - 1
        });
        let peers = &mut self.0[at].peers;
        match peers.iter_mut().find(|(known, _)| known == peer) {
            Some((_, values)) => values.push(value),
            None => peers.push((peer.to_owned(), vec![value])),
        }
    }

    /// All metrics.
    pub fn all(&self) -> &[Metric] {
        &self.0
    }

    /// The metric of this name.
    pub fn get(&self, name: &str) -> Option<&Metric> {
        self.0.iter().find(|metric| metric.name == name)
    }
}

impl Metric {
    /// The values of one peer.
    pub fn of(&self, peer: &str) -> Option<Spread> {
        Spread::of(self.values(peer)?)
    }

    /// A function of two peers' values, such as their ratio, computed within each round.
    pub fn compare(&self, one: &str, other: &str, with: impl Fn(f64, f64) -> f64) -> Option<Spread> {
        let pairs = self.values(one)?.iter().zip(self.values(other)?);
        Spread::of(&pairs.map(|(one, other)| with(*one, *other)).collect::<Vec<_>>())
    }

    fn values(&self, peer: &str) -> Option<&Vec<f64>> {
        self.peers.iter().find(|(name, _)| name == peer).map(|(_, values)| values)
    }
}

impl Spread {
    /// The spread of some values; none if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self { median, min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_round() {
        let mut metrics = Metrics::default();
        for (ours, theirs) in [(10.0, 20.0), (30.0, 40.0), (20.0, 20.0)] {
            metrics.record("p50", "µs", "ours", ours);
            metrics.record("p50", "µs", "theirs", theirs);
        }
        let metric = metrics.get("p50").expect("it is recorded");
        let ratio = metric.compare("ours", "theirs", |ours, theirs| ours / theirs);
        assert_eq!(ratio, Some(Spread { median: 0.75, min: 0.5, max: 1.0 }));
        assert_eq!(metric.of("idle"), None);
    }
}
