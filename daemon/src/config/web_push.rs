//! Web Push: how browsers are told that messages wait.

mod hosts;
mod keys;
mod text;

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::notify::Notify;
use super::setting::Setting;
use super::source::Source;

pub use self::hosts::{Hosts, RefusedHost};
pub use self::keys::{VapidKeys, vapid};
pub(crate) use self::text::Values;
pub use self::text::{Notification, Template};

pub(super) const SETTINGS: &[Setting] = &[
    Setting::text("web_push.public_key", "", "Public key of this application for Web Push")
        .details("`chatpushd vapid` makes both. Browsers subscribe with it: a new one ends all subscriptions."),
    Setting::text("web_push.private_key", "", "Private key that signs what push services are sent").details(
        "Empty: browsers are not told by Web Push. Otherwise `notify.after` is needed.",
    ),
    Setting::text("web_push.subject", "", "Where operators of push services reach you").details(
        "`mailto:` and an address, or an `https` address. Required with `web_push.private_key`.",
    ),
    Setting::integer(
        "web_push.ttl",
        "86400",
        0..=2_419_200,
        "seconds",
        "How long a push service keeps a notification for a browser that is not running",
    ),
    Setting::text("web_push.title", "New messages", "Title of a notification").details(
        "In it and in `web_push.body` stand `{unread}` and `{waiting}` for numbers, `{sender}` for the user id of the \
         last sender, and, with `notify.show_content`, `{content}` for the last message. With `notify.when` = \
         `unread`, write `{unread}`: once an open page has confirmed all messages, `{waiting}` is 0, and `{sender}` \
         and `{content}` are empty.",
    ),
    Setting::text("web_push.body", "Open the chat to read them.", "Text of a notification"),
    Setting::text("web_push.url", "/", "Address that a click opens").details(
        "A path on the page's origin, or an `https` address. Safari needs the whole address.",
    ),
    Setting::text(
        "web_push.hosts",
        "fcm.googleapis.com *.push.services.mozilla.com *.notify.windows.com web.push.apple.com",
        "Push services that may be sent to, separated by spaces",
    )
    .details(
        "A name, `*.` before a name for all below it, or with another port than 443 `name:port`. A name never leads \
         to a private address; write the address itself for a service of your own.",
    ),
    Setting::text("web_push.ca", "", "File with further root certificates of push services, in PEM")
        .details("Beside those of the system. Empty: none."),
];

/// How browsers are told that messages wait.
#[derive(Clone, Debug)]
pub struct WebPush {
    /// The keys of the application.
    pub keys: VapidKeys,
    /// Where operators of push services reach it.
    pub subject: String,
    /// How long a push service keeps a notification.
    pub ttl: Duration,
    /// What it shows.
    pub notification: Notification,
    /// Which push services are sent to.
    pub hosts: Hosts,
    /// A file with further root certificates.
    pub ca: Option<PathBuf>,
}

impl WebPush {
    /// None if it is off, or after an error. `notify`: whom somebody is told of.
    pub(super) fn read(source: &mut Source, notify: Option<Notify>) -> Option<Self> {
        let public_key = source.text("web_push.public_key");
        let private_key = source.text("web_push.private_key");
        let subject = source.parse("web_push.subject", subject);
        let ttl = source.seconds("web_push.ttl");
        let title = source.parse("web_push.title", Template::parse);
        let body = source.parse("web_push.body", Template::parse);
        let url = source.parse("web_push.url", url);
        let hosts = source.parse("web_push.hosts", Hosts::parse);
        let ca = source.text("web_push.ca").map(|file| Some(file).filter(|file| !file.is_empty()));
        let (public_key, private_key) = (public_key?, private_key?);
        if private_key.is_empty() {
            if public_key.is_empty() {
                source.require("web_push.private_key", "`chatpushd vapid` prints it with its public key");
            } else {
                source.error("web_push.private_key", "is required with web_push.public_key");
            }
            return None;
        }
        if notify.is_none() {
            source.error(
                "web_push.private_key",
                "needs notify.after, since only who is due is told, and storage = \"mysql\"",
            );
        }
        let keys = match VapidKeys::new(&public_key, &private_key) {
            Ok(keys) => Some(keys),
            Err(error) => {
                source.error(error.setting(), &error.to_string());
                None
            }
        };
        let subject = subject?;
        if subject.is_empty() {
            source.error("web_push.subject", "is required with web_push.private_key: mailto:you@example.org");
        }
        let (title, body) = (title?, body?);
        for (template, setting) in [(&title, "web_push.title"), (&body, "web_push.body")] {
            if template.has_content() && !notify.is_some_and(|notify| notify.show_content) {
                source.error(setting, "has {content}, which needs notify.show_content = true");
            }
        }
        let notification = Notification { title, body, url: url? };
        let (longest, most) = (notification.longest(), Notification::MOST_BYTES);
        if longest > most {
            let together =
                "with web_push.title and web_push.url, with the longest values and without {content}";
            source.error(
                "web_push.body",
                &format!(
                    "has {longest} bytes of JSON together {together}: at most {most} fit, so shorten them"
                ),
            );
        }
        Some(Self {
            keys: keys?,
            subject,
            ttl: ttl?,
            notification,
            hosts: hosts?,
            ca: ca?.map(PathBuf::from),
        })
    }
}

/// A contact (RFC 8292 section 2.1). Apple refuses requests without one.
fn subject(text: &str) -> Result<String, String> {
    let is_mail = text.strip_prefix("mailto:").is_some_and(|address| address.contains('@'));
    let is_page = text.starts_with("https://") && Url::parse(text).is_ok();
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.is_empty() || plain && (is_mail || is_page) {
        return Ok(text.to_owned());
    }
    Err("must be mailto: and an address, such as mailto:you@example.org, or an https address".to_owned())
}

fn url(text: &str) -> Result<String, String> {
    /// So that there is room for the texts of a notification.
    const MOST_BYTES: usize = 1_000;
    let is_address = text.starts_with("https://") && Url::parse(text).is_ok();
    let is_path = text.starts_with('/') && !text.starts_with("//");
    if text.len() <= MOST_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic()) && (is_address || is_path)
    {
        return Ok(text.to_owned());
    }
    Err(format!("must be a path such as /chat, or an https address, of at most {MOST_BYTES} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_contact() {
        for good in ["", "mailto:a@b.example", "https://chat.example/contact"] {
            assert!(subject(good).is_ok(), "{good}");
        }
        for bad in ["a@b.example", "mailto:", "http://a.example", "mailto:a b@c.example", "https://"] {
            assert!(subject(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_click_opens_a_path_or_an_https_page() {
        for good in ["/", "/chat?a=b#c", "https://chat.example/chat"] {
            assert!(url(good).is_ok(), "{good}");
        }
        for bad in ["", "chat", "//evil.example", "http://chat.example/", "javascript:x", "/a b"] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
