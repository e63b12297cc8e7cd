//! A server process that ends with whoever started it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::guard::Guard;

/// Starts the program, tells its process id, and waits for the end of a pipe that only our process holds
/// open. Then the program is asked to end and, if it does not within ten seconds, killed.
const GUARD: &str = r#"exec 3>&1 >>"$0" 2>&1
"$@" & pid=$!
echo $pid >&3
exec 3>&-
read -r _
kill -CONT $pid
kill $pid
for _ in {1..200}; do kill -0 $pid || break; sleep 0.05; done
kill -KILL $pid
wait $pid"#;

/// A running process. It is ended, by its own process id, when this is dropped, and also when our own
/// process dies in whatever way: a shell beside it sees to that.
#[derive(Debug)]
pub struct Server {
    guard: Guard,
    pid: u32,
}

impl Server {
    /// Starts a program whose output is appended to `log`.
    pub fn start(
        program: &str,
        arguments: &[String],
        environment: &[(&str, String)],
        log: &Path,
    ) -> anyhow::Result<Self> {
        let environment = environment.iter().map(|(name, value)| (*name, value));
        let mut guard = Guard::start(GUARD, |shell| {
            shell.arg(log).arg(program).args(arguments).envs(environment);
        })?;
        let line = guard.line()?;
        let pid = line.trim().parse().with_context(|| format!("{program} did not start: {line:?}"))?;
        ensure!(pid > 1, "{program} did not start");
        Ok(Self { guard, pid })
    }

    /// The server's process id.
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal by name: `TERM`, `KILL`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        // A process that has just gone is no failure of the signal.
        let _ = Command::new("kill")
            .args([format!("-{name}"), self.pid.to_string()])
            .stderr(Stdio::null())
            .status();
    }

    /// Waits until the process has ended and returns its exit code, if it has one.
    pub fn wait(mut self) -> Option<i32> {
        self.guard.end()
    }

    /// Kills it as a power cut would.
    pub fn kill(self) {
        self.signal("KILL");
        self.wait();
    }

    /// Whether the process is still there.
    pub fn is_running(&self) -> bool {
        Path::new(&format!("/proc/{}/stat", self.pid)).exists()
    }
}

/// Whether we are root, as in a container. Some servers then have to be told that they may stay it.
pub fn is_root() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|process| process.uid() == 0)
}
