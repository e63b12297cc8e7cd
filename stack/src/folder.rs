//! A temporary folder of our own.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::guard::Guard;

/// Removes the folder once our process has let go of the pipe. Servers that are still ending may be writing
/// there, so it tries for a while.
const JANITOR: &str = r#"read -r word && [ "$word" = keep ] && exit
for _ in {1..300}; do rm -rf "$0" && exit; sleep 0.05; done"#;

/// A folder that is removed, with everything in it, when this is dropped or our process dies.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    janitor: Guard,
}

impl Folder {
    /// Makes a folder that nobody else has or may look into, below `TMPDIR`.
    pub fn new() -> anyhow::Result<Self> {
        let name = format!("chatpush-{}-{:06x}", std::process::id(), fastrand::u32(..0x0100_0000));
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        let janitor = Guard::start(JANITOR, |shell| _ = shell.arg(&path))?;
        Ok(Self { path, janitor })
    }

    /// Leaves the folder where it is for ever.
    pub fn keep(&mut self) {
        // Without its janitor a folder is kept anyway.
        let _ = self.janitor.tell("keep");
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
