//! `chatpushd`: arguments, configuration, logs, the command, the exit code.

use std::process::ExitCode;

use chatpush_daemon::cli::{Arguments, Command};
use chatpush_daemon::config::Config;
use chatpush_daemon::{check, cli, dead, logging, run, store};

#[tokio::main]
pub(crate) async fn main() -> ExitCode {
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let config = match Config::load(arguments.config.as_deref(), |name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(mistakes) => {
            eprintln!("{mistakes}");
            return ExitCode::from(cli::EX_USAGE);
        }
    };
    logging::start(&config.log);
    let outcome = match arguments.command.unwrap_or(Command::Run) {
        Command::Run => run::until_signalled(config).await,
        Command::Check => check::print(&config).await,
        Command::Migrate => store::migrate::print(&config.mysql).await,
        Command::Dead { task } => dead::perform(&config, task).await,
        Command::Token { user, ttl } => cli::print_token(&config, user, ttl),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("chatpushd: {error:#}");
            ExitCode::FAILURE
        }
    }
}
