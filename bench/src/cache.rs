//! The folder in which peers are installed. It lies outside the sources and is kept between runs.

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
            caches
                .context("set HOME or XDG_CACHE_HOME, in which peers are installed")?
                .join("chatpush-bench"),
        ))
    }

    /// The folder of a peer. It may not exist.
    pub fn folder(&self, peer: &str) -> PathBuf {
        self.0.join(peer)
    }

    /// The folder of a peer, created if it is missing.
    pub fn create_folder(&self, peer: &str) -> anyhow::Result<PathBuf> {
        let folder = self.folder(peer);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(folder)
    }

    /// Unpacks Debian packages into the folder of a peer. This installs and starts nothing on the system and
    /// needs no root.
    pub fn unpack(&self, peer: &str, packages: &[&str]) -> anyhow::Result<()> {
        let folder = self.create_folder(peer)?;
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

    /// Finds a file by its name, anywhere below the folder of a peer.
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

/// Runs a command and waits for it. Its output goes to the terminal.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = format!("{command:?}");
    eprintln!("+ {shown}");
    let status = command.status().with_context(|| format!("cannot start {shown}"))?;
    ensure!(status.success(), "failed: {shown}");
    Ok(())
}

/// What a command prints on standard output and standard error; none if it cannot be started.
pub fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// The first version number in a text: digits separated by points.
pub fn version(text: &str) -> Option<String> {
    let words = text.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let found = words.map(|word| word.trim_matches('.')).find(|word| word.contains('.'));
    found.map(str::to_owned)
}
