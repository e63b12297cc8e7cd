//! Whoever is no listed proxy speaks for nobody but himself.
//!
//! The lines of an input are the list of proxies, the other end of the connection, and what it says in
//! `X-Forwarded-For`.

use std::net::{IpAddr, SocketAddr};

use chatpush_daemon::net::client_ip::TrustedProxies;

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let (Some(list), Some(peer)) = (lines.next(), lines.next()) else { return };
    let forwarded = lines.next().unwrap_or_default();
    let (Ok(proxies), Ok(peer)) = (TrustedProxies::parse(list), peer.parse::<IpAddr>()) else { return };
    let client = proxies.client(peer, forwarded.split(','));
    if !proxies.trusts(peer) {
        assert_eq!(client, Some(peer.to_canonical()), "a stranger is believed");
        return;
    }
    // Read from the end: proxies, and then the first who is none.
    let mut behind = forwarded.split(',').rev().map(address);
    let named = behind.find(|address| address.is_none_or(|address| !proxies.trusts(address)));
    assert_eq!(client, named.flatten(), "somebody else is taken for the client");
}

fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(port).map(|address: IpAddr| address.to_canonical())
}
