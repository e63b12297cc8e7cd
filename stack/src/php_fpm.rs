//! A private PHP-FPM with the extension.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::server::{Server, is_root};
use crate::wait::until;

/// PHP-FPM with one pool on a Unix socket.
#[derive(Debug)]
pub struct PhpFpm {
    /// Dropping it stops PHP-FPM.
    _server: Server,
}

impl PhpFpm {
    /// Starts PHP-FPM with php.ini directives, which load the extension, and with the settings and
    /// environment of the pool.
    pub async fn start(
        folder: &Path,
        directives: &[String],
        settings: &[(&str, String)],
        environment: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let socket = socket(folder);
        let log = folder.join("php-fpm.log");
        let file = folder.join("php-fpm.conf");
        let mut text = format!(
            "[global]\nerror_log = {log}\ndaemonize = no\n[www]\nlisten = {socket}\n\
             pm = static\npm.max_children = 4\ncatch_workers_output = yes\ndecorate_workers_output = no\n\
             php_admin_value[session.save_path] = {folder}\n",
            log = log.display(),
            socket = socket.display(),
            folder = folder.display(),
        );
        for (name, value) in settings {
            writeln!(text, "php_admin_value[{name}] = \"{value}\"")?;
        }
        for (name, value) in environment {
            writeln!(text, "env[{name}] = \"{value}\"")?;
        }
        if is_root() {
            // The pool must run as root too, to read the sources in any folder.
            text.push_str("user = root\ngroup = root\n");
        }
        std::fs::write(&file, text)?;
        let mut arguments = vec!["--allow-to-run-as-root".to_owned()];
        arguments.extend(["--fpm-config".to_owned(), file.display().to_string()]);
        for directive in directives {
            arguments.extend(["-d".to_owned(), directive.clone()]);
        }
        let server = Server::start(&program()?, &arguments, &[], &log)?;
        until("PHP-FPM listens", &log, async || socket.exists()).await?;
        Ok(Self { _server: server })
    }
}

/// The socket of the PHP-FPM in a folder.
pub(crate) fn socket(folder: &Path) -> PathBuf {
    folder.join("php-fpm.sock")
}

/// The PHP-FPM of the same version as the PHP on the PATH, by the names that distributions use.
fn program() -> anyhow::Result<String> {
    let version = Command::new("php")
        .args(["-r", "echo PHP_MAJOR_VERSION, '.', PHP_MINOR_VERSION;"])
        .output()
        .context("cannot start php")?;
    let names = [format!("php-fpm{}", String::from_utf8_lossy(&version.stdout)), "php-fpm".to_owned()];
    let paths = std::env::var_os("PATH").unwrap_or_default();
    for name in &names {
        if std::env::split_paths(&paths).any(|folder| folder.join(name).is_file()) {
            return Ok(name.clone());
        }
    }
    bail!("neither {} is on the PATH", names.join(" nor "))
}
