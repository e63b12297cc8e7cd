//! The paths of the built daemon and extension.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The root folder of the repository.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().unwrap_or(root)
}

/// The daemon: `CHATPUSH_DAEMON`, or the one that was built together with the running program.
pub fn daemon() -> anyhow::Result<String> {
    artifact("CHATPUSH_DAEMON", "chatpushd")
}

/// The extension: `CHATPUSH_EXTENSION`, or the one that was built together with the running program.
pub fn extension() -> anyhow::Result<String> {
    artifact("CHATPUSH_EXTENSION", "libchatpush.so")
}

/// The program of this crate: `CHATPUSH_STACK`, or the one that was built together with the running program.
pub fn stack() -> anyhow::Result<String> {
    artifact("CHATPUSH_STACK", "chatpush-stack")
}

fn artifact(variable: &str, name: &str) -> anyhow::Result<String> {
    if let Ok(path) = std::env::var(variable) {
        return Ok(path);
    }
    let program = std::env::current_exe()?;
    // Cargo puts tests into a folder within that of the programs.
    let mut paths = program.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    let found = paths.find(|path| path.exists());
    let found =
        found.with_context(|| format!("{name} is missing beside {}; run ./dev build", program.display()))?;
    Ok(found.display().to_string())
}
