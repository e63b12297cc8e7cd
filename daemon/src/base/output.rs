//! What commands print. Whoever reads it may have gone, as `head` does, and the command still ends its work; the
//! macros of the standard library would panic.

use std::fmt::{self, Display};
use std::io::{ErrorKind, Write};

/// A number and what it counts, with an s if it is not one: `2 connections`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count(pub(crate) u64, pub(crate) &'static str);

impl Display for Count {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, what) = self;
        write!(out, "{number} {what}{}", if *number == 1 { "" } else { "s" })
    }
}

/// Writes a line to standard output. A disk that is full is reported on standard error.
pub(crate) fn line(text: impl Display) {
    if let Err(error) = writeln!(std::io::stdout(), "{text}")
        && error.kind() != ErrorKind::BrokenPipe
    {
        error_line(format_args!("cannot write to standard output: {error}"));
    }
}

/// Writes a line to standard error. Its own failure cannot be reported anywhere.
pub(crate) fn error_line(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
