//! A query to a daemon, which answers it from MySQL.

use chatpush_wire::limit::{QUERY_TTL, WAITING_QUERIES};
use chatpush_wire::lua::QUERY;
use chatpush_wire::query::{Query, QueryRequest};
use chatpush_wire::reply::Reply;

use super::reply;
use crate::error::Error;
use crate::exchange::{Awaits, Keys, Progress, ScriptCall};
use crate::link::{self, Known, Unanswered};
use crate::settings::Call;

/// What is known of a read without an answer.
const NOT_READ: &Unanswered = &Unanswered {
    known: Known::NotQueued,
    text: "chatpushd did not answer in time (is MySQL away or behind?)",
};

/// What is known of a write without an answer.
const PERHAPS_WRITTEN: &Unanswered = &Unanswered {
    known: Known::Unknown,
    text: "chatpushd did not answer in time (is MySQL away or behind?), but it may have been done; call it again",
};

/// Sends a query and waits for the answer.
pub(super) fn query(call: &Call, query: Query) -> Result<Reply, Error> {
    let partition = query.partition();
    let prefix = &call.prefix;
    let unanswered = unanswered(&query);
    let keys = |daemon: &str| {
        vec![
            prefix.log(partition),
            prefix.query_channel(partition, daemon),
            prefix.daemons_channel(partition),
            prefix.query_list(partition),
        ]
    };
    let mut script = ScriptCall {
        script: &QUERY,
        keys: Keys::ForDaemon(&keys),
        arguments: vec![
            QueryRequest::encode(query).into(),
            WAITING_QUERIES.to_string().into(),
            QUERY_TTL.as_millis().to_string().into(),
        ],
        repeatable: true,
        partition,
        prefix,
        content: None,
        entries: 0,
        awaits: Awaits::Daemon,
        unanswered,
        progress: Progress::default(),
    };
    let done = link::execute(call, &mut script, call.deadline()).map_err(Error::from);
    // What a query writes, it writes once.
    reply(done.map_err(Error::idempotent)?)
}

/// What is known of a query without an answer. A lease ends by itself, so it counts as read.
const fn unanswered(query: &Query) -> &'static Unanswered {
    match query {
        Query::Rows { .. } | Query::Unread { .. } | Query::UnreadCounts { .. } | Query::Due { .. } => {
            NOT_READ
        }
        Query::MarkNotified { .. }
        | Query::SavePushSubscription { .. }
        | Query::RemovePushSubscription { .. } => PERHAPS_WRITTEN,
    }
}
