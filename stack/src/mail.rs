//! The mails of the demo: the example `mail-digest`, whose mails are appended to a file.

use std::path::{Path, PathBuf};

use crate::artifacts;
use crate::server::Server;
use crate::stack::Stack;

/// Runs the job again and again, as cron does each minute. A run that fails is followed by the next one.
const LOOP: &str = r#"while :; do "$@" || true; sleep 1; done"#;

/// Mails users for whom messages wait, until it is dropped.
#[derive(Debug)]
pub struct Mail {
    _server: Server,
    file: PathBuf,
}

impl Mail {
    /// Starts the job beside a stack whose daemon has `notify.after`.
    pub fn start(stack: &Stack) -> anyhow::Result<Self> {
        let file = stack.folder().join("mail.txt");
        // It exists before the first mail, to be watched.
        std::fs::write(&file, "")?;
        // What PHP's mail() gives the mail to (sendmail_path).
        let sendmail = format!("sendmail_path=cat >> '{}'", file.display());
        let job = artifacts::root().join("examples/mail-digest/digest.php");
        let mut arguments = ["-c", LOOP, "mail", "php", "-d", &sendmail].map(str::to_owned).to_vec();
        arguments.extend(stack.php_options()?);
        arguments.push(job.display().to_string());
        let server = Server::start("bash", &arguments, &stack.database(), &stack.folder().join("mail.log"))?;
        Ok(Self { _server: server, file })
    }

    /// The file with all mails, one after the other.
    pub fn file(&self) -> &Path {
        &self.file
    }
}
