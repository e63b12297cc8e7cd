//! The table of targets.

mod token;
mod client_frame;
mod tracking;
mod origin;
mod client_ip;
mod proxy_protocol;
mod entry;
mod envelope;
mod frame;
mod query;
mod resp;
mod id;

/// Checks one input, and panics if an invariant does not hold.
pub type Run = fn(&[u8]);

const TARGETS: &[(&str, Run)] = &[
    ("token", token::run),
    ("client_frame", client_frame::run),
    ("tracking", tracking::run),
    ("origin", origin::run),
    ("client_ip", client_ip::run),
    ("proxy_protocol", proxy_protocol::run),
    ("entry", entry::run),
    ("envelope", envelope::run),
    ("frame", frame::run),
    ("query", query::run),
    ("resp", resp::run),
    ("id", id::run),
];

/// Returns the target of that name.
pub fn named(name: &str) -> Option<Run> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, run)| *run)
}
