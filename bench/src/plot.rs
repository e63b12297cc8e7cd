//! Plots in SVG: latencies over percentiles, lines, bars.

mod bars;
mod canvas;
mod lines;
mod percentiles;

use crate::latency::LatencyHistogram;
use crate::metrics::{Metric, Spread};

/// A plot and its data.
#[derive(Clone, Debug)]
pub struct Chart {
    title: String,
    kind: ChartKind,
}

#[derive(Clone, Debug)]
enum ChartKind {
    Percentiles(Vec<(String, LatencyHistogram)>),
    Lines { across: String, up: String, series: Vec<(String, Vec<Point>)> },
    Bars { unit: String, bars: Vec<(String, Spread)> },
}

/// A point of a line.
#[derive(Clone, Copy, Debug)]
struct Point {
    x: f64,
    y: Spread,
}

impl Chart {
    /// Latencies over percentiles. Both axes are logarithmic, which shows the tail.
    pub fn percentiles(title: &str) -> Self {
        Self { title: title.to_owned(), kind: ChartKind::Percentiles(Vec::new()) }
    }

    /// Lines. `across` and `up` name the axes.
    pub fn lines(title: &str, across: &str, up: &str) -> Self {
        let (across, up) = (across.to_owned(), up.to_owned());
        Self { title: title.to_owned(), kind: ChartKind::Lines { across, up, series: Vec::new() } }
    }

    /// A bar for each peer.
    pub fn bars(title: &str, metric: &Metric) -> Self {
        let bars = metric.peers.iter().filter_map(|(peer, _)| Some((peer.clone(), metric.of(peer)?)));
        let kind = ChartKind::Bars { unit: metric.unit.to_owned(), bars: bars.collect() };
        Self { title: title.to_owned(), kind }
    }

    /// Adds latencies to the curve of this name.
    pub fn add_latencies(&mut self, name: &str, latencies: &LatencyHistogram) {
        if let ChartKind::Percentiles(series) = &mut self.kind {
            entry(series, name).merge(&latencies.buckets());
        }
    }

    /// Adds a point for each peer to its line.
    pub fn add_points(&mut self, x: f64, metric: &Metric) {
        if let ChartKind::Lines { series, .. } = &mut self.kind {
            for (peer, _) in &metric.peers {
                let point = metric.of(peer).map(|y| Point { x, y });
                entry(series, peer).extend(point);
            }
        }
    }

    /// Adds one point to the line of this name.
    pub fn add_point(&mut self, name: &str, x: f64, value: f64) {
        if let ChartKind::Lines { series, .. } = &mut self.kind {
            let y = Spread { median: value, min: value, max: value };
            entry(series, name).push(Point { x, y });
        }
    }

    /// Draws the plot.
    pub fn svg(&self, caption: &[String]) -> String {
        match &self.kind {
            ChartKind::Percentiles(series) => percentiles::draw(&self.title, series, caption),
            ChartKind::Lines { across, up, series } => {
                lines::draw(&self.title, (across, up), series, caption)
            }
            ChartKind::Bars { unit, bars } => bars::draw(&self.title, unit, bars, caption),
        }
    }
}

/// The value of a name, added behind the others if it is new.
fn entry<'a, T: Default>(list: &'a mut Vec<(String, T)>, name: &str) -> &'a mut T {
    let at = list.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        list.push((name.to_owned(), T::default()));
        list.len() - 1
    });
    &mut list[at].1
}
