//! A bar for each peer, with a whisker from the lowest to the highest round.

use crate::metrics::Spread;
use crate::number_format::format_number;
use crate::plot::canvas::{Canvas, colour, linear};

/// Distance between the tops of two bars, in pixels.
const STEP: f64 = 34.0;

pub(super) fn draw(title: &str, unit: &str, bars: &[(String, Spread)], caption: &[String]) -> String {
    let longest = bars.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let left = 30.0 + 7.4 * longest as f64;
    let mut canvas = Canvas::new(title, Some(left), 110.0, STEP * bars.len() as f64 + 6.0);
    let ticks = linear(bars.iter().map(|(_, spread)| spread.max).fold(0.0, f64::max));
    let top_tick = ticks[ticks.len() - 1];
    for tick in &ticks {
        canvas.number_across(tick / top_tick, *tick);
    }
    canvas.axis_titles(unit, "");
    for (index, (name, Spread { median, min, max })) in bars.iter().enumerate() {
        let y = canvas.top + 6.0 + STEP * index as f64;
        let (start, end) = (canvas.x(0.0), canvas.x(median / top_tick));
        let (width, middle) = (end - start, y + 12.0);
        let product = if name.starts_with("chatpush") { "chatpush" } else { name };
        canvas.draw(&format!(
            "<rect x=\"{start:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"24\" rx=\"2\" fill=\"{}\"/>",
            colour(product, index)
        ));
        let (low, high) = (canvas.x(min / top_tick), canvas.x(max / top_tick));
        canvas.draw(&format!(
            "<path d=\"M{low:.1} {middle:.1}H{high:.1}M{low:.1} {:.1}v8M{high:.1} {:.1}v8\" \
             stroke=\"#24292f\" fill=\"none\"/>",
            middle - 4.0,
            middle - 4.0
        ));
        canvas.label(start - 8.0, middle + 4.0, "end", "legend", name);
        canvas.label(
            high + 8.0,
            middle + 4.0,
            "start",
            "value",
            &format!("{} {unit}", format_number(*median)),
        );
    }
    canvas.finish(caption)
}
