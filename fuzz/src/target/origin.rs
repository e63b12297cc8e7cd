//! A page may connect only to its own host, or if the list of allowed origins contains its origin.
//!
//! The lines of an input are the list, the page's origin, and the host that it connects to. The expected
//! result comes from the `url` crate, which parses origins as browsers do (WHATWG URL, "origin").

use chatpush_daemon::net::origin::Origins;
use url::{Host, Url};

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let (Some(list), Some(origin), host) = (lines.next(), lines.next(), lines.next()) else { return };
    let Ok(origins) = Origins::parse(list) else { return };
    assert!(origins.allow(None, host), "a client without an Origin header is allowed");

    let allowed = origins.allow(Some(origin), host);
    let entries: Vec<_> = list.split_whitespace().collect();
    let Some(page) = parse_origin(origin) else {
        // No browser sends this. It must not be mistaken for an allowed origin.
        let listed = entries.iter().any(|entry| *entry == "*" || entry.eq_ignore_ascii_case(origin));
        let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
        let strange = authority.contains(['/', '\\', '@', '?', '#', ' ', '\t', '%']);
        assert!(
            entries.is_empty() || listed || !strange || !allowed,
            "the invalid origin {origin:?} is allowed"
        );
        return;
    };
    if !allowed {
        let own = host.is_some_and(|host| origin.split_once("://").is_some_and(|(_, own)| own == host));
        assert!(!entries.is_empty() || !own, "a page of the same host is refused");
        let listed = |entry: &&str| *entry == "*" || (*entry == origin && !entry.contains('*'));
        assert!(!entries.iter().any(listed), "a listed origin is refused");
        return;
    }
    let may = if entries.is_empty() {
        let asked = host.and_then(|host| Url::parse(&format!("{}://{host}", page.scheme())).ok());
        asked.is_some_and(|asked| same(&page, &asked))
    } else {
        entries.iter().any(|entry| *entry == "*" || matches(&page, entry))
    };
    assert!(may, "{origin:?} was allowed to connect to {host:?} by {list:?}");
}

/// Parses an origin as a browser sends it: a scheme, a host, an optional port, and nothing else.
fn parse_origin(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()))?;
    (url.origin().ascii_serialization() == text.to_ascii_lowercase()).then_some(url)
}

fn same(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && host(one) == host(other)
        && one.port_or_known_default() == other.port_or_known_default()
}

/// The host without the dot that a full name may end with.
fn host(url: &Url) -> Option<&str> {
    url.host_str().map(|host| host.strip_suffix('.').unwrap_or(host))
}

fn matches(page: &Url, entry: &str) -> bool {
    let entry = entry.to_ascii_lowercase();
    let Some((scheme, below)) = entry.split_once("://*.") else {
        return Url::parse(&entry).is_ok_and(|entry| same(page, &entry));
    };
    let Ok(above) = Url::parse(&format!("{scheme}://{below}")) else { return false };
    let Some(Host::Domain(_)) = page.host() else { return false };
    let (Some(page_host), Some(above_host)) = (host(page), host(&above)) else { return false };
    page.scheme() == above.scheme()
        && page.port_or_known_default() == above.port_or_known_default()
        && page_host.strip_suffix(above_host).is_some_and(|label| label.len() > 1 && label.ends_with('.'))
}
