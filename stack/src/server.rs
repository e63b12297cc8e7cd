//! A server process that ends with its owner.

use std::fs::DirEntry;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::guard::Guard;

/// Starts the program, prints its process id, and waits until our process closes the pipe or dies. Then it
/// stops the program with SIGTERM and, after ten seconds, with SIGKILL.
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

/// How long a process may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A running process. A shell stops it, by its process id, when this is dropped or our process dies.
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

    /// The process id.
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal by its name: `TERM`, `KILL`, `STOP`, `CONT`, `HUP`. After `STOP` no thread runs.
    pub fn signal(&self, name: &str) {
        // It fails only if the process has ended.
        let _ = Command::new("kill")
            .args([format!("-{name}"), self.pid.to_string()])
            .stderr(Stdio::null())
            .status();
        if name == "STOP" {
            self.wait_until_stopped();
        }
    }

    /// One thread takes the signal and stops the others (`signal(7)`). On a busy machine they run until its turn.
    fn wait_until_stopped(&self) {
        let deadline = Instant::now() + STOP_TIMEOUT;
        let is_stopped = |task: DirEntry| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            // The state follows the name, which is in parentheses (`proc_pid_stat(5)`).
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['T', 'Z', 'X']))
        };
        while let Ok(mut tasks) = std::fs::read_dir(format!("/proc/{}/task", self.pid))
            && !tasks.all(|task| task.is_ok_and(is_stopped))
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Stops the process, waits for its end and returns its exit code, if it has one.
    pub fn wait(mut self) -> Option<i32> {
        self.guard.end()
    }

    /// Kills it with SIGKILL.
    pub fn kill(self) {
        self.signal("KILL");
        self.wait();
    }

    /// Whether the process still runs.
    pub fn is_running(&self) -> bool {
        Path::new(&format!("/proc/{}/stat", self.pid)).exists()
    }
}

/// Whether we are root, as in a container. Some servers then need an option to run as root.
pub(crate) fn is_root() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|process| process.uid() == 0)
}
