//! CPU profiles with `perf`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running `perf record`.
#[derive(Debug)]
pub struct Profile {
    perf: Child,
    file: PathBuf,
}

impl Profile {
    /// Starts to record these processes; none if `perf` cannot be started.
    pub fn start(folder: &Path, pids: &[u32]) -> Option<Self> {
        let file = folder.join("perf.data");
        let pids: Vec<_> = pids.iter().map(ToString::to_string).collect();
        let perf = Command::new("perf")
            .args(["record", "-q", "-F", "499", "-p", &pids.join(","), "-o"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        Some(Self { perf, file })
    }

    /// Ends the recording and returns the symbols that took the most CPU time; none if nothing was recorded.
    pub fn finish(mut self) -> Option<String> {
        // perf writes its file when it is interrupted.
        Command::new("kill").args(["-INT", &self.perf.id().to_string()]).status().ok()?;
        self.perf.wait().ok()?;
        let output = Command::new("perf")
            .args([
                "report",
                "--stdio",
                "--no-children",
                "-q",
                "--percent-limit",
                "0.8",
                "--sort",
                "comm,dso,sym",
                "-i",
            ])
            .arg(&self.file)
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<_> =
            text.lines().map(str::trim_end).filter(|line| line.contains('%')).take(60).collect();
        (!lines.is_empty()).then(|| lines.join("\n") + "\n")
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // Killing it fails if it has ended already.
        let _ = self.perf.kill();
        let _ = self.perf.wait();
    }
}
