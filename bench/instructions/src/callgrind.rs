//! Runs this program under callgrind (valgrind manual, chapter 6).

use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::paths::Path;

/// Whether valgrind is installed.
pub(crate) fn is_installed() -> bool {
    let status =
        Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Instructions of a whole run with this many operations.
pub(crate) fn count(path: Path, operations: u32) -> anyhow::Result<u64> {
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().context("cannot find this program")?)
        .args(["run", &path.to_string(), &operations.to_string()])
        .output()
        .context("cannot start valgrind")?;
    let log = String::from_utf8_lossy(&run.stderr);
    ensure!(run.status.success(), "{path} failed under valgrind:\n{log}");
    let collected = log.lines().find_map(|line| line.split_once("Collected : "));
    let (_, number) = collected.with_context(|| format!("valgrind did not count:\n{log}"))?;
    number.trim().parse().with_context(|| format!("valgrind counted {number}"))
}
