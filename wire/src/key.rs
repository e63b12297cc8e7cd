//! Every Redis name, built here and nowhere else.

use std::fmt;

use crate::id::{MessageId, UserId, UserIdType};
use crate::partition::Partition;
use crate::room::Room;

/// The start of every name, so that several installations can share one Redis. Channels need it even in
/// databases of their own, since publish and subscribe ignore the database number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    start: String,
    /// Whether the names of no partition have the hash tag of the first one.
    tags_all: bool,
}

/// The text cannot be the start of Redis names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 letters, digits, or any of . _ - : (no braces: they mark the hash tag)")]
pub struct InvalidPrefix;

impl Prefix {
    /// The default prefix.
    pub const DEFAULT: &str = "chatpush";

    /// The names in a Redis Cluster. There, those of no partition are in the slot of the first one: so a script may use
    /// several of them, and every name is where its partition is. Elsewhere they have no hash tag.
    #[must_use]
    pub fn in_cluster(self) -> Self {
        Self { tags_all: true, ..self }
    }

    /// The channel of one user's live frames. A daemon is subscribed while it holds a connection of the user,
    /// so the user is online if the channel has subscribers.
    pub fn user_channel(&self, user: &UserId) -> String {
        self.tagged(Partition::of(user), format_args!("user:{user}"))
    }

    /// The user of a user channel, with an id of this type.
    pub fn user_of_channel(&self, channel: &str, kind: UserIdType) -> Option<UserId> {
        let (_, name) = self.untagged(channel)?;
        kind.text(name.strip_prefix("user:")?).ok()
    }

    /// The channel that every daemon is subscribed to, in every partition. Without subscribers no daemon is
    /// running.
    pub fn daemons_channel(&self, partition: Partition) -> String {
        self.tagged(partition, format_args!("daemons"))
    }

    /// The channel of a room. A daemon is subscribed while it holds a connection in the room.
    pub fn room_channel(&self, room: &Room) -> String {
        self.tagged(Partition::of_text(room.as_str()), format_args!("room:{room}"))
    }

    /// The room of a room channel.
    pub fn room_of_channel(&self, channel: &str) -> Option<Room> {
        let (_, name) = self.untagged(channel)?;
        Room::try_from(name.strip_prefix("room:")?).ok()
    }

    /// The channel of what is pushed to everybody. A daemon is subscribed while it holds a connection. It has
    /// the hash tag of the first partition.
    pub fn everyone_channel(&self) -> String {
        self.tagged(Partition::FIRST, format_args!("everyone"))
    }

    /// Whether this is the channel of what is pushed to everybody.
    pub fn is_everyone_channel(&self, channel: &str) -> bool {
        self.untagged(channel).is_some_and(|(_, name)| name == "everyone")
    }

    /// The channel on which daemons announce whose presence may have changed. A daemon is subscribed to it in
    /// every partition while a client of it watches others.
    pub fn presence_channel(&self, partition: Partition) -> String {
        self.tagged(partition, format_args!("presence"))
    }

    /// The partition of a presence channel.
    pub fn partition_of_presence_channel(&self, channel: &str) -> Option<Partition> {
        let (tag, name) = self.untagged(channel)?;
        Partition::of_tag(tag).filter(|_| name == "presence")
    }

    /// The stream of everything that is to happen in MySQL, in order.
    pub fn log(&self, partition: Partition) -> String {
        self.tagged(partition, format_args!("log"))
    }

    /// Whether this is the query channel of that daemon.
    pub fn is_query_channel_of(&self, daemon: &str, channel: &str) -> bool {
        let name = self.untagged(channel).map(|(_, name)| name);
        name.and_then(|name| name.strip_prefix("query:")) == Some(daemon)
    }

    /// Whether this is the channel that every daemon subscribes to, of any partition.
    pub fn is_daemons_channel(&self, channel: &str) -> bool {
        self.untagged(channel).is_some_and(|(_, name)| name == "daemons")
    }

    /// The partition of a log.
    pub fn partition_of_log(&self, key: &str) -> Option<Partition> {
        let (tag, name) = self.untagged(key)?;
        Partition::of_tag(tag).filter(|_| name == "log")
    }

    /// The list of queries that any daemon may answer.
    pub fn query_list(&self, partition: Partition) -> String {
        self.tagged(partition, format_args!("queries"))
    }

    /// The channel of queries to one daemon. With an empty name, what all query channels begin with.
    pub fn query_channel(&self, partition: Partition, daemon: &str) -> String {
        self.tagged(partition, format_args!("query:{daemon}"))
    }

    /// The channel of answers to one connection of the extension.
    pub fn reply_channel(&self, partition: Partition, caller: &str) -> String {
        self.tagged(partition, format_args!("reply:{caller}"))
    }

    /// The key that records that a message was accepted, so that a repeated call is not a second message.
    pub fn seen(&self, receiver: &UserId, message: &MessageId) -> String {
        self.tagged(Partition::of(receiver), format_args!("seen:{receiver}:{message}"))
    }

    /// The key that records since which second the user's tokens are accepted: older ones were revoked.
    pub fn revoked(&self, user: &UserId) -> String {
        self.tagged(Partition::of(user), format_args!("revoked:{user}"))
    }

    /// The hash with users who have connected, which is not recorded in MySQL yet, and a mark of that.
    pub fn returned(&self, partition: Partition) -> String {
        self.tagged(partition, format_args!("returned"))
    }

    /// The key that records that a refused entry was appended again.
    pub fn requeued(&self, partition: Partition, number: u64) -> String {
        self.tagged(partition, format_args!("requeued:{number}"))
    }

    /// The key that is written before replicas are waited for ([`crate::lua::MARK`]). Nobody reads it.
    pub fn replication_mark(&self, partition: Partition) -> String {
        self.tagged(partition, format_args!("replication"))
    }

    /// The key of the writer's lease: the name of its holder.
    pub fn writer(&self) -> String {
        self.shared(format_args!("writer"))
    }

    /// The channel that only one daemon is subscribed to. Without a subscriber that daemon is gone. With an
    /// empty name, what all these channels begin with.
    pub fn daemon_channel(&self, daemon: &str) -> String {
        self.shared(format_args!("daemon:{daemon}"))
    }

    /// Whether this is [`Prefix::daemon_channel`] of that daemon.
    pub fn is_daemon_channel_of(&self, daemon: &str, channel: &str) -> bool {
        channel.strip_suffix(daemon).is_some_and(|start| start == self.daemon_channel(""))
    }

    /// The stream to which daemons append their answers to an operator's question.
    pub fn answers(&self, question: &str) -> String {
        self.shared(format_args!("answers:{question}"))
    }

    /// The hash with each daemon's last heartbeat.
    pub fn heartbeats(&self) -> String {
        self.shared(format_args!("heartbeats"))
    }

    /// The same on another master of a cluster than that of the first partition: on the one that has this partition and
    /// none before it.
    pub fn heartbeats_of(&self, partition: Partition) -> String {
        self.tagged(partition, format_args!("heartbeats"))
    }

    /// The key of the installation record ([`crate::installation`]).
    pub fn installation(&self) -> String {
        self.shared(format_args!("installation"))
    }

    /// The start of the names, without the colon that follows it.
    pub fn as_str(&self) -> &str {
        &self.start
    }

    /// Whether this is one of the names.
    pub fn names(&self, name: &[u8]) -> bool {
        name.strip_prefix(self.start.as_bytes()).is_some_and(|rest| rest.starts_with(b":"))
    }

    /// A name of no partition.
    fn shared(&self, name: fmt::Arguments<'_>) -> String {
        if self.tags_all { self.tagged(Partition::FIRST, name) } else { format!("{}:{name}", self.start) }
    }

    /// A name that carries a partition's hash tag.
    fn tagged(&self, partition: Partition, name: fmt::Arguments<'_>) -> String {
        format!("{}:{{{}}}:{name}", self.start, partition.tag())
    }

    /// The hash tag of such a name, and what follows it.
    fn untagged<'a>(&self, name: &'a str) -> Option<(&'a str, &'a str)> {
        let rest = name.strip_prefix(&self.start)?.strip_prefix(":{")?;
        // A search for "}:" would cost more than a tenth of the way of a push.
        let end = rest.bytes().position(|byte| byte == b'}')?;
        Some((rest.get(..end)?, rest.get(end..)?.strip_prefix("}:")?))
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self { start: Self::DEFAULT.to_owned(), tags_all: false }
    }
}

impl TryFrom<String> for Prefix {
    type Error = InvalidPrefix;

    fn try_from(text: String) -> Result<Self, InvalidPrefix> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
        if text.is_empty() || text.len() > 64 || !text.bytes().all(allowed) {
            return Err(InvalidPrefix);
        }
        Ok(Self { start: text, tags_all: false })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.start.fmt(f)
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
        let partition = Partition::of(&user);
        for name in [
            prefix.user_channel(&user),
            prefix.daemons_channel(partition),
            prefix.log(partition),
            prefix.query_list(partition),
            prefix.query_channel(partition, "d"),
            prefix.reply_channel(partition, "c"),
            prefix.seen(&user, &message),
            prefix.revoked(&user),
            prefix.returned(partition),
        ] {
            assert!(name.starts_with("chatpush:{35di}:"), "{name}");
        }
    }

    #[test]
    fn channels_and_logs_read_back() {
        let prefix = Prefix::try_from("my:app".to_owned()).unwrap();
        let user = UserId::try_from(35).unwrap();
        assert_eq!(prefix.user_of_channel(&prefix.user_channel(&user), UserIdType::Int), Some(user.clone()));
        assert_eq!(prefix.user_of_channel("other:{35di}:user:35", UserIdType::Int), None);
        assert_eq!(prefix.user_of_channel("my:app:{35di}:daemons", UserIdType::Int), None);
        let partition = Partition::of(&user);
        assert_eq!(prefix.partition_of_log(&prefix.log(partition)), Some(partition));
        let room = Room::try_from("team:1").unwrap();
        assert_eq!(prefix.room_of_channel(&prefix.room_channel(&room)), Some(room.clone()));
        assert_eq!(prefix.user_of_channel(&prefix.room_channel(&room), UserIdType::Text), None);
        assert!(prefix.is_everyone_channel(&prefix.everyone_channel()));
        assert_eq!(
            prefix.partition_of_presence_channel(&prefix.presence_channel(partition)),
            Some(partition)
        );
        assert_eq!(prefix.partition_of_presence_channel(&prefix.room_channel(&room)), None);
        assert_eq!(prefix.partition_of_log("my:app:{99}:log"), None);
        assert_eq!(prefix.partition_of_log("my:app:{35}:log"), None, "not the tag of the partition");
        assert!(prefix.is_query_channel_of("d:1", &prefix.query_channel(partition, "d:1")));
        assert!(!prefix.is_query_channel_of("d:1", &prefix.query_channel(partition, "d:12")));
        assert!(!prefix.is_query_channel_of("user:35", &prefix.user_channel(&user)));
        assert!(prefix.is_daemons_channel(&prefix.daemons_channel(partition)));
        assert!(!prefix.is_daemons_channel(&prefix.query_channel(partition, "daemons")));
    }

    #[test]
    fn a_prefix_has_no_braces() {
        for bad in ["", "a{b", "a}b", "a b", "é"] {
            assert_eq!(Prefix::try_from(bad.to_owned()), Err(InvalidPrefix));
        }
    }
}
