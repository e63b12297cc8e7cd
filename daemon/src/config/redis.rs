//! The Redis server.

use ::redis::{ConnectionInfo, IntoConnectionInfo as _};

use super::setting::Setting;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::text("redis.url", "redis://127.0.0.1:6379", "Redis server that PHP uses too").details(
        "`redis://[user[:password]@]host[:port][/db]`, `rediss://…` for TLS, or \
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

pub(super) fn url(text: &str) -> Result<ConnectionInfo, String> {
    const FORMS: &str =
        "must be redis://[user[:password]@]host[:port][/db], rediss://… or unix:///path[?db=…]";
    let known = ["redis://", "rediss://", "unix://"].iter().any(|scheme| text.starts_with(scheme));
    if !known {
        return Err(FORMS.to_owned());
    }
    text.into_connection_info().map_err(|error| format!("{FORMS} ({error})"))
}
