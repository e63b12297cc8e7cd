//! Where the application is told what happens.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::{Host, Url};

use super::setting::Setting;
use super::source::Source;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::text("webhook.url", "", "Address that is told what happens")
        .details("`https`, or `http` to this machine alone. Empty: none. Signed as Standard Webhooks."),
    Setting::text("webhook.secret", "", "Keys that sign the webhooks, separated by spaces").details(
        "Each is `whsec_` and 24 to 64 bytes in Base64; all of them sign side by side while one is replaced. \
         `echo whsec_$(openssl rand -base64 32)` makes one.",
    ).reloads_with("webhook.url"),
    Setting::text("webhook.events", "message.waiting", "Events that are sent, separated by spaces")
        .details(
            "`message.waiting`: somebody is to be told that messages wait; needs `notify.after`. `message.delivered`: \
             a client has confirmed a message. `user.online`, `user.offline`: a user has the first connection, or has \
             had none for ten seconds. After a change run `chatpushd migrate`.",
        ),
    Setting::integer(
        "webhook.timeout_ms",
        "5000",
        100..=60_000,
        "milliseconds",
        "Longest time until the application has answered",
    ),
];

/// Bytes of a key (Standard Webhooks, "Symmetric").
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// How to get a key.
const MAKES_A_KEY: &str = "echo whsec_$(openssl rand -base64 32) makes one";

/// What the application can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Messages wait for a user, and somebody is to be told.
    Waiting,
    /// A client has confirmed a message.
    Delivered,
    /// A user is connected.
    Online,
    /// A user is not connected any more.
    Offline,
}

impl Event {
    const ALL: [Self; 4] = [Self::Waiting, Self::Delivered, Self::Online, Self::Offline];

    /// Its name in `webhook.events`, in the body of a webhook, and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "message.waiting",
            Self::Delivered => "message.delivered",
            Self::Online => "user.online",
            Self::Offline => "user.offline",
        }
    }

    /// The event with a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }

    /// Whether it says that a user came or went.
    pub const fn is_presence(self) -> bool {
        matches!(self, Self::Online | Self::Offline)
    }
}

/// A set of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events(u8);

impl Events {
    /// Whether an event is among them.
    pub const fn has(self, event: Event) -> bool {
        self.0 & (1 << event as u8) != 0
    }

    /// Whether some are queued in the database. Whoever is due stands there without.
    pub fn are_queued(self) -> bool {
        Event::ALL.into_iter().any(|event| event != Event::Waiting && self.has(event))
    }

    /// Whether some say that a user came or went.
    pub fn have_presence(self) -> bool {
        Event::ALL.into_iter().any(|event| event.is_presence() && self.has(event))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let names = || Event::ALL.map(Event::name).join(", ");
        let mut events = Self::default();
        for name in text.split_whitespace() {
            let event =
                Event::named(name).ok_or_else(|| format!("{name:?} is no event: there are {}", names()))?;
            events.0 |= 1 << event as u8;
        }
        if events == Self::default() {
            return Err(format!("must name an event: there are {}", names()));
        }
        Ok(events)
    }
}

/// Where the application is told what happens.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The address.
    pub url: Url,
    /// What it is told of.
    pub events: Events,
    /// Longest time until it has answered.
    pub timeout: Duration,
}

/// A key that signs. It is not printed.
#[derive(Clone)]
pub struct Key(Vec<u8>);

impl Key {
    fn new(text: &str) -> Result<Self, String> {
        let wrong = || format!("must be whsec_ and 24 to 64 bytes in Base64: {MAKES_A_KEY}");
        let key = text.strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok());
        key.filter(|key| KEY_BYTES.contains(&key.len())).map(Self).ok_or_else(wrong)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Webhook {
    /// Where, and the keys, each of which signs. None if there is no address, or after an error.
    /// `notifies`: whether anybody becomes due. `stores`: whether there is a database.
    pub(super) fn read(source: &mut Source, notifies: bool, stores: bool) -> Option<(Self, Vec<Key>)> {
        let url = source.parse("webhook.url", |text| match text {
            "" => Ok(None),
            text => address(text).map(Some),
        });
        let keys: Option<Vec<_>> =
            source.parse("webhook.secret", |text| text.split_whitespace().map(Key::new).collect());
        let events = source.parse("webhook.events", Events::parse);
        let timeout = source.milliseconds("webhook.timeout_ms");
        let Some(url) = url? else {
            source.require("webhook.url", "set it to the address that is told");
            return None;
        };
        let keys = keys?;
        if keys.is_empty() {
            source.error("webhook.secret", &format!("is required with webhook.url: {MAKES_A_KEY}"));
        }
        let events = events?;
        if !stores {
            source.error(
                "webhook.url",
                "needs storage = \"mysql\": what is not told yet is kept in the database",
            );
        } else if events.has(Event::Waiting) && !notifies {
            source.error(
                "webhook.url",
                "is set, and webhook.events has message.waiting, as by default: set [notify] after, or name other \
                 events",
            );
        }
        Some((Self { url, events, timeout: timeout? }, keys))
    }
}

fn address(text: &str) -> Result<Url, String> {
    const FORM: &str = "must be an address such as https://chat.example/webhook.php";
    let url = Url::parse(text).map_err(|error| format!("{FORM} ({error})"))?;
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" if url.host().is_some() => {}
        "http" if is_loopback => {}
        "http" => {
            return Err("must be https: http is for this machine (127.0.0.1, localhost) alone".to_owned());
        }
        _ => return Err(FORM.to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not have a password: the signature shows who has sent it".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_addresses_are_used() {
        for good in [
            "https://a.example/x?y=z",
            "https://[2001:db8::1]:8443/",
            "http://127.0.0.1:8080/",
            "http://[::1]/",
            "http://localhost/x",
        ] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://a.example/",
            "ftp://a.example/",
            "a.example",
            "https://",
            "https://u:p@a.example/",
            "http://10.0.0.1/",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn events_are_a_set_of_names() {
        let events = Events::parse("message.waiting  user.offline").unwrap();
        let has = Event::ALL.map(|event| events.has(event));
        assert_eq!(
            (has, events.are_queued(), events.have_presence()),
            ([true, false, false, true], true, true)
        );
        let delivered = Events::parse("message.delivered").unwrap();
        assert!(delivered.are_queued() && !delivered.have_presence());
        assert!(!Events::parse("message.waiting").unwrap().are_queued());
        for bad in ["", " ", "message.read", "user.online,user.offline"] {
            assert!(Events::parse(bad).unwrap_err().contains("message.delivered"), "{bad}");
        }
    }

    #[test]
    fn keys_have_their_form_and_are_not_printed() {
        let key = Key::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!((key.bytes().len(), format!("{key:?}")), (24, "Key".to_owned()));
        for bad in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_%%%"] {
            assert!(Key::new(bad).is_err(), "{bad}");
        }
    }
}
