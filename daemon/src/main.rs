//! `chatpushd`: arguments, configuration, logs, threads, command, exit code.

use std::process::ExitCode;

use chatpush_daemon::cli::{Arguments, Command};
use chatpush_daemon::config::Config;
use chatpush_daemon::ops::{check, dead_letters, logging};
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
    let config = match Config::load(arguments.config.as_deref(), |name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::from(cli::EX_USAGE);
        }
    };
    logging::start(&config.log);
    let runtime = match Builder::new_multi_thread().worker_threads(config.threads).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("chatpushd: cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        // On a worker thread of the runtime, like the tasks it spawns.
        tokio::spawn(perform(command, config)).await?
    });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("chatpushd: {}", text(&error));
            ExitCode::FAILURE
        }
    }
}

async fn perform(command: Command, config: Config) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run => run::until_signalled(config).await,
        Command::Check => check::print(&config).await,
        Command::Migrate => store::migrate::print(&config).await,
        Command::Dead { command } => dead_letters::perform(&config, command).await,
        Command::DefaultConfig => Ok(cli::print_default_config()),
        Command::Token { user, ttl } => cli::print_token(&config, user, ttl),
    }
}

/// An error and its sources. A source whose text is part of the error's own is not repeated.
fn text(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for source in error.chain().skip(1).map(ToString::to_string) {
        if !text.ends_with(&source) {
            text.push_str(": ");
            text.push_str(&source);
        }
    }
    text
}
