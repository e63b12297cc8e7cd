//! `chatpushd`: arguments, configuration, logs, threads, command, exit code.

use std::process::ExitCode;

use anyhow::Context as _;
use chatpush_daemon::cli::{Arguments, Command};
use chatpush_daemon::config::Config;
use chatpush_daemon::ops::{
    adopt, check, dead_letters, explain, log_level, logging, online, status, webhooks,
};
use chatpush_daemon::{cli, run, store};
use mimalloc::MiMalloc;
use tokio::runtime::Builder;

/// Handshakes fragment the heap between long-lived connections. With the system's allocator an idle
/// connection takes a fifth more memory.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let command = arguments.command.unwrap_or(Command::Run);
    if matches!(command, Command::DefaultConfig) {
        // Needs no configuration.
        return cli::print_default_config();
    }
    if matches!(command, Command::Vapid) {
        // So does this.
        return match cli::print_vapid() {
            Ok(code) => code,
            Err(error) => {
                logging::report_fatal(&error, false);
                ExitCode::FAILURE
            }
        };
    }
    let config = match Config::load(arguments.config.as_deref(), std::env::vars_os()) {
        Ok(config) => config,
        Err(errors) => {
            logging::report_config_errors(&errors);
            return ExitCode::from(cli::EX_USAGE);
        }
    };
    logging::start(&config);
    let json = config.log_json;
    match run_to_end(command, config) {
        Ok(code) => code,
        Err(error) => {
            logging::report_fatal(&error, json);
            ExitCode::FAILURE
        }
    }
}

fn run_to_end(command: Command, config: Config) -> anyhow::Result<ExitCode> {
    let mut threads = Builder::new_multi_thread();
    let runtime =
        threads.worker_threads(config.threads).enable_all().build().context("cannot start threads")?;
    // On a worker thread of the runtime, like the tasks it spawns.
    let code = runtime.block_on(async { tokio::spawn(perform(command, config)).await? });
    // Dropping it would wait for a file that is read from a disk that hangs.
    runtime.shutdown_background();
    code
}

async fn perform(command: Command, config: Config) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run => run::until_signalled(config).await,
        Command::Check { json } => check::print(&config, json).await,
        Command::Status { json } => status::print(config, json).await,
        Command::Online { users, json } => online::print(config, &users, json).await,
        Command::Log { user: Some(user), message, json, .. } => {
            explain::print(config, &user, message, json).await
        }
        Command::Log { filter, .. } => log_level::change(&config, filter).await,
        Command::Migrate => store::migrate::print(&config).await,
        Command::Adopt { choice, delete, again, json } => {
            adopt::perform(&config, choice, adopt::Meant { delete, again }, json).await
        }
        Command::Dead { command } => dead_letters::perform(&config, command).await,
        Command::Webhook { command } => webhooks::perform(&config, command).await,
        Command::Vapid => cli::print_vapid(),
        Command::DefaultConfig => Ok(cli::print_default_config()),
        Command::Token { user, ttl } => cli::print_token(&config, &user, ttl),
    }
}
