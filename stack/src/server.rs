//! A server process that ends with whoever started it.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};

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
    guard: Child,
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
        let mut guard = Command::new("bash")
            .args(["-c", GUARD])
            .arg(log)
            .arg(program)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A Ctrl-C in the terminal is for our process alone, which then ends its servers in order.
            .process_group(0)
            .spawn()
            .context("cannot start bash")?;
        let mut line = String::new();
        let mut byte = [0];
        if let Some(mut output) = guard.stdout.take() {
            while output.read(&mut byte)? == 1 && byte[0] != b'\n' {
                line.push(char::from(byte[0]));
            }
        }
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
        drop(self.guard.stdin.take());
        self.guard.wait().ok()?.code()
    }

    /// Whether the process is still there.
    pub fn is_running(&self) -> bool {
        Path::new(&format!("/proc/{}/stat", self.pid)).exists()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // It has ended or never will; there is nobody to tell.
        let _ = self.guard.wait();
    }
}
