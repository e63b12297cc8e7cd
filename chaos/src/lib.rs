//! Breaks everything that can break, in an order drawn from a seed, while PHP workers send and browsers come
//! and go; then waits for quiet and checks message by message.
//!
//! Modules in reading order:

pub mod cli;
pub mod run;
pub mod fault;
pub mod cluster;
pub mod proxy;
pub mod workers;
pub mod clients;
pub mod history;
pub mod checker;
