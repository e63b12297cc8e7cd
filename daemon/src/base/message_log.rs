//! One log line for each step of a message, at the level `debug` with the target `chatpush::message`: who was sent
//! what over which connection, never its content. While the level is off, a line costs the look at one atomic.

use std::fmt::Display;

use chatpush_wire::id::{MessageId, UserId};
use tracing::Level;

/// The target of the lines.
macro_rules! step {
    ($($field:tt)*) => { tracing::debug!(target: "chatpush::message", $($field)*) };
}

/// Whether the lines are logged.
pub(crate) fn is_on() -> bool {
    tracing::enabled!(target: "chatpush::message", Level::DEBUG)
}

/// The writer has read the message from the log.
pub(crate) fn accepted(id: &MessageId, user: &UserId) {
    step!(message_id = %id, %user, "accepted");
}

/// MySQL has committed the message.
pub(crate) fn stored(id: &MessageId, user: &UserId) {
    step!(message_id = %id, %user, "stored");
}

/// MySQL, or a full mailbox, has refused the message.
pub(crate) fn refused(id: &MessageId, user: &UserId, reason: &str) {
    step!(message_id = %id, %user, reason, "refused");
}

/// The message was written to a connection.
pub(crate) fn sent(id: &impl Display, user: &UserId, connection: u64, is_stored: bool) {
    step!(message_id = %id, %user, connection, stored = is_stored, "sent");
}

/// The client of a connection has confirmed the message.
pub(crate) fn confirmed(id: &MessageId, user: &UserId, connection: u64) {
    step!(message_id = %id, %user, connection, "confirmed");
}

/// A client has connected.
pub(crate) fn connected(user: &UserId, connection: u64) {
    step!(%user, connection, "connected");
}

/// A connection has ended: with this close code, or because the client has closed it, or it broke.
pub(crate) fn closed(user: &UserId, connection: u64, code: &str) {
    step!(%user, connection, code, "closed");
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use chatpush_wire::id::UserIdType;
    use serde_json::{Value, json};

    use super::*;

    /// What was logged.
    #[derive(Clone, Debug, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The fields of the lines that `log` logs, with their targets and levels.
    fn logged(log: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().json().with_max_level(Level::DEBUG);
        let subscriber = subscriber.with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = lines.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        let parsed = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        parsed.map(|line| json!([line["level"], line["target"], line["fields"]])).collect()
    }

    /// Users with ids of each type, as the lines name them.
    #[test]
    fn each_step_names_message_and_user() {
        let users = [(UserIdType::Int, "7"), (UserIdType::BigInt, "-9007199254740993")];
        for (kind, name) in
            users.into_iter().chain(["Bob", "bob", "a.b_c@d-e"].map(|id| (UserIdType::Text, id)))
        {
            let user = kind.text(name).unwrap();
            let id = MessageId::try_from(format!("{name}:m1")).unwrap();
            let lines = logged(|| {
                accepted(&id, &user);
                stored(&id, &user);
                refused(&id, &user, "it is full");
                sent(&id, &user, 3, true);
                confirmed(&id, &user, 3);
                connected(&user, 3);
                closed(&user, 3, "1001");
            });
            let id = format!("{name}:m1");
            let fields = [
                json!({"message": "accepted", "message_id": id, "user": name}),
                json!({"message": "stored", "message_id": id, "user": name}),
                json!({"message": "refused", "message_id": id, "user": name, "reason": "it is full"}),
                json!({"message": "sent", "message_id": id, "user": name, "connection": 3, "stored": true}),
                json!({"message": "confirmed", "message_id": id, "user": name, "connection": 3}),
                json!({"message": "connected", "user": name, "connection": 3}),
                json!({"message": "closed", "user": name, "connection": 3, "code": "1001"}),
            ];
            let expected = fields.map(|fields| json!(["DEBUG", "chatpush::message", fields]));
            assert_eq!(lines, expected);
        }
    }
}
