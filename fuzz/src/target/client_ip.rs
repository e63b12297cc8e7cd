//! `X-Forwarded-For` is believed only from a trusted proxy.
//!
//! The lines of an input are the list of trusted proxies, the peer's address, and the header
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
        assert_eq!(client, Some(peer.to_canonical()), "an untrusted peer is believed");
        return;
    }
    // From the end: trusted proxies, then the first address that is not one.
    let mut behind = forwarded.split(',').rev().map(address);
    let named = behind.find(|address| address.is_none_or(|address| !proxies.trusts(address)));
    assert_eq!(client, named.flatten(), "a wrong address is taken for the client's");
}

fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(port).map(|address: IpAddr| address.to_canonical())
}
