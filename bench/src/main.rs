//! `chatpush-bench`: arguments, the run, the exit code. As `chatpush-bench receive` it holds connections for a run.

use std::process::ExitCode;

use chatpush_bench::cli::Arguments;
use chatpush_bench::{receiver, run};
use clap::Parser as _;

fn main() -> ExitCode {
    let done = if std::env::args().nth(1).as_deref() == Some("receive") {
        receiver::run().map(|()| true)
    } else {
        run::run(&Arguments::parse())
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("FAILED: {error:#}");
            ExitCode::from(2)
        }
    }
}
