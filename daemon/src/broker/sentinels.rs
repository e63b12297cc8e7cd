//! Which server Sentinels name as the master. All are asked at once, and the one that most of them name counts: a
//! single one may have been cut off, and name the last master. The library's client asks one after the other and
//! sets no deadline.

use std::time::Duration;

use chatpush_wire::address::{Address, Endpoint, Sentinels};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use redis::{AsyncConnectionConfig, Client, RedisResult};
use tokio::time::timeout;

use super::{BrokerError, server};

/// How long a Sentinel may take.
const SENTINEL_TIMEOUT: Duration = Duration::from_secs(1);

/// A host and a port.
type HostAndPort = (String, u16);

/// The server that most Sentinels name as the master, of those that answer, and whether these are more than half of
/// all. Those that are silent are not waited for then.
///
/// # Errors
///
/// When none names one.
pub(super) async fn master(
    sentinels: &Sentinels,
    address: &Address,
) -> Result<(Endpoint, bool), BrokerError> {
    let is_majority = |count: usize| count > sentinels.hosts.len() / 2;
    let mut asked: FuturesUnordered<_> =
        sentinels.endpoints().map(|sentinel| ask(sentinel, sentinels, address)).collect();
    let mut named: Vec<(HostAndPort, usize)> = Vec::new();
    let mut failed = None;
    while let Some(answer) = asked.next().await {
        let server = match answer {
            Ok(server) => server,
            Err(error) => {
                failed = Some(error);
                continue;
            }
        };
        match named.iter_mut().find(|(known, _)| *known == server) {
            Some((_, count)) => *count += 1,
            None => named.push((server, 1)),
        }
        if named.iter().any(|(_, count)| is_majority(*count)) {
            break;
        }
    }
    let most = named.into_iter().max_by_key(|(_, count)| *count);
    match (most, failed) {
        (Some(((host, port), count)), _) => Ok((sentinels.endpoint(host, port), is_majority(count))),
        (None, Some(error)) => Err(error),
        (None, None) => Err(BrokerError::new("there is no Sentinel")),
    }
}

/// What each of them names, in the order of the address.
pub(crate) async fn each(
    sentinels: &Sentinels,
    address: &Address,
) -> Vec<(HostAndPort, Result<HostAndPort, BrokerError>)> {
    let asked = sentinels.endpoints().map(|sentinel| ask(sentinel, sentinels, address));
    sentinels.hosts.iter().cloned().zip(join_all(asked).await).collect()
}

/// The host and port that one of them names.
async fn ask(
    sentinel: Endpoint,
    sentinels: &Sentinels,
    address: &Address,
) -> Result<HostAndPort, BrokerError> {
    let named = async {
        match named_by(&server::sentinel(sentinel.clone(), None)?, &sentinels.master).await {
            // One account serves for Sentinels and servers. It is named only if a Sentinel wants one.
            Err(error) if error.code() == Some("NOAUTH") && address.password.is_some() => {
                named_by(&server::sentinel(sentinel, Some(address))?, &sentinels.master).await
            }
            other => other,
        }
        .map_err(BrokerError::from)
    };
    let named = timeout(SENTINEL_TIMEOUT, named).await;
    named
        .unwrap_or(Err(BrokerError::new("a Sentinel does not answer")))?
        .ok_or(BrokerError::new("the Sentinels do not know a master of that name"))
}

async fn named_by(sentinel: &Client, master: &str) -> RedisResult<Option<HostAndPort>> {
    let config = AsyncConnectionConfig::new();
    let mut connection = sentinel.get_multiplexed_async_connection_with_config(&config).await?;
    redis::cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(master).query_async(&mut connection).await
}
