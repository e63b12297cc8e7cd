//! Redis: its version, persistence and eviction policy.

use std::collections::HashMap;

use redis::Client;

use super::Finding;
use crate::broker::Commands;
use crate::config::Config;

pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let reached = match Client::open(config.redis.clone()) {
        Ok(client) => {
            let commands = Commands::new(client);
            commands.ping().await.map(|()| commands)
        }
        Err(error) => Err(error.into()),
    };
    let commands = match reached {
        Ok(commands) => commands,
        Err(error) => {
            return vec![Finding::wrong("Redis answers", format!("{error} (CHATPUSH_REDIS_URL)"))];
        }
    };
    let mut findings = vec![Finding::fine("Redis answers", "")];
    let info: Result<(String,), _> = commands.send(redis::pipe().cmd("INFO").arg("server")).await;
    findings.push(version(&info.map(|(text,)| text).unwrap_or_default()));
    let mut pipeline = redis::pipe();
    for setting in ["appendonly", "appendfsync", "maxmemory-policy", "maxmemory"] {
        pipeline.cmd("CONFIG").arg("GET").arg(setting);
    }
    match commands.send::<Vec<HashMap<String, String>>>(&pipeline).await {
        Ok(answers) => findings.extend(persistence(&answers.into_iter().flatten().collect())),
        Err(error) => findings.push(Finding::warning(
            "Redis persistence",
            format!(
                "cannot be read ({error}); allow the account CONFIG GET, or make sure that appendonly is on"
            ),
        )),
    }
    findings
}

fn version(info: &str) -> Finding {
    let field = |name: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(|text| text.trim().to_owned())
    };
    // Valkey calls itself Redis 7.2.4 in `redis_version` for the sake of old clients.
    let version = field("redis_version").unwrap_or_default();
    let major: u32 = version.split('.').next().and_then(|part| part.parse().ok()).unwrap_or(0);
    if major >= 7 {
        Finding::fine("Redis version", version)
    } else {
        Finding::wrong("Redis version", format!("{version:?} must be 7.0 or newer (sharded channels)"))
    }
}

fn persistence(settings: &HashMap<String, String>) -> Vec<Finding> {
    let get = |name: &str| settings.get(name).map_or("", String::as_str);
    let append = match (get("appendonly"), get("appendfsync")) {
        ("yes", "always") => {
            Finding::fine("Redis persistence", "appendfsync always: nothing accepted is lost")
        }
        ("yes", "everysec") => Finding::fine(
            "Redis persistence",
            "appendfsync everysec: a crash of Redis can lose the last second of queued stores and bring \
             confirmed rows back once",
        ),
        ("yes", _) => Finding::warning("Redis persistence", "set appendfsync to everysec or always"),
        _ => Finding::warning(
            "Redis persistence",
            "appendonly is off: a crash of Redis loses what waits in the log; CONFIG SET appendonly yes",
        ),
    };
    let policy = get("maxmemory-policy");
    let eviction = if policy == "noeviction" || get("maxmemory") == "0" && policy.is_empty() {
        Finding::fine("Redis eviction", "noeviction")
    } else {
        let fix = format!(
            "maxmemory-policy is {policy}: it could evict the log; CONFIG SET maxmemory-policy noeviction"
        );
        Finding::wrong("Redis eviction", fix)
    };
    vec![append, eviction]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::Verdict;

    #[test]
    fn an_old_version_is_wrong() {
        assert!(matches!(version("redis_version:6.2.14\r\n").verdict, Verdict::Wrong(_)));
        assert!(matches!(version("# Server\r\nredis_version:7.0.15\r\n").verdict, Verdict::Fine(_)));
        assert!(matches!(version("").verdict, Verdict::Wrong(_)));
    }

    #[test]
    fn eviction_is_wrong_and_missing_persistence_is_warned_of() {
        let settings = |pairs: &[(&str, &str)]| {
            persistence(&pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
        };
        let found = settings(&[("appendonly", "no"), ("maxmemory-policy", "allkeys-lru")]);
        assert!(matches!(found[0].verdict, Verdict::Warning(_)));
        assert!(matches!(found[1].verdict, Verdict::Wrong(_)));
        let found =
            settings(&[("appendonly", "yes"), ("appendfsync", "always"), ("maxmemory-policy", "noeviction")]);
        assert!(found.iter().all(|finding| matches!(finding.verdict, Verdict::Fine(_))));
    }
}
