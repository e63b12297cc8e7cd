//! What serves a demand.

use serde::Serialize;

use super::costs::Costs;
use super::demand::Demand;

/// Connections of one daemon: a limit that can be raised (`limits.connections`), but then a crash disconnects more at
/// once.
const CONNECTIONS: f64 = 50_000.0;

/// Memory of a machine for daemons, in bytes.
const MEMORY: f64 = 4.0 * GIB;

const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

/// Microseconds in a second.
const SECOND: f64 = 1e6;

/// How much is needed of something.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Need {
    pub(super) what: &'static str,
    pub(super) amount: f64,
    pub(super) unit: &'static str,
    /// How much one of them has.
    pub(super) most: f64,
    /// How many are needed.
    pub(super) whole: f64,
    /// Whether more of them can be added without a change of the application.
    pub(super) grows: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Plan {
    pub(super) needs: Vec<Need>,
}

impl Plan {
    /// `busy`: how much of a processor may be used.
    pub(super) fn of(demand: &Demand, costs: &Costs, busy: f64) -> Self {
        let Demand { connections, watched, rows, frames, changes, .. } = *demand;
        // Each row is deleted when its receiver confirms it. That costs less than a store: one statement for many.
        let written = rows * 2.0;
        // As many watch a user as a user watches.
        let daemons = written * costs.row_daemon
            + frames * costs.frame_daemon
            + connections * costs.idle
            + changes * watched * costs.change_daemon;
        let redis = written * costs.row_redis + frames * costs.frame_redis + changes * costs.change_redis;
        let mysql = written * costs.row_mysql;
        let memory = connections * (costs.connection_bytes + watched * costs.watched_bytes);
        let need = |what, amount: f64, unit, most: f64, grows| Need {
            what,
            amount,
            unit,
            most,
            whole: (amount / most).ceil().max(1.0),
            grows,
        };
        Self {
            needs: vec![
                need("daemons, connections", connections, "", CONNECTIONS, true),
                need("daemons, processors", daemons / SECOND, "", busy, true),
                need("daemons, memory", memory / GIB, "GiB", MEMORY / GIB, true),
                need("Redis, its one processor", redis / SECOND, "", busy, false),
                // It has one connection to MySQL, which executes its statements one after the other.
                need("the writer", written, "rows/s", SECOND / costs.row_mysql * busy, false),
                need("MySQL, processors", mysql / SECOND, "", busy, true),
            ],
        }
    }

    /// What is nearest to its limit, or furthest beyond it, of what cannot be added to.
    pub(super) fn tightest(&self) -> Option<&Need> {
        let fixed = self.needs.iter().filter(|need| !need.grows);
        fixed.max_by(|one, other| one.share().total_cmp(&other.share()))
    }
}

impl Need {
    /// How much of one is needed.
    pub(super) fn share(&self) -> f64 {
        self.amount / self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number_format::format_number;

    const COSTS: Costs = Costs {
        row_daemon: 10.0,
        row_redis: 20.0,
        row_mysql: 30.0,
        frame_daemon: 40.0,
        frame_redis: 50.0,
        idle: 1.0,
        change_daemon: 2.0,
        change_redis: 100.0,
        connection_bytes: 8_192.0,
        watched_bytes: 4.0,
    };

    #[test]
    fn needs_are_the_sum_of_their_parts() {
        let demand = Demand {
            connections: 100_000.0,
            watched: 10.0,
            messages: 500.0,
            rows: 1_000.0,
            frames: 2_000.0,
            changes: 500.0,
        };
        let plan = Plan::of(&demand, &COSTS, 0.5);
        let amounts: Vec<_> = plan.needs.iter().map(|need| format_number(need.amount)).collect();
        assert_eq!(amounts, ["100,000", "0.210", "0.767", "0.190", "2,000", "0.060"]);
        let whole: Vec<_> = plan.needs.iter().map(|need| format_number(need.whole)).collect();
        assert_eq!(whole, ["2.00", "1.00", "1.00", "1.00", "1.00", "1.00"]);
        assert_eq!(plan.tightest().map(|need| need.what), Some("Redis, its one processor"));
    }
}
