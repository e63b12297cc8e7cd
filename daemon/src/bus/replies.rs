//! Answers to the extension, and notices to a user's devices.

use chatpush_wire::envelope;
use chatpush_wire::frame;
use chatpush_wire::id::UserId;
use chatpush_wire::key::Prefix;
use chatpush_wire::limit::REPLY_TTL;
use chatpush_wire::partition::Partition;
use chatpush_wire::reply::Reply;
use chatpush_wire::script::REPLY;
use redis::Pipeline;

/// Answers that belong to one partition, as one atomic step so that none is left without expiry.
pub fn answer(pipeline: &mut Pipeline, prefix: &Prefix, partition: Partition, replies: &[(&str, Reply)]) {
    if replies.is_empty() {
        return;
    }
    pipeline.cmd("EVAL").arg(REPLY.source()).arg(replies.len());
    for (request, _) in replies {
        pipeline.arg(prefix.reply(partition, request));
    }
    pipeline.arg(REPLY_TTL.as_millis());
    for (_, reply) in replies {
        // A reply is numbers, texts and flags, all of which JSON has.
        pipeline.arg(serde_json::to_string(reply).unwrap_or_default());
    }
    pipeline.ignore();
}

/// Tells a user's devices what the unread counter is now.
pub fn tell_unread(pipeline: &mut Pipeline, prefix: &Prefix, user: UserId, count: u64) {
    let envelope = format!("{}{}", envelope::LIVE, frame::unread(count));
    pipeline.cmd("SPUBLISH").arg(prefix.user_channel(user)).arg(envelope).ignore();
}
