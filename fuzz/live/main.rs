//! A running daemon goes on serving an honest client, whatever strangers send it.
//!
//! Modules in reading order:

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
            println!("target live: ok, {count} strangers");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            println!("target live: FAILED; ./dev fuzz live --seed {seed} does the same again");
            ExitCode::FAILURE
        }
    }
}
