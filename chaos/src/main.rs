//! `chatpush-chaos`: parses the arguments, runs, and sets the exit code.

use std::process::ExitCode;

use chatpush_chaos::cli::Arguments;
use chatpush_chaos::engine::Engine;
use chatpush_chaos::fault::FAULT_KINDS;
use chatpush_chaos::run;
use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    if arguments.engine == Engine::Galera && (arguments.applications || arguments.notifications) {
        eprintln!("--engine galera runs without --applications and --notifications");
        return ExitCode::from(2);
    }
    if arguments.faults.is_empty() {
        let kinds = FAULT_KINDS.map(|(kind, _)| kind).into_iter();
        arguments.faults =
            kinds.filter(|kind| kind.is_default(arguments.engine, arguments.notifications)).collect();
    }
    let done = tokio::select! {
        done = run::run(arguments) => done,
        _ = tokio::signal::ctrl_c() => return ExitCode::from(130),
    };
    match done {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("FAILED: {error:#}");
            ExitCode::from(2)
        }
    }
}
