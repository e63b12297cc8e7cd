//! Which web pages may connect, by the `Origin` header that browsers send (RFC 6454 section 7). A page cannot
//! forge it. Without this check, any page that has obtained a token could connect.

/// The list of allowed origins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<Origin>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    /// `*`: every origin.
    Any,
    /// One origin: `https://chat.example.com`.
    Exact(String),
    /// All subdomains, as in `https://*.example.com`: the scheme with `://`, and the host's suffix with its
    /// dot.
    Subdomains(String, String),
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
    /// not web pages and may connect. With an empty list, the origin's host must equal `host`.
    pub fn allow(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(origin) = origin.map(str::to_ascii_lowercase) else { return true };
        if !self.0.is_empty() {
            return self.0.iter().any(|allowed| allowed.matches(&origin));
        }
        let own = origin.split_once("://").map(|(_, own)| own);
        own.is_some() && own == host.map(str::to_ascii_lowercase).as_deref()
    }
}

impl Origin {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} must be like https://chat.example.com, https://*.example.com or *");
        if text == "*" {
            return Ok(Self::Any);
        }
        let text = text.to_ascii_lowercase();
        let (scheme, host) = text.split_once("://").ok_or_else(wrong)?;
        let (host, has_wildcard) = match host.strip_prefix("*.") {
            Some(host) => (host, true),
            None => (host, false),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
        if !["http", "https"].contains(&scheme) || host.is_empty() || !host.chars().all(fits) {
            return Err(wrong());
        }
        Ok(if has_wildcard {
            Self::Subdomains(format!("{scheme}://"), format!(".{host}"))
        } else {
            Self::Exact(text)
        })
    }

    fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == origin,
            Self::Subdomains(scheme, suffix) => origin
                .strip_prefix(scheme.as_str())
                .and_then(|host| host.strip_suffix(suffix.as_str()))
                .is_some_and(|label| {
                    !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
                }),
        }
    }
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
            "null",
            "",
        ] {
            assert!(!allows("", other), "{other}");
        }
        assert!(Origins::default().allow(None, None), "a client that is not a web page sends no origin");
        assert!(!Origins::default().allow(Some("https://a"), None));
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
        for bad in ["example.com", "ftp://a", "https://", "https://*.", "https://a/b", "https://a b://"] {
            assert!(Origins::parse(bad).is_err(), "{bad}");
        }
    }
}
