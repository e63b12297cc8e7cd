//! What operators use: the admin listener, logging, `check`, dead letters, and the open-file limit.

pub mod admin;
pub mod check;
pub mod dead_letters;
pub mod logging;
pub mod rlimit;
