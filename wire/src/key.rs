//! Every Redis name, built here and nowhere else.

use std::fmt;

use crate::id::{MessageId, UserId};
use crate::partition::Partition;

/// The start of every name, so that several installations can share one Redis. Channels need it even in
/// databases of their own, since publish and subscribe ignore the database number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

/// The text cannot be the start of Redis names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 letters, digits, or any of . _ - : (no braces: they mark the hash tag)")]
pub struct InvalidPrefix;

impl Prefix {
    /// The default prefix.
    pub const DEFAULT: &str = "chatpush";

    /// The channel of one user's live frames. A daemon is subscribed while it holds a connection of the user,
    /// so the user is online if the channel has subscribers.
    pub fn user_channel(&self, user: UserId) -> String {
        format!("{}:{{{}}}:user:{user}", self.0, Partition::of(user))
    }

    /// The user of a user channel.
    pub fn user_of_channel(&self, channel: &str) -> Option<UserId> {
        let rest = channel.strip_prefix(&self.0)?.strip_prefix(":{")?;
        let user = rest.split_once('}')?.1.strip_prefix(":user:")?;
        UserId::try_from(user.parse::<i64>().ok()?).ok()
    }

    /// The channel that every daemon is subscribed to, in every partition. Without subscribers no daemon is
    /// running.
    pub fn daemons_channel(&self, partition: Partition) -> String {
        format!("{}:{{{partition}}}:daemons", self.0)
    }

    /// The stream of everything that is to happen in MySQL, in order.
    pub fn log(&self, partition: Partition) -> String {
        format!("{}:{{{partition}}}:log", self.0)
    }

    /// Whether this is the query channel of that daemon.
    pub fn is_query_channel_of(&self, daemon: &str, channel: &str) -> bool {
        let rest = channel.strip_prefix(&self.0).and_then(|rest| rest.strip_prefix(":{"));
        let rest = rest.and_then(|rest| rest.split_once('}')).map(|(_, rest)| rest);
        rest.and_then(|rest| rest.strip_prefix(":query:")) == Some(daemon)
    }

    /// The partition of a log.
    pub fn partition_of_log(&self, key: &str) -> Option<Partition> {
        let rest = key.strip_prefix(&self.0)?.strip_prefix(":{")?;
        Partition::new(rest.strip_suffix("}:log")?.parse().ok()?)
    }

    /// The list of queries that any daemon may answer.
    pub fn query_list(&self, partition: Partition) -> String {
        format!("{}:{{{partition}}}:queries", self.0)
    }

    /// The channel of queries to one daemon. With an empty name, what all query channels begin with.
    pub fn query_channel(&self, partition: Partition, daemon: &str) -> String {
        format!("{}:{{{partition}}}:query:{daemon}", self.0)
    }

    /// The channel of answers to one connection of the extension.
    pub fn reply_channel(&self, partition: Partition, caller: &str) -> String {
        format!("{}:{{{partition}}}:reply:{caller}", self.0)
    }

    /// The key that records that a message was accepted, so that a repeated call is not a second message.
    pub fn seen(&self, receiver: UserId, message: &MessageId) -> String {
        format!("{}:{{{}}}:seen:{receiver}:{message}", self.0, Partition::of(receiver))
    }

    /// The key that records that a refused entry was appended again.
    pub fn requeued(&self, partition: Partition, number: u64) -> String {
        format!("{}:{{{partition}}}:requeued:{number}", self.0)
    }

    /// The key of the writer's lease: the name of its holder.
    pub fn writer(&self) -> String {
        format!("{}:writer", self.0)
    }

    /// The channel that only one daemon is subscribed to. Without a subscriber that daemon is gone. With an
    /// empty name, what all these channels begin with.
    pub fn daemon_channel(&self, daemon: &str) -> String {
        format!("{}:daemon:{daemon}", self.0)
    }

    /// The hash with each daemon's last heartbeat.
    pub fn heartbeats(&self) -> String {
        format!("{}:heartbeats", self.0)
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl TryFrom<String> for Prefix {
    type Error = InvalidPrefix;

    fn try_from(text: String) -> Result<Self, InvalidPrefix> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
        if text.is_empty() || text.len() > 64 || !text.bytes().all(allowed) {
            return Err(InvalidPrefix);
        }
        Ok(Self(text))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_of_a_receiver_have_one_hash_tag() {
        let prefix = Prefix::default();
        let user = UserId::try_from(35).unwrap();
        let message = MessageId::generate(1, [0; 10]);
        let partition = Partition::of(user);
        for name in [
            prefix.user_channel(user),
            prefix.daemons_channel(partition),
            prefix.log(partition),
            prefix.query_list(partition),
            prefix.query_channel(partition, "d"),
            prefix.reply_channel(partition, "c"),
            prefix.seen(user, &message),
        ] {
            assert!(name.starts_with("chatpush:{3}:"), "{name}");
        }
    }

    #[test]
    fn channels_and_logs_read_back() {
        let prefix = Prefix::try_from("my:app".to_owned()).unwrap();
        let user = UserId::try_from(35).unwrap();
        assert_eq!(prefix.user_of_channel(&prefix.user_channel(user)), Some(user));
        assert_eq!(prefix.user_of_channel("other:{3}:user:35"), None);
        assert_eq!(prefix.user_of_channel("my:app:{3}:daemons"), None);
        let partition = Partition::of(user);
        assert_eq!(prefix.partition_of_log(&prefix.log(partition)), Some(partition));
        assert_eq!(prefix.partition_of_log("my:app:{99}:log"), None);
        assert!(prefix.is_query_channel_of("d:1", &prefix.query_channel(partition, "d:1")));
        assert!(!prefix.is_query_channel_of("d:1", &prefix.query_channel(partition, "d:12")));
        assert!(!prefix.is_query_channel_of("user:35", &prefix.user_channel(user)));
    }

    #[test]
    fn a_prefix_has_no_braces() {
        for bad in ["", "a{b", "a}b", "a b", "é"] {
            assert_eq!(Prefix::try_from(bad.to_owned()), Err(InvalidPrefix));
        }
    }
}
