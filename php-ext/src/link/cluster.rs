//! A Redis Cluster: a connection to each master that is needed, and what a process knows of all of them.
//!
//! A node that `ASK` names is not asked for anything but the installation record: until the slot has moved as a whole,
//! daemons stay subscribed at the old master. So `ASK`, too, means to try again.

mod execute;
mod masters;
mod parts;
mod record;
mod route;
mod topology;
mod transfer;
mod tries;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use chatpush_wire::address::{Address, Endpoint};
use chatpush_wire::id::UserIdType;
use chatpush_wire::installation::Installation;
use chatpush_wire::key::Prefix;

use self::masters::Masters;
use self::topology::Known;
use super::error::LinkError;
use crate::settings::Settings;

pub(super) use self::execute::execute;
pub(super) use self::parts::execute_parts;

/// What a process knows of a cluster, and its connections.
#[derive(Debug)]
struct Cluster {
    address: Address,
    /// The process that opened the connections. A forked child must not use them.
    process: u32,
    known: Known,
    masters: Masters,
    /// The installation that was read last, its prefix, and when that was.
    installation: Option<(Prefix, Installation, Instant)>,
    outage: Option<Outage>,
}

/// Why calls fail at once for a while, whatever their master.
#[derive(Debug)]
struct Outage {
    cause: Arc<LinkError>,
    until: Instant,
    /// Whether the cluster goes on to publish: it serves no keys.
    publishes: bool,
}

/// A failed try.
#[derive(Debug)]
struct Failed {
    /// The master that was to execute it, if one was found.
    endpoint: Option<Endpoint>,
    /// Whether Redis may have everything that it takes for an effect.
    sent: bool,
    cause: LinkError,
}

thread_local! {
    /// Empty while a call is under way, so that nothing is borrowed when the engine is entered.
    static CLUSTER: RefCell<Option<Box<Cluster>>> = const { RefCell::new(None) };
}

impl Cluster {
    /// Takes what is known of the configured cluster. Of another one, everything is closed.
    fn take(settings: &Settings) -> Box<Self> {
        CLUSTER.take().filter(|kept| kept.is_own() && kept.address == settings.address).unwrap_or_else(|| {
            Box::new(Self {
                address: settings.address.clone(),
                process: std::process::id(),
                known: Known::default(),
                masters: Masters::default(),
                installation: None,
                outage: None,
            })
        })
    }

    /// Keeps it for the next call.
    fn keep(self: Box<Self>) {
        CLUSTER.set(Some(self));
    }

    fn is_own(&self) -> bool {
        self.process == std::process::id()
    }
}

/// Closes all connections, and forgets what is known.
pub(super) fn close() {
    CLUSTER.set(None);
}

/// The type of user ids of the settings' installation, if it is known.
pub(super) fn user_id_type(settings: &Settings) -> Option<UserIdType> {
    CLUSTER.with_borrow(|cluster| {
        let cluster = cluster.as_ref().filter(|cluster| cluster.is_own())?;
        let (prefix, record, _) = cluster.installation.as_ref()?;
        (cluster.address == settings.address && *prefix == settings.prefix).then_some(record.user_id_type)
    })
}

/// Forgets the installation, so that the next call reads it.
pub(super) fn forget_installation() {
    CLUSTER.with_borrow_mut(|cluster| {
        if let Some(cluster) = cluster {
            cluster.installation = None;
        }
    });
}

/// The address of the cluster with the masters that are connected, if any is.
pub(super) fn open_addresses() -> Option<String> {
    CLUSTER.with_borrow(|cluster| {
        let cluster = cluster.as_ref().filter(|cluster| cluster.is_own())?;
        let mut text = cluster.address.to_string();
        let mut separator = ": ";
        for master in cluster.masters.open() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{separator}{master}");
            separator = ", ";
        }
        (separator == ", ").then_some(text)
    })
}
