//! The client's IP address, also behind reverse proxies.
//!
//! Anybody can send `X-Forwarded-For`, so the header is believed only when it comes from a trusted proxy.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// The reverse proxies whose `X-Forwarded-For` or PROXY header is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// The unit that limits count: an IPv4 address, or an IPv6 /64, which one customer usually has (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl TrustedProxies {
    /// Parses addresses and networks separated by spaces: `127.0.0.1 10.0.0.0/8 ::1`.
    ///
    /// # Errors
    ///
    /// The entry that is wrong, and an example of a valid one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let network = |one: &str| {
            one.parse::<IpNet>()
                .or_else(|_| one.parse::<IpAddr>().map(|address| address.to_canonical().into()))
                .map_err(|_| format!("{one:?} must be an address or a network, such as 10.0.0.0/8"))
        };
        text.split_whitespace().map(network).collect::<Result<_, _>>().map(Self)
    }

    /// Whether `address` is a trusted proxy.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address.to_canonical()))
    }

    /// The client behind `peer`. That is `peer` itself unless it is a trusted proxy; then it is the last
    /// address in `forwarded` (the entries of `X-Forwarded-For`, the nearest proxy last) that is not a
    /// trusted proxy. `None` if the proxies name no client.
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        forwarded: impl DoubleEndedIterator<Item = &'a str>,
    ) -> Option<IpAddr> {
        if !self.trusts(peer) {
            return Some(peer.to_canonical());
        }
        let named = forwarded.rev().map(|text| {
            let text = text.trim();
            // Some proxies append the port.
            text.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip())).ok()
        });
        named.map(|address| address.map(|address| address.to_canonical())).find(|address| {
            // Entries in front of one that cannot be parsed are not trusted.
            address.is_none_or(|address| !self.trusts(address))
        })?
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &str) -> Option<String> {
        let proxies = TrustedProxies::parse("127.0.0.1 10.0.0.0/8 ::1").unwrap();
        proxies.client(peer.parse().unwrap(), forwarded.split(',')).map(|address| address.to_string())
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(client("192.0.2.1", "198.51.100.7").as_deref(), Some("192.0.2.1"));
        assert_eq!(client("127.0.0.1", "198.51.100.7").as_deref(), Some("198.51.100.7"));
        assert_eq!(client("::ffff:127.0.0.1", "198.51.100.7").as_deref(), Some("198.51.100.7"));
    }

    #[test]
    fn nearest_address_that_is_no_proxy_is_the_client() {
        assert_eq!(client("127.0.0.1", "6.6.6.6, 198.51.100.7, 10.1.2.3").as_deref(), Some("198.51.100.7"));
        assert_eq!(client("::1", "2001:db8::1").as_deref(), Some("2001:db8::1"));
        assert_eq!(client("::1", "198.51.100.7:4711").as_deref(), Some("198.51.100.7"));
        assert_eq!(client("::1", "[2001:db8::1]:4711").as_deref(), Some("2001:db8::1"));
    }

    #[test]
    fn client_is_unknown_if_the_proxy_names_none() {
        for forwarded in ["", "unknown", "10.9.9.9", "6.6.6.6, unknown"] {
            assert_eq!(client("127.0.0.1", forwarded), None, "{forwarded}");
        }
    }

    #[test]
    fn an_ipv6_64_counts_as_one_address() {
        let network = |text: &str| Network::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8:0:0:ffff::2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.1"));
    }

    #[test]
    fn invalid_entries_are_named() {
        for bad in ["localhost", "10.0.0.0/33", "10.0.0.1:80"] {
            assert!(TrustedProxies::parse(bad).unwrap_err().contains(bad));
        }
    }
}
