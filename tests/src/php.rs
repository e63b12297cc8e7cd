//! PHP with the built extension.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Stdio;

use chatpush_stack::artifacts;
use tokio::process::Command;

use crate::test_env::{SECRET, TestEnv};

/// PHP with its settings.
#[derive(Clone, Debug)]
pub struct Php {
    settings: Vec<String>,
    socket: String,
    database: String,
}

/// The result of a script.
#[derive(Clone, Debug)]
pub struct PhpOutput {
    /// Standard output and standard error.
    pub output: String,
    /// The exit code.
    pub code: Option<i32>,
}

impl Php {
    /// PHP with the settings of an installation.
    pub(crate) fn new(env: &TestEnv) -> Self {
        let extension = artifacts::extension().expect("the extension is built");
        let settings = vec![
            format!("extension={extension}"),
            format!("chatpush.redis_url={}", env.servers().redis_url()),
            format!("chatpush.prefix={}", env.name()),
            format!("chatpush.secret={SECRET}"),
            "display_errors=1".to_owned(),
            "html_errors=0".to_owned(),
            // Tests run concurrently on a busy machine. Tests of the timeout set their own.
            "chatpush.timeout_ms=60000".to_owned(),
        ];
        let socket = env.servers().mysql_socket().display().to_string();
        Self { settings, socket, database: env.name().to_owned() }
    }

    /// Adds an INI setting.
    #[must_use]
    pub fn with(mut self, setting: &str) -> Self {
        self.settings.push(setting.to_owned());
        self
    }

    /// Runs code. Its function `pdo()` returns a database connection.
    pub async fn run(&self, code: &str) -> PhpOutput {
        self.command(&["-r".to_owned(), format!("{PDO}\n{code}")]).await
    }

    /// Runs a file of `tests/it` with arguments.
    pub async fn file(&self, file: &str, arguments: &[&str]) -> PhpOutput {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("it").join(file);
        let mut all = vec![path.display().to_string()];
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self.command(&all).await
    }

    /// Runs code and returns what it printed.
    ///
    /// # Panics
    ///
    /// If PHP fails.
    pub async fn get(&self, code: &str) -> String {
        let ran = self.run(code).await;
        assert_eq!(ran.code, Some(0), "{code}\n{}", ran.output);
        ran.output
    }

    /// PHP with these arguments, to be started by the test, which then talks to it while it runs.
    pub fn program<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new("php");
        for setting in &self.settings {
            command.arg("-d").arg(setting);
        }
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        command.env("IT_MYSQL_SOCKET", &self.socket).env("IT_MYSQL_DATABASE", &self.database);
        command
    }

    async fn command(&self, arguments: &[String]) -> PhpOutput {
        let output = self.program(arguments).output().await.expect("php starts");
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        PhpOutput { output: text.into_owned(), code: output.status.code() }
    }
}

const PDO: &str = r"function pdo(): PDO {
    $dsn = 'mysql:unix_socket=' . getenv('IT_MYSQL_SOCKET') . ';dbname=' . getenv('IT_MYSQL_DATABASE');
    return new PDO($dsn . ';charset=utf8mb4', 'chatpush', 'pw');
}";
