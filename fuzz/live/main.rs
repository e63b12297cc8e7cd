//! A running daemon survives mutated handshakes and frames, and keeps serving a reference client.
//!
//! # Layout
//!
//! - `cli`: the command line
//! - `run`: runs batches of mutated clients
//! - `harness`: the daemon with its servers, and the reference client
//! - `client`: one mutated client
//! - `handshake`, `frames`: valid and mutated requests and frames

mod cli;
mod run;
mod harness;
mod client;
mod handshake;
mod frames;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    let seed = arguments.seed;
    let done = tokio::select! {
        done = run::run(arguments) => done,
        _ = tokio::signal::ctrl_c() => return ExitCode::from(130),
    };
    match done {
        Ok(count) => {
            println!("target live: ok, {count} clients");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            println!("target live: FAILED; ./dev fuzz live --seed {seed} repeats it");
            ExitCode::FAILURE
        }
    }
}
