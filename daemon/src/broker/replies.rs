//! Replies to the extension, and what the writer tells a user's devices.

use chatpush_wire::envelope;
use chatpush_wire::frame::{Message, sent};
use chatpush_wire::id::{MessageId, UserId};
use chatpush_wire::key::Prefix;
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::Reply;
use chatpush_wire::reply_to::ReplyTo;
use redis::Pipeline;

use super::{BrokerError, Commands};

/// Adds the command that publishes a reply to a pipeline. If the caller is gone, the reply is lost.
pub(crate) fn publish_reply(
    pipeline: &mut Pipeline,
    prefix: &Prefix,
    daemon: &str,
    partition: Partition,
    reply_to: ReplyTo<'_>,
    reply: &Reply,
) {
    // Numbers, texts and flags: this cannot fail.
    let json = serde_json::to_string(reply).unwrap_or_default();
    let channel = prefix.reply_channel(partition, reply_to.caller);
    pipeline.cmd("SPUBLISH").arg(channel).arg(reply_to.answer(daemon, &json)).ignore();
}

/// Which of these callers still wait for their answers: a connection whose call has timed out is closed.
///
/// # Errors
///
/// When Redis cannot be reached.
pub(crate) async fn waiting(
    commands: &Commands,
    prefix: &Prefix,
    callers: &[(Partition, ReplyTo<'_>)],
) -> Result<Vec<bool>, BrokerError> {
    let mut pipeline = redis::pipe();
    for (partition, reply_to) in callers {
        let channel = prefix.reply_channel(*partition, reply_to.caller);
        pipeline.cmd("PUBSUB").arg("SHARDNUMSUB").arg(channel);
    }
    let counts: Vec<Vec<(String, u64)>> = commands.send(&pipeline).await?;
    Ok(counts.into_iter().map(|counts| counts.into_iter().any(|(_, count)| count > 0)).collect())
}

/// Forgets that messages were accepted: their calls are refused, and may be repeated under the same ids.
///
/// # Errors
///
/// When Redis cannot be reached, or takes no writes.
pub(crate) async fn forget_accepted(
    commands: &Commands,
    prefix: &Prefix,
    messages: &[(&UserId, &MessageId)],
) -> Result<(), BrokerError> {
    let mut pipeline = redis::pipe();
    for (receiver, id) in messages {
        pipeline.cmd("DEL").arg(prefix.seen(receiver, id)).ignore();
    }
    commands.send(&pipeline).await
}

/// Adds the command that publishes the frame of a user's unread counter to a pipeline.
pub(crate) fn publish_unread(pipeline: &mut Pipeline, prefix: &Prefix, user: &UserId, frame: &str) {
    let envelope = format!("{}{frame}", envelope::EPHEMERAL);
    pipeline.cmd("SPUBLISH").arg(prefix.user_channel(user)).arg(envelope).ignore();
}

/// Adds the command that publishes a stored message to a pipeline, as the script does that accepts one.
pub(crate) fn publish_message(
    pipeline: &mut Pipeline,
    prefix: &Prefix,
    receiver: &UserId,
    message: &Message<'_>,
    time_ms: u64,
) {
    let head = envelope::tracked(message.id, message.message_type.is_none());
    let envelope = head + &message.live(time_ms);
    pipeline.cmd("SPUBLISH").arg(prefix.user_channel(receiver)).arg(envelope).ignore();
}

/// Adds the command that publishes to a pipeline that messages to `receiver` are taken back.
pub(crate) fn publish_recall(pipeline: &mut Pipeline, prefix: &Prefix, receiver: &UserId, ids: &[MessageId]) {
    let envelope = format!("{}{}", envelope::RECALL, sent::recall(ids));
    pipeline.cmd("SPUBLISH").arg(prefix.user_channel(receiver)).arg(envelope).ignore();
}

/// Adds the command that publishes a frame which may be lost, for clients that know such frames, to a
/// pipeline.
pub(crate) fn offer(pipeline: &mut Pipeline, prefix: &Prefix, user: &UserId, frame: &str) {
    let envelope = format!("{}{frame}", envelope::EVENT);
    pipeline.cmd("SPUBLISH").arg(prefix.user_channel(user)).arg(envelope).ignore();
}
