use std::path::Path;
use std::process::Stdio;

use chatpush_tests::daemon::token;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

#[tokio::test]
async fn python_websockets_receives_and_confirms() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let php = env.php();
    php.get("storeOfflineMessage(1, 2, 'one'); storeOfflineMessage(1, 2, 'zwei äöü 👍');").await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/third_party_clients/websockets_client.py");
    let url = format!("ws://127.0.0.1:{}/ws?token={}", daemon.port(), token(2));
    let mut python = spawn(Command::new("/usr/bin/python3").arg(script).arg(url));
    let mut lines = BufReader::new(python.stdout.take().expect("a pipe")).lines();
    let mut next = async || lines.next_line().await.expect("it can be read").unwrap_or_default();
    for wanted in ["connected", "text one", "text zwei äöü 👍", "unread_count 2"] {
        assert_eq!(next().await, wanted);
    }
    eventually("the rows are deleted", || env.stored(2), Vec::is_empty).await;
    php.get("pushMessage(2, 'live', 7); pushMessage(2, 'end', 'text');").await;
    assert_eq!((next().await, next().await), ("7 live".to_owned(), "text end".to_owned()));
    assert!(python.wait().await.expect("it ends").success());
}

#[tokio::test]
async fn websocat_receives_and_confirms() {
    let env = TestEnv::new().await;
    env.users(&[2]).await;
    let daemon = env.daemon().await;
    let php = env.php();
    php.get("storeOfflineMessage(1, 2, 'waited');").await;
    let websocat = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin/websocat");
    let url = format!("ws://127.0.0.1:{}/ws?token={}", daemon.port(), token(2));
    let mut websocat = spawn(Command::new(websocat).arg("--text").arg(url));
    let mut lines = BufReader::new(websocat.stdout.take().expect("a pipe")).lines();
    let mut next = async || {
        let line = lines.next_line().await.expect("it can be read").expect("a line");
        serde_json::from_str::<serde_json::Value>(&line).expect("JSON")
    };
    assert_eq!(next().await["data"], "waited");
    assert_eq!(next().await, serde_json::json!({"type": "unread_count", "data": 1}));
    eventually("the row is deleted", || env.stored(2), Vec::is_empty).await;
    php.get("pushMessage(2, 'live', 'text');").await;
    assert_eq!(next().await["data"], "live");
    websocat.kill().await.expect("it runs");
}

/// Starts a program with a pipe to its output.
fn spawn(command: &mut Command) -> Child {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}
