//! A configuration that is read again on SIGHUP.

mod webhooks;

use std::path::PathBuf;
use std::process::Output;

use chatpush_stack::folder::Folder;
use chatpush_tests::client::{Client, RejectedHandshake};
use chatpush_tests::daemon::{Daemon, token, token_of};
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::{SECRET, TestEnv};
use serde_json::{Value, json};
use tokio::net::unix::pipe::OpenOptions;
use tokio::process::Command;

/// An installation whose daemons read a file that the test writes.
struct Installation {
    env: TestEnv,
    folder: Folder,
}

impl Installation {
    async fn new(text: &str) -> Self {
        let folder = Folder::new().expect("a folder can be made");
        let file = folder.path().join("chatpush.toml");
        let env = TestEnv::new().await.without("CHATPUSH_SECRET");
        let installation = Self { env: env.with("CHATPUSH_CONFIG", file.display().to_string()), folder };
        installation.write("chatpush.toml", text);
        installation
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file can be written");
    }

    /// Writes the file and lets the daemon read it. Returns when it has, for the time that `result` counts.
    async fn reload(&self, daemon: &Daemon, text: &str, result: &str) {
        let metric = format!("chatpush_reloads_total{{result=\"{result}\"}}");
        let before = daemon.metric(&metric).await;
        self.write("chatpush.toml", text);
        daemon.process().signal("HUP");
        eventually("the file was read", || daemon.metric(&metric), |count| *count > before).await;
    }

    async fn status(&self) -> (Output, Value) {
        let output = Daemon::command(&self.env, &["status", "--json"]).await;
        let status =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        (output, status)
    }

    /// What the only daemon says of its configuration, once that is so.
    async fn until_configuration(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Output {
        let status = || self.status();
        let is = |(_, status): &(Output, Value)| wanted(&status["daemons"][0]["configuration"]);
        eventually(what, status, is).await.0
    }
}

fn secret_line(secret: &str) -> String {
    format!("secret = '{secret}'\n")
}

async fn connect(daemon: &Daemon, token: &str) -> Result<Client, RejectedHandshake> {
    Client::connect(daemon.port(), token, None).await
}

async fn assert_receives_push(env: &TestEnv, client: &mut Client) {
    env.php().get("pushMessage(2, 'still open', 'text');").await;
    assert_eq!(client.json().await["data"], "still open");
}

/// Limits, origins and the admin token hold from now on, and whoever is connected stays.
#[tokio::test]
async fn a_change_applies_while_connections_stay_open() {
    let before = format!("{}[limits]\nconnections_per_user = 1\n", secret_line(SECRET));
    let installation = Installation::new(&before).await;
    let env = &installation.env;
    let daemon = env.daemon().await;
    let mut client = daemon.connect(2).await;
    client.until_unread_count().await;
    let refused = connect(&daemon, &token(2)).await.expect_err("one is allowed");
    assert!(refused.reason.contains("connections_per_user"), "{refused:?}");
    let path = format!("/ws?token={}", token(3));
    let open = || Client::open(daemon.port(), &path, &[("Origin", "https://shop.example")]);
    assert_eq!(open().await.expect_err("another origin").status, 403);

    let after = format!(
        "allowed_origins = 'https://shop.example'\n{}[limits]\nconnections_per_user = 2\n",
        secret_line(SECRET)
    );
    installation.reload(&daemon, &after, "ok").await;
    assert!(connect(&daemon, &token(2)).await.is_ok(), "two are allowed");
    assert!(open().await.is_ok(), "the origin is allowed");
    assert_receives_push(env, &mut client).await;

    installation.write("chatpush.toml", &format!("admin_token = 'fedcba9876543210'\n{after}"));
    daemon.process().signal("HUP");
    let page = || daemon.get("/log");
    eventually("the token is asked for", page, |answer| answer.contains("admin_token")).await;
    let log = Daemon::command(&env.clone().with("CHATPUSH_ADMIN_LISTEN", admin(&daemon)), &["log"]).await;
    assert_eq!(String::from_utf8_lossy(&log.stdout), "info\n", "{log:?}");
    installation.write("chatpush.toml", &format!("{after}[log]\nfilter = 'warn'\n"));
    daemon.process().signal("HUP");
    eventually("the log filter has changed", page, |answer| answer.ends_with("\nwarn\n")).await;
    assert_receives_push(env, &mut client).await;
}

fn admin(daemon: &Daemon) -> String {
    format!("127.0.0.1:{}", daemon.admin_port())
}

/// With an error nothing changes, not even what is right. `status` names file, line and setting until it
/// is mended.
#[tokio::test]
async fn a_file_with_an_error_changes_nothing_and_is_named() {
    let good = format!("{}[limits]\nconnections_per_user = 1\n", secret_line(SECRET));
    let installation = Installation::new(&good).await;
    let daemon = installation.env.daemon().await;
    let _client = daemon.connect(2).await;
    let other_secret = "another-secret-of-more-than-32-bytes";
    let bad = format!(
        "{}[limits]\nconnections_per_user = 2\n[token]\nclock_skew = 'much'\n",
        secret_line(other_secret)
    );
    installation.reload(&daemon, &bad, "failed").await;
    assert_eq!(connect(&daemon, &token(2)).await.expect_err("one is allowed").status, 429);
    assert!(connect(&daemon, &token(3)).await.is_ok(), "the key is the old one");
    // The commands read the file too, so it is right again before the daemon has read it.
    installation.write("chatpush.toml", &good);
    let named = format!("{}:5: token.clock_skew: ", installation.path("chatpush.toml").display());
    let refused = |is: &Value| is["refused"].as_str().is_some_and(|error| error.starts_with(&named));
    let output = installation.until_configuration("the error is named", refused).await;
    let successful = || daemon.metric("chatpush_config_last_reload_successful");
    assert_eq!(successful().await, 0);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains(other_secret), "{output:?}");

    installation.reload(&daemon, &good, "ok").await;
    let output = installation.until_configuration("it is mended", |is| is["refused"].is_null()).await;
    assert_eq!(successful().await, 1);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// What needs a restart is named, until it is taken back or the daemon was restarted. Nothing else waits
/// for it.
#[tokio::test]
async fn what_needs_a_restart_is_named_and_the_rest_applies() {
    let before = secret_line(SECRET);
    let installation = Installation::new(&before).await;
    let daemon = installation.env.daemon().await;
    let _client = daemon.connect(2).await;
    let restart = |names: Value| move |is: &Value| is["needs_restart"] == names;
    installation.until_configuration("nothing waits", restart(json!([]))).await;
    let after = format!(
        "default_type = 'note'\n{before}[limits]\nconnections_per_user = 1\n[redis]\nfailover_memory = 7\n"
    );
    installation.reload(&daemon, &after, "ok").await;
    assert_eq!(connect(&daemon, &token(2)).await.expect_err("one is allowed").status, 429);
    let names = json!(["default_type", "redis.failover_memory"]);
    let output = installation.until_configuration("two settings wait", restart(names)).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines = Daemon::command(&installation.env, &["status"]).await;
    let lines = String::from_utf8_lossy(&lines.stdout).into_owned();
    assert!(lines.contains("needs a restart for default_type, redis.failover_memory"), "{lines}");
    installation.reload(&daemon, &before, "ok").await;
    installation.until_configuration("nothing waits", restart(json!([]))).await;
    installation.reload(&daemon, &after, "ok").await;
    let _daemon = daemon.restart(&installation.env).await;
    installation.until_configuration("nothing waits", restart(json!([]))).await;
}

/// The steps of the book: the new key beside the old one, then alone. The file with the key is read again
/// too.
#[tokio::test]
async fn a_key_is_rotated_without_a_restart() {
    let (old, new) = (SECRET, "another-secret-of-more-than-32-bytes");
    let installation = Installation::new("").await;
    let by_file = format!("secret_file = '{}'\n", installation.path("secret").display());
    installation.write("secret", &format!("{old}\n"));
    installation.write("chatpush.toml", &by_file);
    let daemon = installation.env.daemon().await;
    let mut client = connect(&daemon, &token_of(old, 2, 3600)).await.expect("the key is the old one");
    client.until_unread_count().await;
    let status = async |secret| connect(&daemon, &token_of(secret, 3, 3600)).await.err().map(|no| no.status);
    assert_eq!((status(old).await, status(new).await), (None, Some(401)));
    installation.write("secret", &format!("{new}\n"));
    installation.reload(&daemon, &format!("{by_file}previous_secrets = '{old}'\n"), "ok").await;
    assert_eq!((status(old).await, status(new).await), (None, None));
    installation.reload(&daemon, &by_file, "ok").await;
    assert_eq!((status(old).await, status(new).await), (Some(401), None));
    assert_receives_push(&installation.env, &mut client).await;
}

/// A pipe that nobody writes to stands for a disk that hangs.
#[tokio::test]
async fn a_file_that_cannot_be_read_to_its_end_does_not_keep_the_daemon_from_stopping() {
    let installation = Installation::new(&secret_line(SECRET)).await;
    let daemon = installation.env.daemon().await;
    let file = installation.path("chatpush.toml");
    std::fs::remove_file(&file).expect("it can be removed");
    let made = Command::new("mkfifo").arg(&file).status().await.expect("mkfifo starts");
    assert!(made.success());
    daemon.process().signal("HUP");
    // It can be opened once somebody reads.
    let open = async || OpenOptions::new().open_sender(&file);
    let _writer = eventually("the daemon reads", open, Result::is_ok).await;
    assert_eq!(daemon.stop(), Some(0));
}
