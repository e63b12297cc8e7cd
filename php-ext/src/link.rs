//! The connection to Redis: one per process, and per master of a cluster. The first call opens it, later requests reuse it, and a broken
//! one is replaced.

mod answer;
pub(crate) mod breaker;
mod busy_poll;
mod cluster;
mod connection;
mod error;
mod execute;
mod execute_error;
mod installation;
mod known;
mod pauses;
mod ping;
mod redis_error;
mod resolver;
mod send_timeout;
mod sentinel;
mod slot;
mod socket;
mod stream;
mod tls;
mod tls_error;
mod user_ids;

pub(crate) use chatpush_resp::command;

pub(crate) use self::answer::Answer;
pub(crate) use self::connection::Connection;
pub(crate) use self::error::LinkError;
pub(crate) use self::execute::{Exchange, Parts, Place, execute, execute_parts};
pub(crate) use self::execute_error::ExecuteError;
pub(crate) use self::installation::Needs;
pub(crate) use self::known::{Known, Unanswered};
pub(crate) use self::ping::ping;
pub(crate) use self::slot::{close, open_address};
pub(crate) use self::user_ids::{user_id_type, user_id_type_again, user_id_type_if_installed};
