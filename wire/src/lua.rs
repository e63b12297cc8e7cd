//! The Lua scripts, each an atomic step in Redis. Every key and channel a script touches is among its
//! `KEYS` and carries one hash tag, as Redis Cluster asks (Redis manual, "EVAL").

use std::fmt::Write as _;
use std::sync::OnceLock;

use sha1::{Digest, Sha1};

/// Accepts a message: remembers it, appends it to the log and pushes it to whoever is connected.
pub static ACCEPT: Script = Script::new(include_str!("lua/accept.lua"));

/// Appends an entry that somebody waits for.
pub static APPEND: Script = Script::new(include_str!("lua/append.lua"));

/// Asks a daemon to look something up.
pub static QUERY: Script = Script::new(include_str!("lua/query.lua"));

/// Puts a refused entry back into the log.
pub static REQUEUE: Script = Script::new(include_str!("lua/requeue.lua"));

/// Takes the writer's lease if its holder is gone.
pub static ACQUIRE: Script = Script::new(include_str!("lua/acquire.lua"));

/// Renews the writer's lease if it is still held.
pub static RENEW: Script = Script::new(include_str!("lua/renew.lua"));

/// Gives the writer's lease up if it is still held.
pub static RELEASE: Script = Script::new(include_str!("lua/release.lua"));

/// Tells that a daemon lives and finds those that hang.
pub static HEARTBEAT: Script = Script::new(include_str!("lua/heartbeat.lua"));

/// A script and the digest by which Redis knows it.
#[derive(Debug)]
pub struct Script {
    source: &'static str,
    sha1: OnceLock<String>,
}

impl Script {
    const fn new(source: &'static str) -> Self {
        Self { source, sha1: OnceLock::new() }
    }

    /// The text to `SCRIPT LOAD`.
    pub const fn source(&self) -> &'static str {
        self.source
    }

    /// The digest to `EVALSHA`, in lower-case hexadecimal.
    pub fn sha1(&self) -> &str {
        self.sha1.get_or_init(|| {
            Sha1::digest(self.source).iter().fold(String::with_capacity(40), |mut hex, byte| {
                // Writing to a String cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_sha1() {
        assert_eq!(Script::new("abc").sha1(), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}
