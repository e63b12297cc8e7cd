//! What daemons tell each other of who connects and disconnects.
//!
//! An announcement says whose state may have changed, not what it is now: whoever watches these users asks
//! Redis again. So announcements may be repeated, merged, or come late. The text is
//! `1 <daemon> <user> <user>…`, where the first character is [`crate::VERSION`], and a single `*` stands for
//! every user of the partition.

use crate::VERSION;

/// The word for every user.
const EVERYONE: &str = "*";

/// An announcement on the presence channel of a partition, borrowed from the bytes it arrived as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement<'a> {
    /// The daemon that holds the users' connections, or has held them.
    pub daemon: &'a str,
    /// Their ids, separated by spaces; `None`: every user of the partition.
    users: Option<&'a str>,
}

impl<'a> Announcement<'a> {
    /// Reads an announcement; `None` if it is not one of this version.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let rest = std::str::from_utf8(bytes).ok()?.strip_prefix(VERSION)?.strip_prefix(' ')?;
        let (daemon, users) = rest.split_once(' ')?;
        Some(Self { daemon, users: (users != EVERYONE).then_some(users) })
    }

    /// The ids of the users; `None`: every user of the partition.
    pub fn users(&self) -> Option<impl Iterator<Item = &'a str>> {
        self.users.map(|users| users.split(' '))
    }
}

/// The announcement that some users have connected first or disconnected last.
pub fn of_users(daemon: &str, users: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    let start = format!("{VERSION} {daemon}");
    users.into_iter().fold(start, |text, user| format!("{text} {user}"))
}

/// The announcement that the state of every user of a partition may have changed.
pub fn of_everyone(daemon: &str) -> String {
    format!("{VERSION} {daemon} {EVERYONE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_read_back() {
        let text = of_users("d-1", [7, 12]);
        let read = Announcement::decode(text.as_bytes()).unwrap();
        assert_eq!((read.daemon, read.users().unwrap().collect()), ("d-1", vec!["7", "12"]));
        let text = of_everyone("d-1");
        let read = Announcement::decode(text.as_bytes()).unwrap();
        assert!(read.daemon == "d-1" && read.users().is_none());
        for other in ["", "1", "1 d", "2 d 7", "1d 7"] {
            assert_eq!(Announcement::decode(other.as_bytes()), None, "{other}");
        }
    }
}
