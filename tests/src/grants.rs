//! Grants, and clients that have one.

use chatpush_wire::grant;
use chatpush_wire::id::UserId;
use chatpush_wire::room::Room;
use chatpush_wire::token::Secret;
use serde_json::Value;

use crate::client::Client;
use crate::daemon::Daemon;
use crate::test_env::SECRET;

/// A grant of a user, as PHP creates it, that is valid for so many seconds.
pub fn grant(user: u32, peers: &[u32], rooms: &[&str], ttl: u64) -> String {
    grant_of(SECRET, user, peers, rooms, ttl)
}

/// A grant that another secret may have signed.
pub fn grant_of(secret: &str, user: u32, peers: &[u32], rooms: &[&str], ttl: u64) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().expect("the clock is after 1970").as_secs();
    let id = |user: u32| UserId::try_from(i64::from(user)).expect("a user id");
    let peers: Vec<_> = peers.iter().copied().map(id).collect();
    let rooms: Vec<_> = rooms.iter().map(|room| Room::try_from(*room).expect("a room")).collect();
    grant::sign(&Secret::new(secret).expect("long enough"), id(user), None, now, ttl, &peers, &rooms)
}

/// Connects a client of `user`, and waits until its grant is in force and its peers are known.
pub async fn connect_granted(daemon: &Daemon, user: u32, peers: &[u32], rooms: &[&str]) -> Client {
    let mut client = daemon.connect_with(user, "chatpush.v1").await;
    send_grant(&mut client, &grant(user, peers, rooms, 3600)).await;
    next_of(&mut client, "grant").await;
    client
}

/// Sends a grant.
pub async fn send_grant(client: &mut Client, grant: &str) {
    client.send_text(&format!("{{\"grant\":\"{grant}\"}}")).await;
}

/// The next frame of this type. Others are dropped.
pub async fn next_of(client: &mut Client, frame_type: &str) -> Value {
    loop {
        let frame = client.json().await;
        if frame["type"] == frame_type {
            return frame;
        }
    }
}
