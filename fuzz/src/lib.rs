//! Fuzz targets for the functions that parse untrusted input.
//!
//! A target is a function of bytes. It panics if an invariant does not hold. libFuzzer mutates the inputs in
//! `corpus/`, guided by the code that each input reaches. To add a target, write its file in `src/target`,
//! add a line in [`target`], and one or two inputs in `corpus/`. `./dev fuzz --list` shows the first line of
//! the file.
//!
//! The program in `live/` sends mutated handshakes and frames to a running daemon.
//!
//! # Layout
//!
//! - [`target`]: the table of targets, and a module for each

pub mod target;
