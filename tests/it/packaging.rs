//! What `packaging/` holds is what systemd takes.

use std::path::PathBuf;
use std::process::{Command, Output};

use chatpush_stack::artifacts;

fn unit() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/systemd/chatpushd.service"))
}

fn systemd_analyze(arguments: &[&str]) -> Output {
    Command::new("systemd-analyze").args(arguments).output().expect("systemd is installed")
}

#[test]
fn the_unit_shuts_the_daemon_off_from_what_it_does_not_need() {
    // In tenths: an exposure of at most 2.0.
    let output =
        systemd_analyze(&["security", "--offline=true", "--threshold=20", &unit().display().to_string()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_unit_has_no_mistake() {
    let text = std::fs::read_to_string(unit()).expect("the unit is there");
    let daemon = artifacts::daemon().expect("the daemon is built");
    let text = text.replace("/usr/bin/chatpushd", &daemon);
    assert!(text.contains(&daemon), "it starts the daemon");
    let folder = std::env::temp_dir().join(format!("chatpush-unit-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder is the test's own");
    let copy = folder.join("chatpushd.service");
    std::fs::write(&copy, text).expect("the folder is the test's own");
    let output = systemd_analyze(&["verify", &copy.display().to_string()]);
    std::fs::remove_dir_all(&folder).expect("the folder is the test's own");
    let said = String::from_utf8_lossy(&output.stderr);
    let about_it: Vec<_> = said.lines().filter(|line| line.contains("chatpushd")).collect();
    assert!(output.status.success() && about_it.is_empty(), "{said}");
}
