//! A server process that dies with the test, however the test ends.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running process. It is ended, by its own process id, when this is dropped and also when the test
/// process dies: a shell beside it waits for the end of a pipe that only the test holds open.
#[derive(Debug)]
pub struct Server {
    guard: Child,
    pid: u32,
}

impl Server {
    /// Starts a program whose output goes to `log`.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start(program: &str, arguments: &[String], environment: &[(&str, String)], log: &Path) -> Self {
        const GUARD: &str = "\"$@\" & pid=$!; echo $pid >&3; exec 3>&-; read -r _; kill -CONT $pid; kill $pid 2>/dev/null; wait $pid";
        let output =
            std::fs::File::options().create(true).append(true).open(log).expect("the log can be written");
        let mut guard = Command::new("bash")
            .args(["-c", &format!("exec 3>&1 >>\"$0\" 2>&1; {GUARD}")])
            .arg(log)
            .arg(program)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(output)
            .spawn()
            .expect("bash starts");
        let mut line = String::new();
        let mut out = guard.stdout.take().expect("the pipe is there");
        let mut byte = [0];
        while out.read(&mut byte).expect("the guard tells the process id") == 1 && byte[0] != b'\n' {
            line.push(char::from(byte[0]));
        }
        let pid = line.trim().parse().unwrap_or_else(|_| panic!("{program} has no process id: {line:?}"));
        Self { guard, pid }
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
        self.guard.wait().expect("the guard can be waited for").code()
    }

    /// Whether the process is still there.
    pub fn is_running(&self) -> bool {
        Path::new(&format!("/proc/{}/stat", self.pid)).exists()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}
