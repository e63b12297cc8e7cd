//! `chatpush-stack`: runs the demo, or a command with a private stack, and stops what it started.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use anyhow::Context as _;
use chatpush_stack::control::{self, Control};
use chatpush_stack::mail::Mail;
use chatpush_stack::stack::Stack;
use chatpush_stack::{artifacts, demo, folder, smoke};
use clap::{Parser, Subcommand};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

/// Starts a private Redis, MariaDB, daemon, PHP-FPM and nginx
#[derive(Debug, Parser)]
#[command(name = "chatpush-stack", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Serve the demo chat until Ctrl-C
    Demo {
        /// Run the demo's smoke test instead; exit 0 if every step passes
        #[arg(long)]
        check: bool,
        /// Keep the folder with data and logs
        #[arg(long)]
        keep: bool,
        /// Serve the demo on this port instead of a free one
        #[arg(long)]
        port: Option<u16>,
        /// Kill the daemon of the demo that runs, the one on PORT if there are several; it stays down
        #[arg(long, conflicts_with_all = ["check", "keep", "start_daemon"])]
        kill_daemon: bool,
        /// Start that daemon again
        #[arg(long, conflicts_with_all = ["check", "keep"])]
        start_daemon: bool,
    },
    /// Run a command with the addresses of the servers in its environment, as `CHATPUSH_TEST_*`
    Run {
        /// Serve the demo's pages, with two registered people whose passwords are in the environment
        #[arg(long)]
        demo: bool,
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true)]
        command: Vec<String>,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let task = Arguments::parse().task;
    let done = tokio::select! {
        done = perform(task) => done,
        interrupted = interruption() => interrupted,
    };
    done.unwrap_or_else(|error| {
        eprintln!("FAILED: {error:#}");
        ExitCode::FAILURE
    })
}

async fn perform(task: Task) -> anyhow::Result<ExitCode> {
    match task {
        Task::Demo { port, kill_daemon: true, .. } => {
            demo::command(port, control::KILL).await?;
            let which = port.map(|port| format!(" --port {port}")).unwrap_or_default();
            println!("The daemon is down. Start it again: ./dev demo --start-daemon{which}");
            Ok(ExitCode::SUCCESS)
        }
        Task::Demo { port, start_daemon: true, .. } => {
            demo::command(port, control::START).await?;
            println!("The daemon is up.");
            Ok(ExitCode::SUCCESS)
        }
        Task::Demo { check, keep, port, .. } => {
            let (mut stack, people) = demo::start(port, &[]).await?;
            if keep {
                stack.keep();
            }
            let mail = Mail::start(&stack)?;
            if check {
                smoke::run(&stack, &people, mail.file()).await?;
                println!("The demo works.");
                return Ok(ExitCode::SUCCESS);
            }
            let (control, mut logs) = (demo::control(&stack)?, follow(stack.folder()));
            println!("\nOpen {} in two browsers, or in one and a private window:", stack.url());
            for person in &people {
                println!("  {:<8} password {}", person.name, person.password);
            }
            println!("Sign out of one and send them a message: a mail comes after some seconds, in");
            println!("  {}", mail.file().display());
            println!("In another terminal:");
            println!("  ./dev demo --kill-daemon    kills the daemon, which then stays down");
            println!("  ./dev demo --start-daemon   starts it again");
            println!("A daemon that ends in any other way, as by kill -9, is started again at once.");
            println!("Ctrl-C ends it. The logs:\n");
            tokio::select! {
                followed = logs.status() => { followed.context("cannot start tail")?; }
                served = control.supervise(&mut stack) => served?,
            }
            Ok(ExitCode::SUCCESS)
        }
        Task::Run { demo, command } => {
            let examples = examples()?;
            let examples: Vec<_> =
                examples.iter().map(|(path, pages)| (path.as_str(), pages.as_path())).collect();
            let (mut stack, people) = if demo {
                let (stack, people) = demo::start(None, &examples).await?;
                (stack, people.to_vec())
            } else {
                let pages = artifacts::root().join("tests/phpunit/fpm/pages");
                let pages = [&[("/", pages.as_path())], &examples[..]].concat();
                (Stack::start(None, &pages, &[], &[]).await?, Vec::new())
            };
            let control = Control::listen(&stack, "control.sock")?;
            let mut environment = stack.environment()?;
            environment.push(("CHATPUSH_TEST_CONTROL", control.socket().display().to_string()));
            for (variable, person) in ["CHATPUSH_TEST_MIRA", "CHATPUSH_TEST_TOM"].into_iter().zip(people) {
                environment.push((variable, person.password));
            }
            let (program, arguments) = command.split_first().context("no command")?;
            let mut command = Command::new(program);
            command.args(arguments).envs(environment).kill_on_drop(true);
            // A test of PHP decides itself when the daemon runs; the demo is supervised.
            let serving = async {
                if demo { control.supervise(&mut stack).await } else { control.serve(&mut stack).await }
            };
            let status = tokio::select! {
                status = command.status() => status.with_context(|| format!("cannot start {program}"))?,
                served = serving => return served.map(|()| ExitCode::FAILURE),
            };
            Ok(status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .map_or(ExitCode::FAILURE, ExitCode::from))
        }
    }
}

/// The command that prints the logs.
fn follow(folder: &Path) -> Command {
    let mut logs = folder::entries(folder);
    logs.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        ["chatpushd-", "php-fpm.log", "nginx.log"].iter().any(|wanted| name.starts_with(wanted))
    });
    let mut tail = Command::new("tail");
    tail.args(["-q", "-n", "0", "-F"]).args(logs).stderr(Stdio::null()).kill_on_drop(true);
    tail
}

/// Waits for SIGINT or SIGTERM. The caller then drops the running task, which stops its servers.
async fn interruption() -> anyhow::Result<ExitCode> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    eprintln!("\nStopping");
    Ok(ExitCode::from(130))
}

/// The examples with pages: the path of each, and the folder that is served there.
fn examples() -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut examples = Vec::new();
    for folder in artifacts::root().join("examples").read_dir()? {
        let folder = folder?.path();
        let pages =
            [folder.join("public"), folder.join("index.html")].into_iter().find(|pages| pages.exists());
        if let (Some(name), Some(pages)) = (folder.file_name().and_then(|name| name.to_str()), pages) {
            let pages = if pages.is_dir() { pages } else { folder.clone() };
            examples.push((format!("/examples/{name}/"), pages));
        }
    }
    Ok(examples)
}
