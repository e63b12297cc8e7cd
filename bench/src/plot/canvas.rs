//! The canvas of all plots: title, axes, colours, legend and caption.

use std::fmt::Write as _;

use crate::number_format::format_number;

/// Width of every plot, in pixels.
pub(super) const WIDTH: f64 = 960.0;
const LEFT: f64 = 76.0;
const TOP: f64 = 56.0;

/// chatpush stands out. The other colours, mostly Okabe and Ito's, can be told apart with colour blindness.
const PRODUCT: &str = "#d55e00";
const FLOOR: &str = "#8a8f98";
const PEERS: [(&str, &str); 7] = [
    ("nchan", "#009e73"),
    ("nchan, 2 workers", "#66c2a5"),
    ("socket.io", "#b58900"),
    ("Centrifugo", "#6a51a3"),
    ("Sockudo", "#4d4d4d"),
    ("GatewayWorker", "#0072b2"),
    ("phpredis, PDO", "#8a8f98"),
];
const OTHERS: [&str; 7] = ["#0072b2", "#56b4e9", "#009e73", "#cc79a7", "#b58900", "#6a51a3", "#4d4d4d"];

/// A canvas with a plot area, whose position and size are in pixels.
pub(super) struct Canvas {
    text: String,
    pub(super) left: f64,
    pub(super) width: f64,
    pub(super) top: f64,
    pub(super) height: f64,
}

impl Canvas {
    /// A canvas whose plot area has this height and these margins on the left (default: room for numbers) and
    /// right.
    pub(super) fn new(title: &str, left: Option<f64>, right: f64, height: f64) -> Self {
        let left = left.unwrap_or(LEFT);
        let mut canvas = Self { text: String::new(), left, width: WIDTH - left - right, top: TOP, height };
        canvas.label(24.0, 32.0, "start", "title", title);
        canvas
    }

    /// The x position of a fraction of the plot area's width.
    pub(super) fn x(&self, fraction: f64) -> f64 {
        self.left + fraction * self.width
    }

    /// The y position of a fraction of the plot area's height, from the bottom.
    pub(super) fn y(&self, fraction: f64) -> f64 {
        self.top + (1.0 - fraction) * self.height
    }

    /// A grid line of the vertical axis with its number.
    pub(super) fn number_up(&mut self, fraction: f64, number: f64) {
        self.tick_up(fraction, &format_tick(number));
    }

    /// A grid line of the horizontal axis with its number.
    pub(super) fn number_across(&mut self, fraction: f64, number: f64) {
        self.tick_across(fraction, &format_tick(number));
    }

    /// A grid line of the vertical axis with its label.
    pub(super) fn tick_up(&mut self, fraction: f64, text: &str) {
        let (y, left, right) = (self.y(fraction), self.left, self.left + self.width);
        self.draw(&format!("<path class=\"grid\" d=\"M{left:.1} {y:.1}H{right:.1}\"/>"));
        self.label(left - 8.0, y + 4.0, "end", "tick", text);
    }

    /// A grid line of the horizontal axis with its label.
    pub(super) fn tick_across(&mut self, fraction: f64, text: &str) {
        let (x, top, bottom) = (self.x(fraction), self.top, self.top + self.height);
        self.draw(&format!("<path class=\"grid\" d=\"M{x:.1} {top:.1}V{bottom:.1}\"/>"));
        self.label(x, bottom + 20.0, "middle", "tick", text);
    }

    /// The titles of the axes.
    pub(super) fn axis_titles(&mut self, across: &str, up: &str) {
        let (middle, bottom) = (self.x(0.5), self.top + self.height + 42.0);
        self.label(middle, bottom, "middle", "axis", across);
        let center = self.y(0.5);
        let text = escape(up);
        self.draw(&format!(
            "<text class=\"axis\" text-anchor=\"middle\" \
             transform=\"translate(20 {center:.1}) rotate(-90)\">{text}</text>"
        ));
    }

    /// Text of a CSS class at a position.
    pub(super) fn label(&mut self, x: f64, y: f64, anchor: &str, class: &str, text: &str) {
        let text = escape(text);
        self.draw(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" class=\"{class}\">{text}</text>"
        ));
    }

    /// A line through points. Those of chatpush are thicker; the floor's is dashed.
    pub(super) fn line(&mut self, points: &[(f64, f64)], name: &str, colour: &str) {
        let mut path = String::new();
        for (number, (x, y)) in points.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = write!(path, "{}{x:.1} {y:.1}", if number == 0 { "M" } else { "L" });
        }
        let width = if name.starts_with("chatpush") { 3.0 } else { 1.8 };
        let dashes = if name == "floor" { " stroke-dasharray=\"6 4\"" } else { "" };
        self.draw(&format!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" \
             stroke-linejoin=\"round\"{dashes}/>"
        ));
    }

    /// The legend, to the right of the plot area.
    pub(super) fn legend(&mut self, names: &[(&str, &str)]) {
        let x = self.left + self.width + 20.0;
        for (number, (name, colour)) in names.iter().enumerate() {
            let y = self.top + 12.0 + 24.0 * number as f64;
            self.line(&[(x, y), (x + 22.0, y)], name, colour);
            self.label(x + 30.0, y + 4.0, "start", "legend", name);
        }
    }

    /// Adds an SVG element.
    pub(super) fn draw(&mut self, element: &str) {
        self.text += element;
        self.text.push('\n');
    }

    /// The complete SVG, with the caption below the plot area.
    pub(super) fn finish(mut self, caption: &[String]) -> String {
        let mut y = self.top + self.height + 76.0;
        for line in caption.iter().flat_map(|line| wrap(line)) {
            self.label(24.0, y, "start", "caption", &line);
            y += 16.0;
        }
        let text = self.text;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{y}\" \
             viewBox=\"0 0 {WIDTH} {y}\">\n\
             <style>text{{font-family:system-ui,\"Segoe UI\",Roboto,\"DejaVu Sans\",sans-serif;fill:#24292f}}\
             .title{{font-size:18px;font-weight:600}}.tick,.legend,.value{{font-size:13px}}\
             .axis{{font-size:13px;fill:#57606a}}\
             .caption{{font-size:11px;fill:#57606a}}.grid{{stroke:#d8dee4;stroke-width:1}}</style>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{text}</svg>\n"
        )
    }
}

/// The colour of a line or bar. chatpush, the floor and the peers have the same colour in every plot; others
/// get one by their index.
pub(super) fn colour(name: &str, index: usize) -> &'static str {
    match name {
        "chatpush" => PRODUCT,
        "floor" => FLOOR,
        _ => {
            let known = PEERS.iter().find(|(peer, _)| *peer == name);
            known.map_or(OTHERS[index % OTHERS.len()], |(_, colour)| colour)
        }
    }
}

/// Ticks of a logarithmic axis for a range: powers of ten, and their multiples by 2 and 5 if there is room.
pub(super) fn logarithmic(least: f64, most: f64) -> Vec<f64> {
    let (low, high) = (least.max(1e-6).log10().floor() as i32, most.max(1e-6).log10().ceil() as i32);
    let steps: &[f64] = if high - low <= 3 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let ticks = (low..=high).flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)));
    let ticks: Vec<f64> = ticks.collect();
    let begin = ticks.iter().rposition(|tick| *tick <= least).unwrap_or(0);
    let end = ticks.iter().position(|tick| *tick >= most).unwrap_or(ticks.len() - 1);
    ticks.get(begin..=end).map(<[f64]>::to_vec).unwrap_or(ticks)
}

/// Ticks of a linear axis from zero to `most` or more.
pub(super) fn linear(most: f64) -> Vec<f64> {
    let rough = most.max(1e-9) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(rough);
    (0..=(most / step).ceil() as u32).map(|number| f64::from(number) * step).collect()
}

/// Formats a number without trailing zeros behind its point.
fn format_tick(number: f64) -> String {
    let text = format_number(number);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Splits a caption at commas into lines of about 150 bytes.
fn wrap(line: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split_inclusive(", ") {
        if lines.last().is_some_and(|last| last.len() + word.len() > 150) {
            lines.push(String::new());
        }
        if let Some(last) = lines.last_mut() {
            *last += word;
        }
    }
    lines
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_cover_the_range() {
        assert_eq!(linear(9.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        let ticks = logarithmic(70.0, 9_000.0);
        assert_eq!((ticks.first(), ticks.last()), (Some(&50.0), Some(&10_000.0)));
        assert_eq!(escape("a < b & c"), "a &lt; b &amp; c");
    }
}
