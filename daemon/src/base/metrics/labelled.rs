//! Counters with one label.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

/// A label and its value.
pub(super) type Label = [(&'static str, &'static str); 1];

/// A counter for each value of one label. The value is looked up, so this is for what is rare; what happens for
/// each message keeps a counter.
#[derive(Debug)]
pub(crate) struct Labelled {
    label: &'static str,
    pub(super) family: Family<Label, Counter>,
}

impl Labelled {
    /// Counters that are 0 for these values, since Prometheus sees no increase of what was not there before.
    pub(super) fn new(label: &'static str, known: &[&'static str]) -> Self {
        let labelled = Self { label, family: Family::default() };
        for value in known {
            labelled.add(value, 0);
        }
        labelled
    }

    /// Counts one more with this value of the label.
    pub(crate) fn increment(&self, value: &'static str) {
        self.add(value, 1);
    }

    /// Counts so many more with this value of the label.
    pub(crate) fn add(&self, value: &'static str, more: usize) {
        self.family.get_or_create(&[(self.label, value)]).inc_by(more as u64);
    }
}
