//! The Redis server.

use ::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo};
use chatpush_wire::address::{Address, Endpoint};

use super::setting::Setting;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::text("redis.url", "redis://127.0.0.1:6379", "Redis server that PHP uses too").details(
        "`redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS, or \
         `unix:///path[?db=…&user=…&pass=…]`. The same as `chatpush.redis_url` in PHP.",
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
];

/// The connection that an address describes.
pub(super) fn url(text: &str) -> Result<ConnectionInfo, String> {
    let Address { endpoint, user, password, database } =
        Address::parse(text).map_err(|error| error.to_string())?;
    let endpoint = match endpoint {
        Endpoint::Tcp { host, port, tls: false } => ConnectionAddr::Tcp(host, port),
        Endpoint::Tcp { host, port, tls: true } => {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        }
        Endpoint::Unix(path) => ConnectionAddr::Unix(path),
    };
    // Redis 7.2 and newer would note a refused CLIENT SETINFO in its ACL LOG, for each connection.
    let mut login = RedisConnectionInfo::default().set_db(database.into()).set_skip_set_lib_name();
    if let Some(user) = user {
        login = login.set_username(user);
    }
    if let Some(password) = password {
        login = login.set_password(password);
    }
    let connection = endpoint.into_connection_info().map_err(|error| error.to_string())?;
    Ok(connection.set_redis_settings(login))
}
