//! What systemd is told: a datagram for each change, as `sd_notify(3)` says.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::{TEST_TIMEOUT, eventually};
use chatpush_tests::test_env::TestEnv;
use tokio::time::{sleep, timeout};

/// The socket that a service manager gives to its services.
struct Socket {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Socket {
    fn in_folder_of(env: &TestEnv) -> Self {
        let path = env.servers().folder().join(format!("{}.notify", env.name()));
        let socket = UnixDatagram::bind(&path).expect("the folder is the test's own");
        socket.set_nonblocking(true).expect("a socket may not block");
        Self { socket, path }
    }

    /// The lines that were received since the last call.
    fn lines(&self) -> Vec<String> {
        let (mut lines, mut buffer) = (Vec::new(), [0; 4_096]);
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    let text = String::from_utf8(buffer[..length].to_vec()).expect("the text is UTF-8");
                    lines.extend(text.lines().map(str::to_owned));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return lines,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Waits for a line that contains this. Returns everything that came until then, with it.
    async fn until(&self, part: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let probe = || {
            lines.extend(self.lines());
            std::future::ready(lines.iter().any(|line: &String| line.contains(part)))
        };
        eventually(part, probe, |there| *there).await;
        lines
    }
}

fn installation(env: TestEnv) -> (TestEnv, Socket) {
    let socket = Socket::in_folder_of(&env);
    let path = socket.path.display().to_string();
    (env.with("NOTIFY_SOCKET", path).with("WATCHDOG_USEC", "2000000"), socket)
}

#[tokio::test]
async fn systemd_learns_when_the_daemon_is_ready_and_what_is_away() {
    let (env, systemd) = installation(TestEnv::with_own_servers().await);
    let daemon = Daemon::launch(&env);
    systemd.until("READY=1").await;
    systemd.until("WATCHDOG=1").await;
    env.servers().kill_mariadb().await;
    systemd.until("mysql: ").await;
    env.servers().start_mariadb().await;
    let lines = systemd.until("STATUS=ready").await;
    assert!(!lines.contains(&"READY=1".to_owned()), "once is enough: {lines:?}");
    daemon.process().signal("TERM");
    systemd.until("STOPPING=1").await;
    assert_eq!(daemon.stop(), Some(0));
}

/// As `sd_notify(3)` says of a reload: with the time, and then ready again.
#[tokio::test]
async fn systemd_learns_of_a_reload() {
    let (env, systemd) = installation(TestEnv::new().await);
    let daemon = Daemon::launch(&env);
    systemd.until("READY=1").await;
    daemon.process().signal("HUP");
    let lines = systemd.until("READY=1").await;
    let reloading = lines.iter().position(|line| line == "RELOADING=1");
    let reloading = reloading.unwrap_or_else(|| panic!("{lines:?}"));
    assert!(lines[reloading + 1].starts_with("MONOTONIC_USEC="), "{lines:?}");
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test]
async fn a_start_lasts_until_mysql_is_there() {
    let (env, systemd) = installation(TestEnv::with_own_servers().await);
    env.servers().kill_mariadb().await;
    let daemon = Daemon::launch(&env);
    let lines = systemd.until("mysql: ").await;
    assert!(!lines.contains(&"READY=1".to_owned()), "{lines:?}");
    env.servers().start_mariadb().await;
    systemd.until("READY=1").await;
    assert_eq!(daemon.stop(), Some(0));
}

/// Nobody waits for the start without end: not who installs a package, and not the start of the machine.
#[tokio::test]
async fn a_start_ends_after_a_minute_without_mysql() {
    let (env, systemd) = installation(TestEnv::with_own_servers().await);
    env.servers().kill_mariadb().await;
    let daemon = Daemon::launch(&env);
    let mut lines = systemd.until("mysql: ").await;
    let ready = "READY=1".to_owned();
    assert!(!lines.contains(&ready), "{lines:?}");
    let started = async {
        while !lines.contains(&ready) {
            sleep(Duration::from_millis(100)).await;
            lines.extend(systemd.lines());
        }
    };
    timeout(TEST_TIMEOUT * 3, started).await.expect("the start ends after a minute");
    assert!(!lines.contains(&"STATUS=ready".to_owned()), "MySQL is away: {lines:?}");
    env.servers().start_mariadb().await;
    let lines = systemd.until("STATUS=ready").await;
    assert!(!lines.contains(&ready), "once is enough: {lines:?}");
    assert_eq!(daemon.stop(), Some(0));
}
