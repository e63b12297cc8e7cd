//! Lines over a logarithmic horizontal axis.

use crate::plot::Point;
use crate::plot::canvas::{Canvas, colour, linear};

pub(super) fn draw(
    title: &str,
    (across, up): (&str, &str),
    series: &[(String, Vec<Point>)],
    caption: &[String],
) -> String {
    let longest = series.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    // Long names go below the plot area.
    let below = longest > 22;
    let mut canvas = Canvas::new(title, None, if below { 40.0 } else { 190.0 }, 360.0);
    let points = || series.iter().flat_map(|(_, points)| points);
    let mut columns: Vec<f64> = points().map(|point| point.x).collect();
    columns.sort_by(f64::total_cmp);
    columns.dedup();
    let (Some(first), Some(last)) = (columns.first(), columns.last()) else { return canvas.finish(caption) };
    let (first, width) = (first.log2(), (last / first).log2().max(1.0));
    let ticks = linear(points().map(|point| point.y.max).fold(0.0, f64::max));
    let top_tick = ticks[ticks.len() - 1];
    for tick in &ticks {
        canvas.number_up(tick / top_tick, *tick);
    }
    for column in &columns {
        canvas.number_across((column.log2() - first) / width, *column);
    }
    canvas.axis_titles(across, up);
    let mut names = Vec::new();
    for (index, (name, points)) in series.iter().enumerate() {
        let colour = colour(name, index);
        let mut drawn = Vec::new();
        for Point { x, y } in points {
            let x = canvas.x((x.log2() - first) / width);
            let (middle, low, high) =
                (canvas.y(y.median / top_tick), canvas.y(y.min / top_tick), canvas.y(y.max / top_tick));
            canvas.draw(&format!(
                "<path d=\"M{x:.1} {low:.1}V{high:.1}\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
            ));
            canvas.draw(&format!("<circle cx=\"{x:.1}\" cy=\"{middle:.1}\" r=\"4\" fill=\"{colour}\"/>"));
            drawn.push((x, middle));
        }
        canvas.line(&drawn, name, colour);
        names.push((name.as_str(), colour));
    }
    if below {
        legend_below(&mut canvas, &names);
    } else {
        canvas.legend(&names);
    }
    canvas.finish(caption)
}

/// The legend in two columns below the plot area. The canvas grows by its height.
fn legend_below(canvas: &mut Canvas, names: &[(&str, &str)]) {
    let top = canvas.top + canvas.height + 70.0;
    for (number, (name, colour)) in names.iter().enumerate() {
        let (x, y) = (canvas.left + 430.0 * (number % 2) as f64, top + 24.0 * (number / 2) as f64);
        canvas.line(&[(x, y), (x + 22.0, y)], name, colour);
        canvas.label(x + 30.0, y + 4.0, "start", "legend", name);
    }
    canvas.height += 24.0 * names.len().div_ceil(2) as f64 + 8.0;
}
