//! What the build has made.

use std::path::{Path, PathBuf};

use anyhow::ensure;

/// The top of the sources.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().unwrap_or(root)
}

/// The daemon: `CHATPUSH_DAEMON`, or what `cargo build --release` made.
pub fn daemon() -> anyhow::Result<String> {
    artifact("CHATPUSH_DAEMON", "chatpushd")
}

/// The extension: `CHATPUSH_EXTENSION`, or what `cargo build --release` made.
pub fn extension() -> anyhow::Result<String> {
    artifact("CHATPUSH_EXTENSION", "libchatpush.so")
}

fn artifact(variable: &str, name: &str) -> anyhow::Result<String> {
    if let Ok(path) = std::env::var(variable) {
        return Ok(path);
    }
    let path = root().join("target/release").join(name);
    ensure!(path.exists(), "{} is missing: cargo build --release", path.display());
    Ok(path.display().to_string())
}
