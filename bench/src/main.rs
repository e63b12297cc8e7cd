//! `chatpush-bench`: parses the arguments, runs the scenarios and sets the exit code. With the argument
//! `receive` it is a receiver process, which a run starts to hold connections; with `capacity` it calculates.

use std::process::ExitCode;

use chatpush_bench::cli::Arguments;
use chatpush_bench::{capacity, receiver, run};
use clap::Parser as _;

fn main() -> ExitCode {
    let completed = match std::env::args().nth(1).as_deref() {
        Some("receive") => receiver::run().map(|()| true),
        Some("capacity") => {
            capacity::run(&capacity::Arguments::parse_from(std::env::args().skip(1))).map(|()| true)
        }
        _ => run::run(&Arguments::parse()),
    };
    match completed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("FAILED: {error:#}");
            ExitCode::from(2)
        }
    }
}
