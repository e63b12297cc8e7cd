//! `chatpushd` as it is, built with the feature that lets `CHATPUSH_FAULT_INJECTION` break a promise.

#[path = "../src/main.rs"]
mod daemon;

fn main() -> std::process::ExitCode {
    daemon::main()
}
