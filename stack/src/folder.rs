//! A temporary folder of our own.

use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

/// Removes the folder once our process has let go of the pipe. Servers that are still ending may be writing
/// there, so it tries for a while.
const JANITOR: &str = r#"read -r word && [ "$word" = keep ] && exit
for _ in {1..300}; do rm -rf "$0" && exit; sleep 0.05; done"#;

/// A folder that is removed, with everything in it, when this is dropped or our process dies.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    janitor: Child,
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
        let janitor = Command::new("bash")
            .args(["-c", JANITOR])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start bash")?;
        Ok(Self { path, janitor })
    }

    /// Leaves the folder where it is for ever.
    pub fn keep(&mut self) {
        if let Some(pipe) = &mut self.janitor.stdin {
            // Without its janitor a folder is kept anyway.
            let _ = pipe.write_all(b"keep\n");
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        // What it could not remove is left to whoever cleans the temporary folder.
        let _ = self.janitor.wait();
    }
}
