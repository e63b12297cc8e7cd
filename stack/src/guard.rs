//! A shell beside our process that cleans up behind it, in whatever way it ends.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

/// A running bash. Its standard input is a pipe that only our process holds open, so a `read` in its script
/// returns when this is dropped or our process is gone.
#[derive(Debug)]
pub(crate) struct Guard(Child);

impl Guard {
    /// Starts a script; `arguments` adds `$0` and what follows, and the environment.
    pub(crate) fn start(script: &str, arguments: impl FnOnce(&mut Command)) -> anyhow::Result<Self> {
        let mut command = Command::new("bash");
        command.args(["-c", script]);
        arguments(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // A Ctrl-C in the terminal is for our process alone, which then ends what it started in order.
        command.process_group(0);
        Ok(Self(command.spawn().context("cannot start bash")?))
    }

    /// The first line that it prints. Nothing behind it can be had.
    pub(crate) fn line(&mut self) -> std::io::Result<String> {
        let (mut line, mut byte) = (String::new(), [0]);
        if let Some(mut output) = self.0.stdout.take() {
            while output.read(&mut byte)? == 1 && byte[0] != b'\n' {
                line.push(char::from(byte[0]));
            }
        }
        Ok(line)
    }

    /// Writes a line for its `read`.
    pub(crate) fn tell(&mut self, word: &str) -> std::io::Result<()> {
        self.0.stdin.as_mut().map_or(Ok(()), |pipe| writeln!(pipe, "{word}"))
    }

    /// Lets go of the pipe and waits for the end of the script; its exit code, if it has one.
    pub(crate) fn end(&mut self) -> Option<i32> {
        drop(self.0.stdin.take());
        self.0.wait().ok()?.code()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // What it could not do is left to whoever cleans the machine; there is nobody to tell.
        let _ = self.end();
    }
}
