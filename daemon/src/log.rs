//! The log as data: positions, receivers, and the planning of a batch. Reading and appending is in `broker::log`.

pub(crate) mod batch;
pub(crate) mod newly_unread;
pub mod position;
pub(crate) mod receivers;
