//! The Redis server.

use chatpush_wire::address::Address;

use super::setting::Setting;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::text("redis.url", "redis://127.0.0.1:6379", "Redis server that PHP uses too").details(
        "`redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS, \
         `unix:///path[?db=…&user=…&pass=…]`, `redis+sentinel://[user:password@]host[:port],…/NAME[/db]` for the \
         master that Sentinels name, or `redis+cluster://[user:password@]host[:port],…` for a Redis Cluster. The same as \
         `chatpush.redis_url` in PHP.",
    ),
    Setting::integer(
        "redis.failover_memory",
        "600",
        0..=86_400,
        "seconds",
        "How long confirmed messages are remembered in the database",
    )
    .details(
        "A Redis that has lost its last entries, after a crash or a failover, has forgotten which messages it \
         accepted. A call that is repeated within this time is still recognised. 0: not at all.",
    ),
    Setting::integer(
        "redis.replicas",
        "0",
        0..=16,
        "",
        "Replicas of each Redis master that must have a message before it is committed",
    )
    .details(
        "Then a Redis that fails over to one of them knows all that was committed. While fewer have it, it is not \
         committed: stores get a `TimeoutException`, queued, and pushes go on. 0: none is waited for.",
    ),
];

/// An address, or what is wrong with it.
pub(super) fn url(text: &str) -> Result<Address, String> {
    Address::parse(text).map_err(|error| error.to_string())
}
