//! Redis: its version and role, its persistence and eviction policy, and what the account may do.

mod account;
mod cluster;
mod sentinels;

use std::collections::HashMap;

use chatpush_wire::address::{Endpoint, Location};
use redis::{FromRedisValue, RedisError, Value, from_redis_value};

use super::Finding;
use crate::base::backoff::Failure as _;
use crate::broker::{BrokerError, Commands, replicas, writes};
use crate::config::Config;

pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let commands = Commands::new(config.redis.clone(), &config.prefix);
    let mut findings: Vec<_> = sentinels::check(&config.redis).await.into_iter().collect();
    if let Err(error) = commands.ping().await {
        let text = format!("{} (CHATPUSH_REDIS_URL)", error.report());
        findings.push(Finding::wrong("Redis answers", text));
        return findings;
    }
    findings.push(Finding::fine("Redis answers", ""));
    match commands.connector().cluster() {
        None => findings.extend(server(config, &commands, None).await),
        Some(cluster) => findings.extend(cluster::check(config, &commands, cluster).await),
    }
    findings.push(writes(&commands, config).await);
    if config.replicas > 0 && config.mysql.is_some() {
        findings.push(replication(&commands, config).await);
    }
    findings
}

/// Checks the node that is named, of a cluster, or without a name the only server.
async fn server(config: &Config, commands: &Commands, node: Option<&Endpoint>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // INFO needs a permission that the daemon can do without.
    match one(commands.ask(node, redis::pipe().cmd("HELLO")).await) {
        Ok(hello) => findings.extend(introduced(&hello, &config.redis.location)),
        Err(error) => findings.push(Finding::warning(
            "Redis version",
            format!(
                "cannot be read ({error}); allow the account HELLO, or make sure that it is 7.0 or newer"
            ),
        )),
    }
    let mut pipeline = redis::pipe();
    for setting in SETTINGS {
        pipeline.cmd("CONFIG").arg("GET").arg(setting);
    }
    match read::<Vec<HashMap<String, String>>>(commands.ask(node, &pipeline).await) {
        Ok(answers) => {
            let settings = answers.into_iter().flatten().collect();
            findings.extend(persistence(&settings));
            match config.redis.location {
                Location::Sentinel(_) => findings.push(sentinels::replicas(&settings)),
                Location::Cluster(_) => findings.push(cluster::coverage(&settings)),
                Location::Server(_) => {}
            }
        }
        Err(error) => findings.push(Finding::warning(
            "Redis persistence",
            format!(
                "cannot be read ({error}); allow the account CONFIG GET, or make sure that appendonly is on"
            ),
        )),
    }
    findings.push(account::check(config, commands.connector(), node).await);
    findings
}

/// The settings that are looked at.
const SETTINGS: [&str; 7] = [
    "appendonly",
    "appendfsync",
    "maxmemory-policy",
    "maxmemory",
    "min-replicas-to-write",
    "cluster-require-full-coverage",
    "cluster-allow-pubsubshard-when-down",
];

/// The answer to one command.
fn one<T: FromRedisValue>(answers: Result<Vec<Value>, BrokerError>) -> Result<T, BrokerError> {
    let answer = answers?.into_iter().next().unwrap_or(Value::Nil);
    Ok(T::from_redis_value(answer).map_err(RedisError::from)?)
}

/// The answers to several.
fn read<T: FromRedisValue>(answers: Result<Vec<Value>, BrokerError>) -> Result<T, BrokerError> {
    Ok(T::from_redis_value(Value::Array(answers?)).map_err(RedisError::from)?)
}

/// Whether it takes messages now.
async fn writes(commands: &Commands, config: &Config) -> Finding {
    const NAME: &str = "Redis writes";
    match writes::try_one(commands, &config.prefix).await {
        Err(error) if error.is_refusal() => {
            Finding::wrong(NAME, format!("{}; {}", error.summary(), writes::REMEDY))
        }
        // What else can be wrong is found by the other checks.
        _ => Finding::fine(NAME, ""),
    }
}

/// Whether as many replicas have what it has as must have it.
async fn replication(commands: &Commands, config: &Config) -> Finding {
    const NAME: &str = "Redis replication";
    match replicas::shortage(commands, &config.prefix, config.replicas).await {
        Ok(None) => Finding::fine(NAME, format!("redis.replicas is {}", config.replicas)),
        Ok(Some(shortage)) => {
            Finding::wrong(NAME, format!("{shortage}, so nothing is committed; {}", replicas::REMEDY))
        }
        Err(error) => Finding::wrong(NAME, format!("replicas cannot be waited for: {}", error.report())),
    }
}

/// Version and role, as HELLO answers.
fn introduced(hello: &HashMap<String, Value>, location: &Location) -> Vec<Finding> {
    let field = |name: &str| {
        let value = hello.get(name).and_then(|value| from_redis_value::<String>(value.clone()).ok());
        value.unwrap_or_default()
    };
    let version = field("version");
    let major: u32 = version.split('.').next().and_then(|part| part.parse().ok()).unwrap_or(0);
    let name = if field("server") == "redis" { "Redis".to_owned() } else { field("server") };
    let version = if major >= 7 {
        Finding::fine("Redis version", format!("{name} {version}"))
    } else {
        let text = format!("{name} {version:?} must be 7.0 or newer (sharded channels)");
        Finding::wrong("Redis version", text)
    };
    let role = match (field("mode").as_str(), field("role").as_str()) {
        ("cluster", role) if matches!(location, Location::Cluster(_)) => Finding::fine("Redis role", role),
        ("cluster", _) => Finding::wrong(
            "Redis role",
            "a node of a Redis Cluster; write redis+cluster://host:port,host:port",
        ),
        (_, _) if matches!(location, Location::Cluster(_)) => {
            Finding::wrong("Redis role", "not a node of a Redis Cluster; write redis://host:port")
        }
        ("sentinel", _) => {
            Finding::wrong("Redis role", "a Sentinel; write redis+sentinel://host:port,host:port/NAME")
        }
        (_, role) => Finding::fine("Redis role", role),
    };
    vec![version, role]
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
    use crate::ops::check::Status;

    fn hello(fields: &[(&str, &str)]) -> Vec<Status> {
        let value = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let fields = fields.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect();
        introduced(&fields, &Location::Server(Endpoint::Unix("/r".into())))
            .into_iter()
            .map(|finding| finding.status)
            .collect()
    }

    #[test]
    fn an_old_version_is_wrong() {
        let version = |server, version| hello(&[("server", server), ("version", version)])[0];
        assert_eq!(version("redis", "6.2.14"), Status::Wrong);
        assert_eq!(version("redis", "7.0.15"), Status::Ok);
        assert_eq!(version("valkey", "8.1.1"), Status::Ok);
        assert_eq!(hello(&[])[0], Status::Wrong);
    }

    #[test]
    fn only_a_server_on_its_own_will_do() {
        let role = |mode, role| hello(&[("mode", mode), ("role", role)])[1];
        assert_eq!(role("standalone", "master"), Status::Ok);
        assert_eq!(role("cluster", "master"), Status::Wrong);
        assert_eq!(role("sentinel", "sentinel"), Status::Wrong);
    }

    #[test]
    fn eviction_is_wrong_and_missing_persistence_is_warned_of() {
        let settings = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            persistence(&pairs).into_iter().map(|finding| finding.status).collect::<Vec<_>>()
        };
        let found = settings(&[("appendonly", "no"), ("maxmemory-policy", "allkeys-lru")]);
        assert_eq!(found, [Status::Warning, Status::Wrong]);
        let found =
            settings(&[("appendonly", "yes"), ("appendfsync", "always"), ("maxmemory-policy", "noeviction")]);
        assert_eq!(found, [Status::Ok, Status::Ok]);
    }
}
