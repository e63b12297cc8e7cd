//! Formats numbers for tables and plots.

/// Formats a number with about three significant digits and commas between thousands.
pub fn format_number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size == 0.0 || size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').map_or((&*text, None), |(whole, part)| (whole, Some(part)));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match fraction {
        Some(fraction) => format!("{sign}{grouped}.{fraction}"),
        None => format!("{sign}{grouped}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_about_three_digits() {
        let shown: Vec<_> =
            [0.0, 0.1234, 1.2345, 12.345, 123.45, 1_234_567.8, -1_234.0].map(format_number).into();
        assert_eq!(shown, ["0", "0.123", "1.23", "12.3", "123", "1,234,568", "-1,234"]);
    }
}
