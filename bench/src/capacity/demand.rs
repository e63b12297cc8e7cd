//! What an application does in each second of its busiest minute.

use serde::Serialize;

use super::Arguments;

const SECONDS_PER_DAY: f64 = 86_400.0;

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Demand {
    /// Open connections.
    pub(super) connections: f64,
    /// Users whose presence a connection watches.
    pub(super) watched: f64,
    /// Messages that are sent.
    pub(super) messages: f64,
    /// Stored messages, one for each receiver.
    pub(super) rows: f64,
    /// Frames to clients: of the messages for users who are connected.
    pub(super) frames: f64,
    /// Users who come or go.
    pub(super) changes: f64,
}

impl Demand {
    pub(super) fn of(arguments: &Arguments) -> Self {
        let Arguments { users, online, devices, messages, receivers, peak, watched, session, .. } =
            *arguments;
        let users = users as f64;
        let connected = users * online / 100.0;
        let messages = users * messages / SECONDS_PER_DAY * peak;
        let rows = messages * receivers;
        Self {
            connections: connected * devices,
            watched,
            messages,
            rows,
            frames: rows * online / 100.0 * devices,
            changes: 2.0 * connected / (session * 60.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn busiest_minute_follows_from_the_day() {
        let words = "capacity --users 864000 --online 50 --devices 2 --messages 10 --receivers 3 --peak 4 --session 10";
        let demand = Demand::of(&Arguments::parse_from(words.split(' ')));
        assert_eq!((demand.connections, demand.messages, demand.rows), (864_000.0, 400.0, 1_200.0));
        assert_eq!((demand.frames, demand.changes), (1_200.0, 1_440.0));
    }
}
