//! A shell that cleans up after our process, however it ends.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

/// A running bash script. Only our process holds the pipe to its standard input, so a `read` in the script
/// returns when this is dropped or our process dies.
#[derive(Debug)]
pub(crate) struct Guard(Child);

impl Guard {
    /// Starts a script; `arguments` adds `$0` and what follows, and the environment.
    pub(crate) fn start(script: &str, arguments: impl FnOnce(&mut Command)) -> anyhow::Result<Self> {
        let mut command = Command::new("bash");
        command.args(["-c", script]);
        arguments(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Ctrl-C in the terminal must reach our process alone, which then stops its servers in order.
        command.process_group(0);
        Ok(Self(command.spawn().context("cannot start bash")?))
    }

    /// Returns the first line that the script prints. The rest of its output is lost.
    pub(crate) fn line(&mut self) -> std::io::Result<String> {
        let (mut line, mut byte) = (String::new(), [0]);
        if let Some(mut output) = self.0.stdout.take() {
            while output.read(&mut byte)? == 1 && byte[0] != b'\n' {
                line.push(char::from(byte[0]));
            }
        }
        Ok(line)
    }

    /// Writes a line for a `read` in the script.
    pub(crate) fn write_line(&mut self, word: &str) -> std::io::Result<()> {
        self.0.stdin.as_mut().map_or(Ok(()), |pipe| writeln!(pipe, "{word}"))
    }

    /// Closes the pipe and waits for the end of the script. Returns its exit code, if it has one.
    pub(crate) fn end(&mut self) -> Option<i32> {
        drop(self.0.stdin.take());
        self.0.wait().ok()?.code()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A failed cleanup cannot be reported here.
        let _ = self.end();
    }
}
