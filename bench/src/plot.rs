//! Plots as SVG: delays over percentiles, lines, bars.

mod bars;
mod canvas;
mod lines;
mod percentiles;

use crate::delays::Delays;
use crate::rounds::{Measure, Spread};

/// A plot and what it shows.
#[derive(Clone, Debug)]
pub struct Chart {
    title: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Percentiles(Vec<(String, Delays)>),
    Lines { across: String, up: String, series: Vec<(String, Vec<Point>)> },
    Bars { unit: String, bars: Vec<(String, Spread)> },
}

/// A value somewhere on a line.
#[derive(Clone, Copy, Debug)]
struct Point {
    x: f64,
    y: Spread,
}

impl Chart {
    /// Delays over percentiles, both on scales that give the tail its room.
    pub fn percentiles(title: &str) -> Self {
        Self { title: title.to_owned(), kind: Kind::Percentiles(Vec::new()) }
    }

    /// Lines with an axis across and one up.
    pub fn lines(title: &str, across: &str, up: &str) -> Self {
        let (across, up) = (across.to_owned(), up.to_owned());
        Self { title: title.to_owned(), kind: Kind::Lines { across, up, series: Vec::new() } }
    }

    /// A bar for each peer.
    pub fn bars(title: &str, measure: &Measure) -> Self {
        let bars = measure.peers.iter().filter_map(|(peer, _)| Some((peer.clone(), measure.of(peer)?)));
        let kind = Kind::Bars { unit: measure.unit.to_owned(), bars: bars.collect() };
        Self { title: title.to_owned(), kind }
    }

    /// Adds delays to a curve of percentiles.
    pub fn add_delays(&mut self, name: &str, delays: &Delays) {
        if let Kind::Percentiles(series) = &mut self.kind {
            entry(series, name).add(&delays.pairs());
        }
    }

    /// Adds what each peer reached to its line.
    pub fn add_points(&mut self, x: f64, measure: &Measure) {
        if let Kind::Lines { series, .. } = &mut self.kind {
            for (peer, _) in &measure.peers {
                let point = measure.of(peer).map(|y| Point { x, y });
                entry(series, peer).extend(point);
            }
        }
    }

    /// Adds one point to a line.
    pub fn add_point(&mut self, name: &str, x: f64, value: f64) {
        if let Kind::Lines { series, .. } = &mut self.kind {
            let y = Spread { median: value, least: value, most: value };
            entry(series, name).push(Point { x, y });
        }
    }

    /// The picture.
    pub fn svg(&self, caption: &[String]) -> String {
        match &self.kind {
            Kind::Percentiles(series) => percentiles::draw(&self.title, series, caption),
            Kind::Lines { across, up, series } => lines::draw(&self.title, (across, up), series, caption),
            Kind::Bars { unit, bars } => bars::draw(&self.title, unit, bars, caption),
        }
    }
}

/// The value of a name, in the order in which names come up.
fn entry<'a, T: Default>(list: &'a mut Vec<(String, T)>, name: &str) -> &'a mut T {
    let at = list.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        list.push((name.to_owned(), T::default()));
        list.len() - 1
    });
    &mut list[at].1
}
