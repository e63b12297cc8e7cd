//! The log as data: positions in it, and the plan of one transaction. Reading and writing it is `broker::log`.

pub(crate) mod batch;
pub mod position;
