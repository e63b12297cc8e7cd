//! This program under callgrind (valgrind manual, chapter 6).

use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::paths::Path;

/// Whether it is installed.
pub(crate) fn is_there() -> bool {
    let asked =
        Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Instructions of a run of so many operations, the process around them included.
pub(crate) fn count(path: Path, operations: u32) -> anyhow::Result<u64> {
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().context("cannot find this program")?)
        .args(["run", &path.to_string(), &operations.to_string()])
        .output()
        .context("cannot start valgrind")?;
    let told = String::from_utf8_lossy(&run.stderr);
    ensure!(run.status.success(), "{path} failed under valgrind:\n{told}");
    let collected = told.lines().find_map(|line| line.split_once("Collected : "));
    let (_, number) = collected.with_context(|| format!("valgrind did not count:\n{told}"))?;
    number.trim().parse().with_context(|| format!("valgrind counted {number}"))
}
