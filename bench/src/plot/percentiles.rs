//! Latencies over percentiles.

use crate::latency::LatencyHistogram;
use crate::plot::canvas::{Canvas, colour, logarithmic};

const TICKS: [(f64, &str); 7] = [
    (0.0, "0"),
    (50.0, "50"),
    (90.0, "90"),
    (99.0, "99"),
    (99.9, "99.9"),
    (99.99, "99.99"),
    (99.999, "99.999 %"),
];

pub(super) fn draw(title: &str, series: &[(String, LatencyHistogram)], caption: &[String]) -> String {
    let mut canvas = Canvas::new(title, None, 190.0, 380.0);
    let curves: Vec<_> =
        series.iter().map(|(name, latencies)| (name, latencies.percentile_curve())).collect();
    // The lowest tenth does not count for the range of the axis: a few very fast values would stretch it.
    let shown = |(percent, _): &&(f64, f64)| *percent > 10.0;
    let values = || curves.iter().flat_map(|(_, curve)| curve.iter().filter(shown).map(|(_, value)| *value));
    let furthest = curves.iter().filter_map(|(_, curve)| curve.last()).map(|(percent, _)| nines(*percent));
    let furthest = furthest.fold(1.0, f64::max);
    let (least, most) = (values().fold(f64::MAX, f64::min), values().fold(1.0, f64::max));
    let ticks = logarithmic(least.min(most), most);
    let (low, high) = (ticks[0].log10(), ticks[ticks.len() - 1].log10());
    for tick in &ticks {
        canvas.tick_up((tick.log10() - low) / (high - low), &format_time(*tick));
    }
    for (percent, text) in TICKS {
        if nines(percent) <= furthest + 1e-6 {
            canvas.tick_across(nines(percent) / furthest, text);
        }
    }
    canvas.axis_titles("percentile of messages or calls", "latency");
    let mut names = Vec::new();
    for (index, (name, curve)) in curves.iter().enumerate() {
        let colour = colour(name, index);
        let points: Vec<_> = curve
            .iter()
            .map(|(percent, value)| {
                let up = (value.max(ticks[0]).log10() - low) / (high - low);
                (canvas.x(nines(*percent) / furthest), canvas.y(up))
            })
            .collect();
        canvas.line(&points, name, colour);
        names.push((name.as_str(), colour));
    }
    canvas.legend(&names);
    canvas.finish(caption)
}

/// The number of nines of a percentile: 90 has one, 99 has two.
fn nines(percent: f64) -> f64 {
    -(1.0 - percent / 100.0).log10()
}

/// Formats a time in µs, ms or s.
fn format_time(micros: f64) -> String {
    match micros {
        _ if micros >= 1_000_000.0 => format!("{} s", micros / 1_000_000.0),
        _ if micros >= 1_000.0 => format!("{} ms", micros / 1_000.0),
        _ => format!("{micros} µs"),
    }
}
