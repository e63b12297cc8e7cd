use std::path::{Path, PathBuf};
use std::process::Output;

use chatpush_stack::folder::Folder;
use chatpush_stack::server::Server;
use chatpush_stack::{artifacts, wait};
use tokio::net::TcpStream;
use tokio::process::Command;

/// A running demo. Other demos are found only below the same folder.
struct Demo {
    port: u16,
    daemon: u16,
    server: Server,
    log: PathBuf,
}

impl Demo {
    async fn start(folder: &Path, name: &str) -> Self {
        let log = folder.join(name);
        let environment = [("TMPDIR", folder.display().to_string())];
        let program = artifacts::stack().expect("the demo is built");
        let server = Server::start(&program, &["demo".to_owned()], &environment, &log).expect("it starts");
        let printed = || std::fs::read_to_string(&log).expect("it has a log");
        wait::until("the demo runs", &log, async || printed().contains("Ctrl-C ends it"))
            .await
            .expect("it runs");
        let port = |before: &str| {
            let digits: String = printed()
                .split_once(before)
                .expect("it is printed")
                .1
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            digits.parse().expect("a port")
        };
        let (port, daemon) = (port("Open http://127.0.0.1:"), port("chatpushd          127.0.0.1:"));
        Self { port, daemon, server, log }
    }

    /// The process id of the daemon that was started last, as it is printed.
    fn daemon_pid(&self) -> u32 {
        let printed = std::fs::read_to_string(&self.log).expect("it has a log");
        let (_, after) = printed.rsplit_once(", process ").expect("it is printed");
        after.lines().next().expect("a line").parse().expect("a process id")
    }

    async fn has_daemon(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.daemon)).await.is_ok()
    }
}

async fn demo(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(artifacts::stack().expect("the demo is built"))
        .arg("demo")
        .args(arguments)
        .env("TMPDIR", folder)
        .output()
        .await
        .expect("it starts")
}

async fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = demo(folder, arguments).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = demo(folder, arguments).await;
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_command_kills_the_daemon_of_a_running_demo_and_another_starts_it_again() {
    let folder = Folder::new().expect("a folder can be made");
    let folder = folder.path();
    let log = || std::fs::read_to_string(folder.join("first")).expect("it has a log");
    assert!(
        refused(folder, &["--kill-daemon"])
            .await
            .contains("no demo runs, or it is not ready yet; ./dev demo starts one")
    );

    let first = Demo::start(folder, "first").await;
    assert!(log().contains("./dev demo --kill-daemon") && log().contains("./dev demo --start-daemon"));
    assert!(first.has_daemon().await);
    assert!(done(folder, &["--kill-daemon"]).await.contains("./dev demo --start-daemon"));
    assert!(!first.has_daemon().await);
    assert!(log().contains("chatpushd          killed"), "{}", log());
    let second = Demo::start(folder, "second").await;
    assert!(!first.has_daemon().await, "it stays down");
    done(folder, &["--start-daemon", "--port", &first.port.to_string()]).await;
    assert!(first.has_daemon().await);
    assert!(log().contains("chatpushd          started again"), "{}", log());

    let ports = [first.port.to_string(), second.port.to_string()];
    let which = refused(folder, &["--kill-daemon"]).await;
    assert!(ports.iter().all(|port| which.contains(port)) && which.contains("--port PORT"), "{which}");
    assert!(refused(folder, &["--kill-daemon", "--port", "1"]).await.contains("no demo runs on port 1"));
    let killed = done(folder, &["--kill-daemon", "--port", &ports[1]]).await;
    assert!(killed.contains(&format!("--start-daemon --port {}", ports[1])), "{killed}");
    assert!(first.has_daemon().await && !second.has_daemon().await);

    second.server.signal("TERM");
    second.server.wait();
    done(folder, &["--kill-daemon"]).await;
    assert!(!first.has_daemon().await, "the only one is found");
}

#[tokio::test]
async fn a_daemon_that_is_killed_by_hand_is_started_again() {
    let folder = Folder::new().expect("a folder can be made");
    let demo = Demo::start(folder.path(), "demo").await;
    // The second one is killed soon after its start.
    for _ in 0..2 {
        let pid = demo.daemon_pid();
        let killed = Command::new("kill").args(["-KILL", &pid.to_string()]).status().await;
        assert!(killed.expect("kill starts").success(), "process {pid} is the daemon");
        wait::until("another daemon was started", &demo.log, async || demo.daemon_pid() != pid)
            .await
            .expect("it is started");
        wait::until("it accepts connections", &demo.log, async || demo.has_daemon().await)
            .await
            .expect("it is ready");
    }
}
