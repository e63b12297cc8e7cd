//! The paths of the built daemon and extension.

use std::path::{Path, PathBuf};

use anyhow::ensure;

/// The root folder of the repository.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().unwrap_or(root)
}

/// The daemon: `CHATPUSH_DAEMON`, or the one in `target/release`.
pub fn daemon() -> anyhow::Result<String> {
    artifact("CHATPUSH_DAEMON", "chatpushd")
}

/// The extension: `CHATPUSH_EXTENSION`, or the one in `target/release`.
pub fn extension() -> anyhow::Result<String> {
    artifact("CHATPUSH_EXTENSION", "libchatpush.so")
}

fn artifact(variable: &str, name: &str) -> anyhow::Result<String> {
    if let Ok(path) = std::env::var(variable) {
        return Ok(path);
    }
    let path = root().join("target/release").join(name);
    ensure!(path.exists(), "{} is missing; run ./dev build", path.display());
    Ok(path.display().to_string())
}
