//! Temporary folders.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::guard::Guard;

/// Removes the folder when our process closes the pipe or dies. It retries for a while, because servers that
/// are still stopping may write there.
const CLEANUP: &str = r#"read -r word && [ "$word" = keep ] && exit
for _ in {1..300}; do rm -rf "$0" && exit; sleep 0.05; done"#;

/// What the names of all such folders begin with.
const PREFIX: &str = "chatpush-";

/// A folder that is removed, with everything in it, when this is dropped or our process dies.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    guard: Guard,
}

impl Folder {
    /// Creates a new folder below `TMPDIR` that only our user can read.
    pub fn new() -> anyhow::Result<Self> {
        let name = format!("{PREFIX}{}-{:06x}", std::process::id(), fastrand::u32(..0x0100_0000));
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot create {}", path.display()))?;
        let guard = Guard::start(CLEANUP, |shell| _ = shell.arg(&path))?;
        Ok(Self { path, guard })
    }

    /// Keeps the folder when this is dropped, and returns its path.
    pub fn keep(&mut self) -> &Path {
        // If this fails, the shell that would remove the folder is gone.
        let _ = self.guard.write_line("keep");
        &self.path
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The folders of all running processes, and those that were kept.
pub fn all() -> Vec<PathBuf> {
    let mut found = entries(&std::env::temp_dir());
    found.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX)));
    found
}

/// What is in a folder; nothing if it may not be read.
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
