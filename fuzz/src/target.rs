//! The table of targets.

mod token;
mod client;
mod session;
mod origin;
mod address;
mod proxied;
mod entry;
mod envelope;
mod frame;
mod exchange;
mod name;

/// Looks at one input, and panics if something does not hold.
pub type Run = fn(&[u8]);

const TARGETS: &[(&str, Run)] = &[
    ("token", token::run),
    ("client", client::run),
    ("session", session::run),
    ("origin", origin::run),
    ("address", address::run),
    ("proxied", proxied::run),
    ("entry", entry::run),
    ("envelope", envelope::run),
    ("frame", frame::run),
    ("exchange", exchange::run),
    ("name", name::run),
];

/// The target of that name.
pub fn named(name: &str) -> Option<Run> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, run)| *run)
}
