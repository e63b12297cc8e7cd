//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use chatpush_wire::id::UserId;
use chatpush_wire::token;
use clap::{Args, Parser, Subcommand};

use crate::base::clock;
use crate::config::Config;

/// Exit code for a command line or configuration that cannot be used (`sysexits.h`).
pub const EX_USAGE: u8 = 64;

/// Pushes chat messages to browsers and keeps them in MySQL until they are delivered.
#[derive(Debug, Parser)]
#[command(name = "chatpushd", version, after_help = AFTER_HELP)]
pub struct Arguments {
    /// Configuration file [default: chatpush.toml beside the working directory, if there is one]
    #[arg(short, long, value_name = "FILE", env = "CHATPUSH_CONFIG", global = true)]
    pub config: Option<PathBuf>,

    /// What to do [default: run]
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the daemon can be asked to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve until SIGTERM or SIGINT
    Run,
    /// Connect to everything, look at every prerequisite, and print each with `ok` or the fix
    Check,
    /// Create the tables that are missing; existing tables are never altered
    Migrate,
    /// Look after the entries that MySQL refused
    Dead {
        /// What to do with them
        #[command(subcommand)]
        command: DeadLetterCommand,
    },
    /// Print a connect token, as PHP's `ChatPush\connectToken()` makes them
    Token {
        /// The user the token speaks for
        #[arg(value_name = "USER_ID", value_parser = user_id)]
        user: UserId,
        /// How long it is valid, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
        ttl: u64,
    },
}

/// What can be done with entries that MySQL refused.
#[derive(Debug, Subcommand)]
pub enum DeadLetterCommand {
    /// Print them: number, time, kind, sender, receiver, bytes of content, and MySQL's reason
    List,
    /// Put them back into the log, once their reason is gone
    Retry(DeadLetterSelection),
    /// Forget them; what they held is gone then
    Drop(DeadLetterSelection),
}

/// Which of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct DeadLetterSelection {
    /// Numbers, as `dead list` prints them
    #[arg(value_name = "NUMBER")]
    pub numbers: Vec<u64>,
    /// Every one that is there
    #[arg(long)]
    pub all: bool,
}

const AFTER_HELP: &str = "\
Environment (wins over the file):
  CHATPUSH_REDIS_URL         redis://, rediss:// or unix:// [redis://127.0.0.1:6379]
  CHATPUSH_MYSQL_URL         mysql://user:password@host:3306/database
  CHATPUSH_SECRET            key of the connect tokens, at least 32 bytes
  CHATPUSH_PREVIOUS_SECRETS  keys that are still good, separated by spaces
  CHATPUSH_ALLOWED_ORIGINS   pages that may connect [those of the same host]
  CHATPUSH_TOKEN_AUDIENCE    whom tokens are for [nobody in particular]
  CHATPUSH_TOKEN_CLOCK_SKEW  seconds by which their signer's clock may be ahead [60]
  CHATPUSH_TRUSTED_PROXIES   whose word for the client's address is taken [127.0.0.0/8 ::1]
  CHATPUSH_PROXY_PROTOCOL    whether they give it by the PROXY protocol [false]
  CHATPUSH_TLS_CERT, CHATPUSH_TLS_KEY   certificate chain and key in PEM [no TLS]
  CHATPUSH_THREADS           threads of the daemon [half as many as there are processors]
  CHATPUSH_LIMITS_…          see [limits] in chatpush.toml.example
  CHATPUSH_DRAIN_SECONDS     over how long clients are told that it stops, at most [10]
  CHATPUSH_LISTEN            WebSocket address [127.0.0.1:8089]
  CHATPUSH_ADMIN_LISTEN      health address [127.0.0.1:8090]
  CHATPUSH_PREFIX            start of every Redis name [chatpush]
  CHATPUSH_COUNT_UNREAD      keep user.unread_count [true]
  CHATPUSH_FLUSH_ON_CONNECT  deliver stored messages on connect [true]
  CHATPUSH_DEFAULT_TYPE      type of messages stored without one [text]
  CHATPUSH_LOG               level or tracing filter [info]
  CHATPUSH_LOG_FORMAT        text or json [text]

Exit codes: 0 done, 1 failed, 64 the command line or the configuration is wrong";

impl Arguments {
    /// Reads the command line. Prints help, version or what is wrong with it, and says with which code to
    /// exit then.
    ///
    /// # Errors
    ///
    /// The exit code: 0 after help and version, [`EX_USAGE`] otherwise.
    pub fn read() -> Result<Self, ExitCode> {
        Self::try_parse().map_err(|error| {
            // Where even the terminal is gone there is nobody left to tell.
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(EX_USAGE) } else { ExitCode::SUCCESS }
        })
    }
}

/// Prints a token for `user`, valid for `ttl` seconds from now.
///
/// # Errors
///
/// Never; the signature is that of the other commands.
pub fn print_token(config: &Config, user: UserId, ttl: u64) -> anyhow::Result<ExitCode> {
    println!("{}", token::sign(&config.secret, user, config.audience.as_deref(), clock::unix_seconds(), ttl));
    Ok(ExitCode::SUCCESS)
}

fn user_id(text: &str) -> Result<UserId, String> {
    let number: i64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    UserId::try_from(number).map_err(|error| error.to_string())
}
