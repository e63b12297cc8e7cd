//! `chatpushd online`: who is connected, by every daemon.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context as _;
use chatpush_wire::id::{AnyUserId, UserId};
use serde::Serialize;

use crate::base::output;
use crate::broker::answers;
use crate::config::Config;
use crate::services::Services;

#[derive(Debug, Serialize)]
struct Online {
    user_id: UserId,
    connections: u64,
}

/// Prints who is connected; with `users` how many connections each of them has, also if none.
///
/// # Errors
///
/// When Redis cannot be reached, a daemon does not answer, or a user id is not of the configured type.
pub async fn print(config: Config, users: &[AnyUserId], json: bool) -> anyhow::Result<ExitCode> {
    let services = Services::new(config);
    let ids = services.config.user_id_type;
    let named: Result<Vec<_>, _> = users.iter().map(|user| user.of_type(ids)).collect();
    let named = named.context("USER_ID")?;
    let online = connections(&services, &named).await?;
    if json {
        output::line(serde_json::to_string(&online)?);
    } else {
        for Online { user_id, connections } in &online {
            output::line(format_args!("{user_id}  {connections} connections"));
        }
        let connected = online.iter().filter(|user| user.connections > 0).count();
        output::error_line(format_args!("{connected} users are connected"));
    }
    Ok(ExitCode::SUCCESS)
}

async fn connections(services: &Services, named: &[UserId]) -> anyhow::Result<Vec<Online>> {
    let mut total: BTreeMap<UserId, u64> = named.iter().map(|user| (user.clone(), 0)).collect();
    for (user, count) in of_users(services, named).await? {
        *total.entry(user).or_default() += count;
    }
    Ok(total.into_iter().map(|(user_id, connections)| Online { user_id, connections }).collect())
}

/// How many connections each of these users has, of those who have any; of all users, if none is named.
///
/// # Errors
///
/// When Redis cannot be reached, or a daemon does not answer: then nobody knows who is connected to it.
pub(super) async fn of_users(services: &Services, named: &[UserId]) -> anyhow::Result<Vec<(UserId, u64)>> {
    let users: Vec<_> = named.iter().map(ToString::to_string).collect();
    let users = if users.is_empty() { "*".to_owned() } else { users.join(" ") };
    let installation = (&services.prefix, services.config.user_id_type);
    let answers = answers::ask(&services.commands, installation, &users).await.context("Redis")?;
    if let Some(silent) = answers.iter().find(|answer| answer.connections.is_none()) {
        anyhow::bail!("{} does not answer: see its log, and restart it if it hangs", silent.daemon);
    }
    Ok(answers.into_iter().flat_map(|answer| answer.users).collect())
}
