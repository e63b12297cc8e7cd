//! Where peers are installed: outside the sources, and kept for the next time.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// The folder of installed peers.
#[derive(Clone, Debug)]
pub struct Cache(PathBuf);

impl Cache {
    /// `chatpush-bench` in `XDG_CACHE_HOME`, or in `~/.cache`.
    pub fn find() -> anyhow::Result<Self> {
        let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
        let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
        Ok(Self(
            caches.context("set HOME or XDG_CACHE_HOME: peers are installed there")?.join("chatpush-bench"),
        ))
    }

    /// The folder of a peer, which need not exist.
    pub fn folder(&self, peer: &str) -> PathBuf {
        self.0.join(peer)
    }

    /// The folder of a peer, made if it is missing.
    pub fn make(&self, peer: &str) -> anyhow::Result<PathBuf> {
        let folder = self.folder(peer);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    /// Unpacks Debian packages into the folder of a peer: nothing is installed, nothing is started, and it
    /// takes no root.
    pub fn unpack(&self, peer: &str, packages: &[&str]) -> anyhow::Result<()> {
        let folder = self.make(peer)?;
        run(Command::new("apt-get").arg("download").arg("-q").args(packages).current_dir(&folder))?;
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                run(Command::new("dpkg").arg("-x").args([&path, &folder]))?;
                std::fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// A file below the folder of a peer, by its name.
    pub fn file(&self, peer: &str, name: &str) -> Option<PathBuf> {
        let mut folders = vec![self.folder(peer)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).ok()?.flatten() {
                let path = entry.path();
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                } else if path.file_name().is_some_and(|found| found == name) {
                    return Some(path);
                }
            }
        }
        None
    }
}

/// Runs a command to its end, with its output for everybody to see.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = format!("{command:?}");
    eprintln!("+ {shown}");
    let status = command.status().with_context(|| format!("cannot start {shown}"))?;
    ensure!(status.success(), "failed: {shown}");
    Ok(())
}

/// What a command prints, on either output, or nothing if it cannot be started.
pub fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// The first word in a text that looks like a version: digits with points between them.
pub fn version(text: &str) -> Option<String> {
    let words = text.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let found = words.map(|word| word.trim_matches('.')).find(|word| word.contains('.'));
    found.map(str::to_owned)
}
