//! The admin listener: where it is, and who may use it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::general;
use super::setting::Setting;
use super::source::Source;

/// Least bytes of a token, so that it cannot be guessed.
const TOKEN_BYTES: usize = 16;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::text("admin_listen", "127.0.0.1:8090", "Address for operators: a page, `/metrics`, `/ready`, `/health`")
        .details("Keep it private. Elsewhere than on the same machine it needs `admin_token`."),
    Setting::text("admin_token", "", "Token that the admin address asks for, at least 16 characters")
        .details(
            "As `Authorization: Bearer TOKEN`, or as the password of any user name, for browsers. `/health` and \
             `/ready` need none. Empty: no token, on the same machine alone. `openssl rand -hex 16` makes one.",
        ).reloads_with("admin_listen"),
];

/// The token of the admin listener. It is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminToken(Arc<str>);

impl AdminToken {
    /// The token.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken")
    }
}

/// The address, and the token if there is one.
pub(super) fn read(source: &mut Source) -> Option<(SocketAddr, Option<AdminToken>)> {
    let address = source.parse("admin_listen", general::address);
    let token = source.parse("admin_token", token);
    let (address, token) = (address?, token?);
    if token.is_none() && !address.ip().is_loopback() {
        source.error(
            "admin_listen",
            "is not on the same machine: set admin_token, or listen on 127.0.0.1 (`openssl rand -hex 16` makes a \
             token)",
        );
        return None;
    }
    Some((address, token))
}

fn token(text: &str) -> Result<Option<AdminToken>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() < TOKEN_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("must have at least {TOKEN_BYTES} characters, without spaces"));
    }
    Ok(Some(AdminToken(text.into())))
}
