//! What a stranger can send, in every variation, to the functions that read it.
//!
//! A target is a function of bytes that panics when something does not hold that must hold for all of them. libFuzzer
//! calls it with inputs that it makes from those in `corpus/`, guided by the lines that each of them reaches. To add a
//! target, write its file in `src/target`, a line in [`target`], and a first input or two; `./dev fuzz --list` shows
//! the first line of the file.
//!
//! What only a running daemon can show is in `live/`.

pub mod target;
