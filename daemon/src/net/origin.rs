//! Which web pages may connect, by the `Origin` header that browsers send (RFC 6454 section 7). A page cannot
//! forge it. Without this check, any page that has obtained a token could connect.

use std::net::Ipv6Addr;

/// The list of allowed origins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<Origin>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    /// `*`: every origin.
    Any,
    /// One origin: `https://chat.example.com`.
    Exact(Site),
    /// All subdomains of the site's host, as in `https://*.example.com`.
    Subdomains(Site),
}

/// An origin in its parts (RFC 6454 section 4), in the form in which equal ones are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Site {
    scheme: String,
    host: String,
    /// The scheme's own if none is named; `None` for a scheme without one.
    port: Option<u16>,
}

impl Origins {
    /// Parses a list separated by spaces: `https://chat.example.com`, `https://*.example.com`, or `*`.
    ///
    /// # Errors
    ///
    /// The entry that is wrong, and examples of valid ones.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split_whitespace().map(Origin::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a client with this `Origin` header may connect to this `Host`. Clients that send no origin are
    /// not web pages and may connect. With an empty list, host and port of the origin must be those of
    /// `host`, where a port that is not named is that of the origin's scheme.
    pub fn allow(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(origin) = origin else { return true };
        if self.0.contains(&Origin::Any) {
            return true;
        }
        let Some(site) = Site::parse(origin) else { return false };
        if !self.0.is_empty() {
            return self.0.iter().any(|allowed| allowed.matches(&site));
        }
        host.and_then(|host| Site::of(&site.scheme, host)).is_some_and(|own| own == site)
    }
}

impl Origin {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let (site, kind): (_, fn(Site) -> Self) = match text.split_once("://*.") {
            Some((scheme, domain)) => (Site::of(scheme, domain), Self::Subdomains),
            None => (Site::parse(text), Self::Exact),
        };
        site.filter(Site::is_plain).map(kind).ok_or_else(|| {
            format!("{text:?} must be like https://chat.example.com, https://*.example.com or *")
        })
    }

    fn matches(&self, site: &Site) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == site,
            Self::Subdomains(Site { scheme, host, port }) => {
                let label = site.host.strip_suffix(host.as_str()).and_then(|label| label.strip_suffix('.'));
                label.is_some_and(|label| !label.is_empty()) && (scheme, port) == (&site.scheme, &site.port)
            }
        }
    }
}

impl Site {
    /// An origin as a browser serializes it, `scheme://host` or `scheme://host:port`.
    fn parse(origin: &str) -> Option<Self> {
        let (scheme, authority) = origin.split_once("://")?;
        Self::of(scheme, authority)
    }

    /// The site at `host` or `host:port`. Case does not matter, nor the dot at the end of a host's full name
    /// (RFC 1034 section 3.1), nor the way an IPv6 address is written (RFC 5952).
    fn of(scheme: &str, authority: &str) -> Option<Self> {
        let scheme = scheme.to_ascii_lowercase();
        let end = authority.rfind(']').unwrap_or(0);
        let (host, port) = match authority[end..].split_once(':') {
            Some((rest, port)) => (&authority[..end + rest.len()], Some(port)),
            None => (authority, None),
        };
        let default = match scheme.as_str() {
            "http" | "ws" => Some(80),
            "https" | "wss" => Some(443),
            _ => None,
        };
        let port = match port {
            // A sign would be parsed as well.
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse().ok()?),
            Some(_) => return None,
            None => default,
        };
        Some(Self { scheme, host: normal_host(host)?, port })
    }

    /// Whether it is the site of web pages, with a host as people write it.
    fn is_plain(&self) -> bool {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        ["http", "https"].contains(&self.scheme.as_str()) && self.host.chars().all(fits)
    }
}

fn normal_host(host: &str) -> Option<String> {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        let address: Ipv6Addr = address.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    // The forbidden domain code points of the WHATWG's URL standard.
    let fits = |c: char| c.is_ascii_graphic() && !r"#%/:<>?@[\]^|".contains(c);
    (!host.is_empty() && host.chars().all(fits)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(list: &str, origin: &str) -> bool {
        Origins::parse(list).unwrap().allow(Some(origin), Some("chat.example.com"))
    }

    #[test]
    fn without_a_list_only_the_same_host_is_allowed() {
        assert!(allows("", "https://chat.example.com") && allows("", "http://Chat.Example.com"));
        for other in [
            "https://example.com",
            "https://chat.example.com:8443",
            "https://chat.example.com.evil",
            "https://evil@chat.example.com",
            "https://chat.example.com/",
            "https://chat.example.com:",
            "https://chat.example.com:+443",
            "https://chat.example.com..",
            "chat.example.com",
            "null",
            "",
        ] {
            assert!(!allows("", other), "{other}");
        }
        assert!(Origins::default().allow(None, None), "a client that is not a web page sends no origin");
        assert!(!Origins::default().allow(Some("https://a"), None));
    }

    #[test]
    fn a_default_port_and_the_form_of_a_host_make_no_difference() {
        let same = |origin, host| Origins::default().allow(Some(origin), Some(host));
        for (origin, host) in [
            ("https://h", "h:443"),
            ("https://h:443", "h"),
            ("http://h", "h:80"),
            ("https://H", "h:0443"),
            ("https://h.", "h"),
            ("https://h:8443", "H.:8443"),
            ("https://[::1]", "[::1]:443"),
            ("http://[2001:db8::A]:8080", "[2001:DB8:0::a]:8080"),
            ("capacitor://localhost", "localhost"),
        ] {
            assert!(same(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("https://h", "h:80"),
            ("http://h", "h:443"),
            ("https://h", "h:8443"),
            ("https://[::1]", "[::2]"),
            ("https://h", "h:x"),
            ("https://h", ""),
            ("https://", ""),
            ("capacitor://localhost", "localhost:443"),
        ] {
            assert!(!same(origin, host), "{origin} {host}");
        }
        assert!(allows("https://a.example:443 https://*.b.example:443", "https://a.example"));
        assert!(allows("https://*.b.example:443", "https://x.b.example."));
        assert!(allows("https://*.b.example:8443", "https://x.b.example:8443"));
    }

    #[test]
    fn a_list_matches_exactly_or_by_subdomain() {
        let list = "https://a.example https://*.b.example http://localhost:8080";
        for good in
            ["https://a.example", "https://x.b.example", "https://x.y.b.example", "http://localhost:8080"]
        {
            assert!(allows(list, good), "{good}");
        }
        for bad in [
            "http://a.example",
            "https://b.example",
            "https://xb.example",
            "https://evil/x.b.example",
            "http://x.b.example",
            "https://chat.example.com",
            "https://a.example.evil",
            "https://x.b.example:444",
            "http://localhost",
            "null",
        ] {
            assert!(!allows(list, bad), "{bad}");
        }
        assert!(allows("*", "https://anything") && allows("*", "null"));
    }

    #[test]
    fn invalid_origins_are_rejected() {
        for bad in [
            "example.com",
            "ftp://a",
            "https://",
            "https://*.",
            "https://a/b",
            "https://a b://",
            "https://a:x",
            "https://[::g]",
            "https://a.*.b",
        ] {
            assert!(Origins::parse(bad).is_err(), "{bad}");
        }
    }
}
