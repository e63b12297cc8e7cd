//! The masters of a cluster: an open connection to each, or why it could not be reached.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chatpush_wire::address::Endpoint;

use super::super::connection::Connection;
use super::super::error::LinkError;
use crate::settings::Settings;

/// What is kept of each.
#[derive(Debug, Default)]
pub(super) struct Masters(BTreeMap<Endpoint, State>);

#[derive(Debug)]
enum State {
    Closed,
    Open(Box<Connection>),
    /// It could not be reached, and calls that need it fail until then. The others do not.
    Unreachable {
        cause: Arc<LinkError>,
        until: Instant,
    },
}

impl Masters {
    /// Those with an open connection.
    pub(super) fn open(&self) -> impl Iterator<Item = &Endpoint> {
        self.0.iter().filter(|(_, state)| matches!(state, State::Open(_))).map(|(endpoint, _)| endpoint)
    }

    /// Whether there is an open connection.
    pub(super) fn is_open(&self, endpoint: &Endpoint) -> bool {
        matches!(self.0.get(endpoint), Some(State::Open(_)))
    }

    /// Why it could not be reached, and for how long it is not tried again; then one try decides.
    pub(super) fn back_off(&self, endpoint: &Endpoint) -> Option<(&Arc<LinkError>, Duration)> {
        match self.0.get(endpoint) {
            Some(State::Unreachable { cause, until }) => {
                Some((cause, until.saturating_duration_since(Instant::now())))
            }
            _ => None,
        }
    }

    /// Lets calls that need it fail at once until then.
    pub(super) fn fail(&mut self, endpoint: Endpoint, cause: Arc<LinkError>, until: Instant) {
        self.0.insert(endpoint, State::Unreachable { cause, until });
    }

    /// Takes the kept connection if it can be used.
    pub(super) fn take_open(&mut self, endpoint: &Endpoint) -> Option<Box<Connection>> {
        let state = self.0.get_mut(endpoint)?;
        if !matches!(state, State::Open(_)) {
            return None;
        }
        let State::Open(mut connection) = std::mem::replace(state, State::Closed) else { return None };
        connection.is_alive().then_some(connection)
    }

    /// Takes the kept connection if it can be used. Opens a new one otherwise, for at most
    /// `chatpush.connect_timeout_ms`.
    pub(super) fn take(
        &mut self,
        endpoint: &Endpoint,
        settings: &Settings,
        deadline: Instant,
    ) -> Result<Box<Connection>, LinkError> {
        if let Some(connection) = self.take_open(endpoint) {
            return Ok(connection);
        }
        let until = deadline.min(Instant::now() + settings.connect_timeout);
        // A call whose request is not acknowledged has the other half of its time for another connection.
        let opened = Connection::open_to(endpoint, &settings.address, settings.timeout / 2, until);
        opened.map(Box::new).map_err(|cause| of_node(endpoint, cause))
    }

    /// Keeps a connection for the next call.
    pub(super) fn keep(&mut self, connection: Box<Connection>) {
        match self.0.get_mut(connection.endpoint()) {
            Some(state) => *state = State::Open(connection),
            None => {
                self.0.insert(connection.endpoint().clone(), State::Open(connection));
            }
        }
    }

    /// Closes the connections to all others.
    pub(super) fn retain(&mut self, is_master: impl Fn(&Endpoint) -> bool) {
        self.0.retain(|endpoint, _| is_master(endpoint));
    }
}

/// The error with the node's name, where it does not come from Redis.
pub(super) fn of_node(endpoint: &Endpoint, cause: LinkError) -> LinkError {
    match cause {
        cause @ LinkError::Redis(_) => cause,
        cause => LinkError::Node(endpoint.to_string(), Box::new(cause)),
    }
}
