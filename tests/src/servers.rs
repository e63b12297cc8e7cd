//! A Redis and a MariaDB of our own, on Unix sockets in a temporary folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::child::Server;
use crate::eventually::PATIENCE;

/// One Redis and one MariaDB.
#[derive(Debug)]
pub struct Servers {
    folder: PathBuf,
    redis: std::sync::Mutex<Option<Server>>,
    mariadb: std::sync::Mutex<Option<Server>>,
    /// Only the servers of one test go with their folder; the shared ones end with the process.
    own: bool,
}

impl Servers {
    /// The servers that all tests share, started by the first that asks. Each test keeps to a prefix and a
    /// database of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Servers> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(false))
    }

    /// Servers for one test that stops or kills them.
    pub fn own() -> Self {
        Self::start(true)
    }

    fn start(own: bool) -> Self {
        let name = format!("chatpush-it-{}-{:06x}", std::process::id(), fastrand::u32(..0x0100_0000));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        let servers = Self { folder, redis: None.into(), mariadb: None.into(), own };
        install_database(&servers.folder.join("db"));
        servers.start_redis();
        servers.start_mariadb();
        servers
    }

    /// Starts Redis on what it had written before, or empty.
    pub fn start_redis(&self) {
        let socket = self.folder.join("r.sock");
        let folder = self.folder.display();
        let arguments = format!(
            "--port 0 --unixsocket {} --dir {folder} --save '' --appendonly yes --appendfsync always",
            socket.display()
        );
        let arguments: Vec<_> = arguments.split(' ').map(|word| word.replace("''", "")).collect();
        let server = Server::start("redis-server", &arguments, &[], &self.folder.join("redis.log"));
        *self.redis.lock().expect("no test panicked with the lock") = Some(server);
        until("Redis answers", || {
            let client = redis::Client::open(self.redis_url()).expect("the address is right");
            client
                .get_connection_with_timeout(Duration::from_secs(1))
                .and_then(|mut c| redis::cmd("PING").exec(&mut c))
                .is_ok()
        });
    }

    /// Starts MariaDB on what it had written before.
    pub fn start_mariadb(&self) {
        let arguments = [
            "--no-defaults".to_owned(),
            format!("--datadir={}", self.folder.join("db").display()),
            format!("--socket={}", self.mysql_socket().display()),
            "--skip-networking".to_owned(),
            "--innodb-buffer-pool-size=32M".to_owned(),
            "--innodb-log-file-size=8M".to_owned(),
            "--max-connections=500".to_owned(),
            "--user=root".to_owned(),
        ];
        let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
        let arguments = if root { &arguments[..] } else { &arguments[..arguments.len() - 1] };
        let server = Server::start("mariadbd", arguments, &[], &self.folder.join("mariadb.log"));
        *self.mariadb.lock().expect("no test panicked with the lock") = Some(server);
        until("MariaDB answers", || self.sql("DO 1").is_some());
    }

    /// Kills Redis as a power cut would.
    pub fn kill_redis(&self) {
        kill(&self.redis);
    }

    /// Kills MariaDB as a power cut would.
    pub fn kill_mariadb(&self) {
        kill(&self.mariadb);
    }

    /// Runs statements as the administrator; nothing if the server is not there or refuses.
    pub fn sql(&self, statements: &str) -> Option<String> {
        let output = Command::new("mariadb")
            .args(["--no-defaults", "--batch", "--skip-column-names", "--user=root"])
            .arg(format!("--socket={}", self.mysql_socket().display()))
            .args(["--execute", statements])
            .output()
            .expect("the mariadb client starts");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The address of Redis.
    pub fn redis_url(&self) -> String {
        format!("unix://{}", self.folder.join("r.sock").display())
    }

    /// The address of one database.
    pub fn mysql_url(&self, database: &str) -> String {
        format!("mysql://chatpush:pw@localhost/{database}?socket={}", self.mysql_socket().display())
    }

    /// MariaDB's socket.
    pub fn mysql_socket(&self) -> PathBuf {
        self.folder.join("m.sock")
    }

    /// Where logs and scripts go.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if self.own {
            self.kill_redis();
            self.kill_mariadb();
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

fn kill(server: &std::sync::Mutex<Option<Server>>) {
    if let Some(server) = server.lock().expect("no test panicked with the lock").take() {
        server.signal("KILL");
        server.wait();
    }
}

fn install_database(folder: &Path) {
    let output = Command::new("mariadb-install-db")
        .args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"])
        .arg("--innodb-log-file-size=8M")
        .arg(format!("--datadir={}", folder.display()))
        .output()
        .expect("mariadb-install-db starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn until(what: &str, mut probe: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !probe() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
