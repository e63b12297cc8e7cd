//! Queries of the extension: the queue they wait in, the server that answers them, and the barrier before an answer.

pub mod barrier;
pub mod queue;
pub mod server;
