//! Users who have connected, until that is recorded in MySQL: a killed daemon, or a MySQL that is away, loses none.

use std::collections::BTreeMap;

use chatpush_wire::id::{UserId, UserIdType};
use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;
use redis::Script;

use super::scripts::{RECORDED, RETURNED};
use super::{BrokerError, Commands};

/// Users in one call of a script.
const SCRIPT_USERS: usize = 256;

/// A user who has connected.
#[derive(Clone, Debug)]
pub(crate) struct Marked {
    /// The user.
    pub(crate) user: UserId,
    /// When, in milliseconds of MySQL's clock, if it is noted again.
    pub(crate) connected_at: Option<u64>,
    /// What no other connection has, and the time behind it.
    mark: String,
}

impl Marked {
    /// A mark of its own.
    fn new((user, connected_at): (UserId, Option<u64>)) -> Self {
        let mark = format!("{:x}", fastrand::u64(..));
        let mark = connected_at.map_or_else(|| mark.clone(), |at| format!("{mark}:{at}"));
        Self { user, connected_at, mark }
    }

    fn read(user: UserId, mark: String) -> Self {
        let connected_at = mark.split_once(':').and_then(|(_, at)| at.parse().ok());
        Self { user, connected_at, mark }
    }
}

/// Notes that these users have connected: just now, or, if it is noted again, at these times.
///
/// # Errors
///
/// When Redis does not answer, or refuses it. It may be repeated; so may the others here.
pub(crate) async fn note(
    commands: &Commands,
    prefix: &Prefix,
    users: impl IntoIterator<Item = (UserId, Option<u64>)>,
) -> Result<(), BrokerError> {
    let marked: Vec<_> = users.into_iter().map(Marked::new).collect();
    invoke(commands, prefix, &RETURNED, &marked).await
}

/// Users who were noted, at most `limit` of each partition, and whether one may have more.
pub(crate) async fn noted(
    commands: &Commands,
    prefix: &Prefix,
    ids: UserIdType,
    limit: usize,
) -> Result<(Vec<Marked>, bool), BrokerError> {
    let mut pipeline = redis::pipe();
    for partition in Partition::all() {
        pipeline.cmd("HRANDFIELD").arg(prefix.returned(partition)).arg(limit).arg("WITHVALUES");
    }
    let found: Vec<Vec<(String, String)>> = commands.send(&pipeline).await?;
    let may_be_more = found.iter().any(|users| users.len() >= limit);
    let marked = found.into_iter().flatten();
    let marked = marked.filter_map(|(user, mark)| Some(Marked::read(ids.text(&user).ok()?, mark)));
    Ok((marked.collect(), may_be_more))
}

/// Forgets users, unless they have connected again.
pub(crate) async fn forget(
    commands: &Commands,
    prefix: &Prefix,
    recorded: &[Marked],
) -> Result<(), BrokerError> {
    invoke(commands, prefix, &RECORDED, recorded).await
}

/// Calls a script for users, with the users of one partition at a time.
async fn invoke(
    commands: &Commands,
    prefix: &Prefix,
    script: &Script,
    users: &[Marked],
) -> Result<(), BrokerError> {
    let mut by_partition: BTreeMap<Partition, Vec<&Marked>> = BTreeMap::new();
    for marked in users {
        by_partition.entry(Partition::of(&marked.user)).or_default().push(marked);
    }
    for (partition, marked) in by_partition {
        for some in marked.chunks(SCRIPT_USERS) {
            let mut call = script.prepare_invoke();
            call.key(prefix.returned(partition));
            for Marked { user, mark, .. } in some {
                call.arg(user.to_string()).arg(mark);
            }
            let () = commands.invoke(&call).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mark_holds_the_time_of_what_is_noted_again() {
        let user = || UserId::try_from(2).expect("a user id");
        for at in [None, Some(0), Some(1_700_000_000_123)] {
            let marked = Marked::new((user(), at));
            assert_eq!(Marked::read(user(), marked.mark).connected_at, at);
        }
    }
}
