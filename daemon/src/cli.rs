//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use chatpush_wire::id::AnyUserId;
use chatpush_wire::token;
use clap::{Args, Parser, Subcommand};

use crate::base::clock;
use crate::base::output;
use crate::config::{self, Config};

/// Exit code for a command line or configuration that cannot be used (`sysexits.h`).
pub const EX_USAGE: u8 = 64;

/// Exit code for a Redis or a database that belongs to another installation, or for tables that cannot be used
/// (`sysexits.h`).
pub const EX_CONFIG: u8 = 78;

/// Pushes chat messages to browsers, and keeps them in MySQL until delivered.
#[derive(Debug, Parser)]
#[command(name = "chatpushd", version, after_help = after_help(), after_long_help = after_long_help())]
pub struct Arguments {
    /// Configuration file
    ///
    /// Default: ./chatpush.toml, else /etc/chatpush/chatpush.toml.
    #[arg(short, long, value_name = "FILE", env = "CHATPUSH_CONFIG", hide_env_values = true, global = true)]
    pub config: Option<PathBuf>,

    /// What to do [default: run]
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands of the daemon.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until SIGTERM or SIGINT
    Run,
    /// Test every prerequisite, and print how to fix what is wrong
    Check {
        /// Print JSON: a list of objects with name, status and text
        #[arg(long)]
        json: bool,
    },
    /// Print who writes, what waits, and what is not well
    ///
    /// Exits with 1 if something is not well.
    Status {
        /// Print JSON: one object
        #[arg(long)]
        json: bool,
    },
    /// Print who is connected, to any daemon
    Online {
        /// Users to look for [default: all who are connected]
        #[arg(value_name = "USER_ID", value_parser = user_id, allow_hyphen_values = true)]
        users: Vec<AnyUserId>,
        /// Print JSON: a list of objects
        #[arg(long)]
        json: bool,
    },
    /// Change what is logged, or say what is known of a user
    ///
    /// FILTER is that of the running daemon, until it stops. Without: print it.
    Log {
        /// A level or a filter, such as `info,chatpush::message=debug`
        #[arg(value_name = "FILTER", conflicts_with_all = ["user", "message", "json"])]
        filter: Option<String>,
        /// Say what is known of this user
        #[arg(long, value_name = "USER_ID", value_parser = user_id, allow_hyphen_values = true)]
        user: Option<AnyUserId>,
        /// Say what became of this message for them
        #[arg(long, value_name = "MESSAGE_ID", requires = "user")]
        message: Option<String>,
        /// Print JSON: one object
        #[arg(long, requires = "user")]
        json: bool,
    },
    /// Create missing tables; existing tables are never altered
    Migrate,
    /// Say what becomes of rows from before chatpush
    ///
    /// On a table that has some, the daemon does not start until this was said.
    ///
    /// Stop what writes to the table meanwhile, or new rows may count as old.
    Adopt {
        /// What becomes of them
        #[command(flatten)]
        choice: AdoptChoice,
        /// With --mark, without [mysql.history]: DELETE the rows
        #[arg(long, conflicts_with_all = ["deliver", "keep"])]
        delete: bool,
        /// Decide again, about what was inserted since then
        #[arg(long)]
        again: bool,
        /// Print JSON: table, decision, rows and highest id
        #[arg(long)]
        json: bool,
    },
    /// Manage dead letters: entries that MySQL refused
    Dead {
        /// What to do with them
        #[command(subcommand)]
        command: DeadLetterCommand,
    },
    /// Manage webhooks that were not accepted yet
    Webhook {
        /// What to do with them
        #[command(subcommand)]
        command: WebhookCommand,
    },
    /// Print a connect token, like `ChatPush\connectToken()` in PHP
    Token {
        /// The user who connects with the token
        #[arg(value_name = "USER_ID", value_parser = user_id, allow_hyphen_values = true)]
        user: AnyUserId,
        /// Lifetime of the token, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
        #[arg(value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
        ttl: u64,
    },
    /// Print new keys for Web Push, as a table for the file
    Vapid,
    /// Print a configuration file with the defaults, explained
    DefaultConfig,
}

/// What becomes of rows from before chatpush.
#[derive(Clone, Copy, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct AdoptChoice {
    /// Deliver them: each is sent to its receiver
    #[arg(long)]
    pub deliver: bool,
    /// They were delivered: mark them in a history
    ///
    /// Without a history they are DELETED, and --delete must be given too.
    #[arg(long)]
    pub mark: bool,
    /// Leave them alone: they are neither delivered nor changed
    #[arg(long)]
    pub keep: bool,
}

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLetterCommand {
    /// Print them: number, time, kind, users, size, and MySQL's error
    List {
        /// Print JSON: a list of objects
        #[arg(long)]
        json: bool,
    },
    /// Put them back into the log, after their cause is fixed
    #[command(override_usage = "chatpushd dead retry <NUMBER>...\n       chatpushd dead retry --all")]
    Retry(DeadLetterSelection),
    /// Delete them for good
    #[command(override_usage = "chatpushd dead drop <NUMBER>...\n       chatpushd dead drop --all")]
    Drop(DeadLetterSelection),
}

/// Some dead letters, or all.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct DeadLetterSelection {
    /// Numbers that `dead list` prints
    #[arg(value_name = "NUMBER")]
    pub numbers: Vec<u64>,
    /// Select all of them
    #[arg(long)]
    pub all: bool,
}

/// What to do with webhooks that were not accepted yet.
#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// Print them: id, user, how long due, how often tried, when next
    List {
        /// Print JSON: a list of objects; times in milliseconds
        ///
        /// Where `leased` is true, `next_at` is the end of the lease.
        #[arg(long)]
        json: bool,
    },
    /// Try them now, after the cause is fixed
    ///
    /// Those that are leased are not tried. Exits with 1 if there are some.
    #[command(override_usage = "chatpushd webhook retry <ID>...\n       chatpushd webhook retry --all")]
    Retry(WebhookSelection),
    /// Drop them: the users count as told
    #[command(override_usage = "chatpushd webhook drop <ID>...\n       chatpushd webhook drop --all")]
    Drop(WebhookSelection),
    /// Send one that means nothing, and print the answer
    ///
    /// Its type is webhook.test, and it is signed as all others are.
    ///
    /// Exits with 1 if it was not accepted.
    Test,
}

/// Some webhooks, or all.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct WebhookSelection {
    /// Ids that `webhook list` prints
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Select all of them
    #[arg(long)]
    pub all: bool,
}

const EXIT_CODES: &str = "\
Exit codes:
  0   success
  1   failure
  64  the command line or the configuration is wrong
  78  Redis, the database or its tables do not fit this daemon";

/// What follows the options in `-h`.
fn after_help() -> String {
    format!("Settings are also environment variables: see --help\n\n{EXIT_CODES}")
}

/// What follows them in `--help`.
fn after_long_help() -> String {
    let environment = config::environment_help();
    format!("Environment variables (override the configuration file):\n{environment}\n{EXIT_CODES}")
}

impl Arguments {
    /// Reads the command line. Prints the help, the version or the error, where there is one.
    ///
    /// # Errors
    ///
    /// The exit code, if the process should end: 0 after help and version, else [`EX_USAGE`].
    pub fn read() -> Result<Self, ExitCode> {
        Self::try_parse().map_err(|error| {
            // A closed terminal cannot be reported anywhere.
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(EX_USAGE) } else { ExitCode::SUCCESS }
        })
    }
}

/// Prints a token for `user`, valid for `ttl` seconds from now.
///
/// # Errors
///
/// When it is no user id of the configured type.
pub fn print_token(config: &Config, user: &AnyUserId, ttl: u64) -> anyhow::Result<ExitCode> {
    let live = config.live.get();
    let tokens = &live.tokens;
    let user = user.of_type(config.user_id_type).context("USER_ID")?;
    output::line(token::sign(&tokens.secret, user, tokens.audience.as_deref(), clock::unix_seconds(), ttl));
    Ok(ExitCode::SUCCESS)
}

/// Prints a configuration file with the defaults.
pub fn print_default_config() -> ExitCode {
    output::line(config::example().trim_end_matches('\n'));
    ExitCode::SUCCESS
}

/// Prints a new pair of keys for Web Push.
///
/// # Errors
///
/// When the system gives no random numbers.
pub fn print_vapid() -> anyhow::Result<ExitCode> {
    output::line(config::vapid().context("no random numbers")?.trim_end_matches('\n'));
    Ok(ExitCode::SUCCESS)
}

fn user_id(text: &str) -> Result<AnyUserId, String> {
    AnyUserId::try_from(text.as_bytes()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::*;

    #[test]
    fn help_fits_80_columns() {
        let mut command = Arguments::command();
        command.build();
        assert_fits(&mut command);
    }

    /// An error of a command with options shows how it is called, and not these options as if it needed them.
    #[test]
    fn usage_of_a_selection_names_no_option_that_was_given() {
        for command in ["dead retry", "dead drop", "webhook retry", "webhook drop"] {
            let words = ["chatpushd", "--config", "x"].into_iter().chain(command.split(' '));
            let error = Arguments::try_parse_from(words).unwrap_err().to_string();
            assert!(error.contains(&format!("Usage: chatpushd {command} <")), "{error}");
            assert!(
                error.contains(&format!("chatpushd {command} --all")) && !error.contains("--config"),
                "{error}"
            );
        }
    }

    fn assert_fits(command: &mut Command) {
        for help in [command.render_help(), command.render_long_help()] {
            let help = help.to_string();
            let long = help.lines().find(|line| line.chars().count() > 80);
            assert_eq!(long, None, "{}", command.get_name());
        }
        command.get_subcommands_mut().for_each(assert_fits);
    }
}
