//! Counts that no other program on the machine changes, in a table.

use std::fmt::Write as _;

use serde::Serialize;

use crate::number_format::format_number;

/// A table of counts.
#[derive(Clone, Debug, Serialize)]
pub struct CountTable {
    /// What was counted.
    pub title: String,
    /// What it was counted of.
    pub columns: Vec<String>,
    /// The name of a counter, and its values.
    pub rows: Vec<(String, Vec<f64>)>,
}

impl CountTable {
    /// The table as text.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n  {:<30}", self.title, "");
        // Writing to a string does not fail.
        for column in &self.columns {
            let _ = write!(text, " {column:>22}");
        }
        for (name, values) in &self.rows {
            let _ = write!(text, "\n  {name:<30}");
            for value in values {
                let _ = write!(text, " {:>22}", format_number(*value));
            }
        }
        text
    }
}
