//! Who is online, for the application: the events `user.online` and `user.offline`.
//!
//! Of whom the application was told stands in `chatpush_online`, and changes in one transaction with the event. So
//! neither a killed daemon nor an emptied Redis loses the end of a connection. Each daemon records who connects
//! (`connected`); the daemon that writes looks who is gone (`gone`).

pub(crate) mod connected;
pub(crate) mod gone;
