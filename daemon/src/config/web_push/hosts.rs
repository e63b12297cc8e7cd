//! Which push services are sent to: endpoints are what strangers' browsers say.

use url::{Host, Url};

/// The port of https.
const HTTPS: u16 = 443;

/// The push services that are sent to.
#[derive(Clone, Debug)]
pub struct Hosts(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    host: PatternHost,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PatternHost {
    /// This name or address.
    Exact(Host),
    /// Every name that ends with this, which begins with a full stop.
    Below(String),
}

/// An endpoint that is not sent to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the push service {0} is not in web_push.hosts")]
pub struct RefusedHost(String);

impl Hosts {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let hosts: Vec<_> = text.split_whitespace().map(Pattern::parse).collect::<Result<_, _>>()?;
        if hosts.is_empty() {
            return Err("must name a push service, such as fcm.googleapis.com".to_owned());
        }
        Ok(Self(hosts))
    }

    /// The address of an endpoint that may be sent to.
    ///
    /// # Errors
    ///
    /// When its host and port are not in the list.
    pub fn allow(&self, endpoint: &str) -> Result<Url, RefusedHost> {
        let url = Url::parse(endpoint).map_err(|_| RefusedHost("?".to_owned()))?;
        let port = url.port_or_known_default();
        let allowed = url.scheme() == "https"
            && url.host().is_some_and(|host| {
                self.0.iter().any(|pattern| Some(pattern.port) == port && pattern.host.is(&host))
            });
        if allowed {
            return Ok(url);
        }
        let host = url.host_str().unwrap_or_default();
        Err(RefusedHost(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))))
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{text:?} must be a host, such as fcm.googleapis.com, *.example.org or 127.0.0.1:8443")
        };
        let (below, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        // An address of this form is read as a browser reads it: names in lower case, in ASCII.
        let url = Url::parse(&format!("https://{rest}/")).map_err(|_| wrong())?;
        let nothing_else = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !nothing_else || !url.username().is_empty() || url.password().is_some() || rest.contains('*') {
            return Err(wrong());
        }
        let host = match url.host() {
            Some(Host::Domain(name)) if below => PatternHost::Below(format!(".{name}")),
            Some(host) if !below => PatternHost::Exact(host.to_owned()),
            _ => return Err(wrong()),
        };
        Ok(Self { host, port: url.port().unwrap_or(HTTPS) })
    }
}

impl PatternHost {
    fn is(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::Exact(own), host) => own == host,
            (Self::Below(end), Host::Domain(name)) => name.len() > end.len() && name.ends_with(end.as_str()),
            (Self::Below(_), _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_written_is_sent_to() {
        let hosts = Hosts::parse("a.example *.b.example 127.0.0.1:8443 [::1]:8444 c.example:444").unwrap();
        for good in [
            "https://a.example/x",
            "https://A.example:443/x",
            "https://x.b.example/",
            "https://y.x.b.example/",
            "https://127.0.0.1:8443/x",
            "https://[::1]:8444/",
            "https://c.example:444/",
        ] {
            assert!(hosts.allow(good).is_ok(), "{good}");
        }
        for bad in [
            "http://a.example/",
            "https://a.example:444/",
            "https://a.example.evil.example/",
            "https://b.example/",
            "https://.b.example/",
            "https://xb.example/",
            "https://127.0.0.1/",
            "https://127.0.0.1:8444/",
            "https://2130706433:8442/",
            "https://[::ffff:127.0.0.1]:8443/",
            "https://[::1]:8443/",
            "https://localhost:8443/",
            "https://a.example@evil.example/",
            "https://c.example/",
            "a.example",
        ] {
            assert!(hosts.allow(bad).is_err(), "{bad}");
        }
        let refused = hosts.allow("https://evil.example:8080/secret").unwrap_err().to_string();
        assert_eq!(refused, "the push service evil.example:8080 is not in web_push.hosts");
    }

    #[test]
    fn what_is_no_host_is_refused_by_name() {
        for bad in
            ["", "https://a.example", "a.example/x", "*", "*.", "a.*.example", "*.127.0.0.1", "a@b", "a:b"]
        {
            assert!(Hosts::parse(bad).is_err(), "{bad}");
        }
    }
}
