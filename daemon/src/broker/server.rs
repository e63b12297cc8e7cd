//! The client library's description of a server.

use std::time::Duration;

use chatpush_wire::address::{Address, Endpoint};
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{Client, ConnectionAddr, IntoConnectionInfo as _, ProtocolVersion, RedisConnectionInfo};

use super::BrokerError;

/// After how much silence the kernel asks whether the other host is still there, and how often again. So a
/// connection that no command uses does not outlive its path (tcp(7), `TCP_KEEPIDLE`).
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(10))
    .with_interval(Duration::from_secs(3))
    .with_retries(3);

/// How long sent data may stay unacknowledged before the kernel ends the connection (tcp(7),
/// `TCP_USER_TIMEOUT`).
const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// A client of the server at `endpoint`, with the account and database of `address`.
pub(super) fn client(
    endpoint: Endpoint,
    address: &Address,
    protocol: ProtocolVersion,
) -> Result<Client, BrokerError> {
    let login = login(address).set_protocol(protocol).set_db(address.database.into());
    open(endpoint, login)
}

/// A client of a Sentinel, with the account of an address or without one. A Sentinel has no databases.
pub(super) fn sentinel(endpoint: Endpoint, account: Option<&Address>) -> Result<Client, BrokerError> {
    open(endpoint, account.map_or_else(anonymous, login))
}

/// Redis 7.2 and newer would note a refused CLIENT SETINFO in its ACL LOG, for each connection.
fn anonymous() -> RedisConnectionInfo {
    RedisConnectionInfo::default().set_skip_set_lib_name()
}

fn login(address: &Address) -> RedisConnectionInfo {
    let mut login = anonymous();
    if let Some(user) = &address.user {
        login = login.set_username(user);
    }
    if let Some(password) = &address.password {
        login = login.set_password(password);
    }
    login
}

fn open(endpoint: Endpoint, login: RedisConnectionInfo) -> Result<Client, BrokerError> {
    let endpoint = match endpoint {
        Endpoint::Tcp { host, port, tls: false } => ConnectionAddr::Tcp(host, port),
        Endpoint::Tcp { host, port, tls: true } => {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        }
        Endpoint::Unix(path) => ConnectionAddr::Unix(path),
    };
    let tcp =
        TcpSettings::default().set_nodelay(true).set_keepalive(KEEPALIVE).set_user_timeout(USER_TIMEOUT);
    let server = endpoint.into_connection_info()?.set_tcp_settings(tcp).set_redis_settings(login);
    Ok(Client::open(server)?)
}

#[cfg(test)]
mod tests {
    use chatpush_wire::address::Location;

    use super::*;

    fn client_of(text: &str) -> Client {
        let address = Address::parse(text).unwrap();
        let Location::Server(endpoint) = address.location.clone() else {
            panic!("not the address of a server")
        };
        client(endpoint, &address, ProtocolVersion::RESP2).unwrap()
    }

    #[test]
    fn every_part_of_an_address_is_used() {
        let tls = client_of("rediss://me:p%40ss@h:7/3").get_connection_info().clone();
        assert_eq!(tls.addr().to_string(), "h:7");
        assert!(matches!(tls.addr(), ConnectionAddr::TcpTls { insecure: false, .. }));
        let login = tls.redis_settings();
        assert_eq!((login.username(), login.password(), login.db()), (Some("me"), Some("p@ss"), 3));
        let unix = client_of("unix:///r.sock?db=2&pass=a+b").get_connection_info().clone();
        assert_eq!(unix.addr().to_string(), "/r.sock");
        let login = unix.redis_settings();
        assert_eq!((login.username(), login.password(), login.db()), (None, Some("a+b"), 2));
    }
}
