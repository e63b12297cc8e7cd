//! Which pages may connect. A browser says where a page is from (RFC 6454 section 7), and no page can make it
//! lie; the token alone would let any page in that has got hold of one.

/// The pages that may connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<Origin>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    /// Every page.
    Any,
    /// The pages of one place: `https://chat.example.com`.
    Exact(String),
    /// Those of all its subdomains: scheme with `://`, and what the host ends in, with its dot.
    Below(String, String),
}

impl Origins {
    /// Reads a list separated by spaces: `https://chat.example.com`, `https://*.example.com`, or `*`.
    ///
    /// # Errors
    ///
    /// What would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split_whitespace().map(Origin::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a page of `origin` may connect to `host`, both as the browser sent them. Whoever sends no origin
    /// is no page. With an empty list the page must be of the host that it connects to.
    pub fn allow(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(origin) = origin.map(str::to_ascii_lowercase) else { return true };
        if !self.0.is_empty() {
            return self.0.iter().any(|allowed| allowed.is(&origin));
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
        let (place, below) = match host.strip_prefix("*.") {
            Some(below) => (below, true),
            None => (host, false),
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
        if !["http", "https"].contains(&scheme) || place.is_empty() || !place.chars().all(fits) {
            return Err(wrong());
        }
        Ok(if below { Self::Below(format!("{scheme}://"), format!(".{place}")) } else { Self::Exact(text) })
    }

    fn is(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == origin,
            Self::Below(scheme, below) => origin
                .strip_prefix(scheme.as_str())
                .and_then(|host| host.strip_suffix(below.as_str()))
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
    fn without_a_list_a_page_must_be_of_the_host_it_connects_to() {
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
        assert!(Origins::default().allow(None, None), "who is no page sends no origin");
        assert!(!Origins::default().allow(Some("https://a"), None));
    }

    #[test]
    fn a_list_is_exact_but_for_its_subdomains() {
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
    fn what_is_no_origin_is_refused() {
        for bad in ["example.com", "ftp://a", "https://", "https://*.", "https://a/b", "https://a b://"] {
            assert!(Origins::parse(bad).is_err(), "{bad}");
        }
    }
}
