//! The units of systemd.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use chatpush_stack::artifacts;

fn unit(name: &str) -> PathBuf {
    artifacts::root().join("packaging/systemd").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(unit(name)).expect("the unit is there")
}

fn systemd_analyze(arguments: &[&str]) -> Output {
    Command::new("systemd-analyze").args(arguments).output().expect("systemd is installed")
}

#[test]
fn the_units_shut_the_daemon_off_from_what_it_does_not_need() {
    for name in ["chatpushd.service", "chatpushd@.service"] {
        // In tenths: an exposure of at most 2.0.
        let arguments = ["security", "--offline=true", "--threshold=20", &unit(name).display().to_string()];
        let output = systemd_analyze(&arguments);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn the_units_have_no_mistake() {
    let daemon = artifacts::daemon().expect("the daemon is built");
    let folder = std::env::temp_dir().join(format!("chatpush-unit-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the folder is the test's own");
    for (name, instance) in
        [("chatpushd.service", "chatpushd.service"), ("chatpushd@.service", "chatpushd@8091.service")]
    {
        let text = text(name).replace("/usr/bin/chatpushd", &daemon);
        assert!(text.contains(&daemon), "{name} starts the daemon");
        let copy = folder.join(instance);
        fs::write(&copy, text).expect("the folder is the test's own");
        let output = systemd_analyze(&["verify", &copy.display().to_string()]);
        let said = String::from_utf8_lossy(&output.stderr);
        let about_it: Vec<_> = said.lines().filter(|line| line.contains("chatpushd")).collect();
        assert!(output.status.success() && about_it.is_empty(), "{name}: {said}");
    }
    fs::remove_dir_all(&folder).expect("the folder is the test's own");
}

/// One of several daemons differs from the only one by its addresses, and in nothing else.
#[test]
fn an_instance_has_addresses_of_its_own() {
    let (one, instance) = (text("chatpushd.service"), text("chatpushd@.service"));
    let settings = |text: &str| {
        text.lines()
            .filter(|line| !line.starts_with('#') && !line.starts_with("Description="))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (one, instance) = (settings(&one), settings(&instance));
    let more: Vec<_> = instance.iter().filter(|line| !one.contains(line)).map(String::as_str).collect();
    assert_eq!(
        more,
        [
            "Environment=CHATPUSH_LISTEN=127.0.0.1:%i",
            "Environment=CHATPUSH_ADMIN_LISTEN=127.0.0.1:1%i",
            "EnvironmentFile=-/etc/chatpush/%i.env"
        ]
    );
    let less: Vec<_> = one.iter().filter(|line| !instance.contains(line)).collect();
    assert!(less.is_empty(), "{less:?}");
}
