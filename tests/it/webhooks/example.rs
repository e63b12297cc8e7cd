//! The example that receives webhooks.

use std::process::Stdio;

use chatpush_stack::mariadb::{PASSWORD, USER};
use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use tokio::process::Command;

use super::{OTHER_SECRET, SECRET, installation, nobody_is_due};

/// The example on a port of this machine, with MySQL, and without a key.
fn page(env: &TestEnv, port: u16, ini: &str) -> Command {
    let script = format!("{}/../examples/webhook/webhook.php", env!("CARGO_MANIFEST_DIR"));
    let php = if ini.is_empty() { env.php() } else { env.php().with(ini) };
    let mut command = php.program(["-S", &format!("127.0.0.1:{port}"), &script]);
    command
        .env("CHAT_MYSQL_SOCKET", env.servers().mysql_socket())
        .env("CHAT_MYSQL_DATABASE", env.name())
        .env("CHAT_MYSQL_USER", USER)
        .env("CHAT_MYSQL_PASSWORD", PASSWORD)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// PHP that signs a webhook as the daemon does, with a time so many seconds from now, and prints the status of the answer.
fn post(port: u16, secret: &str, seconds: i64) -> String {
    format!(
        "$body = '{{\"type\":\"of a later version\",\"data\":{{}}}}'; $time = time() + {seconds};
        $key = base64_decode(substr('{secret}', 6));
        $signature = 'v1,' . base64_encode(hash_hmac('sha256', \"id.$time.$body\", $key, true));
        $header = \"webhook-id: id\\r\\nwebhook-timestamp: $time\\r\\nwebhook-signature: $signature\\r\\n\";
        $http = ['method' => 'POST', 'header' => $header, 'content' => $body, 'ignore_errors' => true];
        $answer = @file_get_contents('http://127.0.0.1:{port}/', false, stream_context_create(['http' => $http]));
        echo $answer === false ? 'no answer' : explode(' ', $http_response_header[0])[1];"
    )
}

/// What was recorded and is sent again later is refused, though it is signed; so is what comes from the future.
#[tokio::test]
async fn example_refuses_old_webhooks() {
    let env = TestEnv::new().await;
    let port = chatpush_stack::port::free().expect("a port is free");
    let mut server = page(&env, port, "");
    server.env("CHAT_WEBHOOK_SECRET", SECRET);
    let _running = server.spawn().expect("php starts");
    let answer = async |seconds| env.php().get(&post(port, SECRET, seconds)).await;
    eventually("it is accepted", || answer(0), |status| status == "204").await;
    for (seconds, status) in [(-600, "401"), (600, "401"), (-60, "204"), (60, "204")] {
        assert_eq!(answer(seconds).await, status, "{seconds} seconds from now");
    }
    assert_eq!(env.php().get(&post(port, OTHER_SECRET, 0)).await, "401", "another key");
}

/// The example checks the signature, and mails once although its answer was lost.
#[tokio::test]
async fn example_mails_once() {
    let port = chatpush_stack::port::free().expect("a port is free");
    let env = installation(port).await;
    let _daemon = env.daemon().await;
    let mails = env.servers().folder().join(format!("{}.mails", env.name()));
    let sendmail = format!("sendmail_path=tee -a {}", mails.display());
    let server = || page(&env, port, &sendmail);
    let forged = server().env("CHAT_WEBHOOK_SECRET", "whsec_").spawn().expect("php starts");
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    let tries = || env.query::<u32>("SELECT tries FROM chatpush_notified WHERE tries > 0");
    eventually("it is refused", tries, |tries| !tries.is_empty()).await;
    assert!(!mails.exists(), "another key");
    drop(forged);
    // While the key is replaced: the new one, which the daemon does not have yet, and the old one.
    let secrets = format!("whsec_bmV3IGtleSBvZiB0aGUgdGVzdHM= {OTHER_SECRET}");
    let server = || server().env("CHAT_WEBHOOK_SECRET", &secrets).spawn().expect("php starts");
    let running = server();
    nobody_is_due(&env).await;
    let test = Daemon::command(&env, &["webhook", "test"]).await;
    assert_eq!(test.status.code(), Some(0), "what it does not know it accepts: {test:?}");
    drop(running);
    env.execute("UPDATE chatpush_notified SET offer_at = 1, told_at = NULL").await;
    let _running = server();
    nobody_is_due(&env).await;
    let mails = std::fs::read_to_string(&mails).expect("there are mails");
    assert_eq!(mails.matches("To: user2@chat.example").count(), 1, "{mails}");
    assert!(mails.contains("You have a new message."), "{mails}");
}

/// `webhook test` prints what the page lacks: a variable, or MySQL.
#[tokio::test]
async fn example_names_what_it_lacks() {
    let port = chatpush_stack::port::free().expect("a port is free");
    let env = installation(port).await;
    let test = async || {
        let output = Daemon::command(&env, &["webhook", "test"]).await;
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for (name, value, said) in [
        ("CHAT_MYSQL_SOCKET", "", "CHAT_MYSQL_SOCKET is not set"),
        ("CHAT_WEBHOOK_SECRET", "", "CHAT_WEBHOOK_SECRET is not set"),
        ("CHAT_MYSQL_PASSWORD", "wrong", "MySQL cannot be used"),
    ] {
        let mut server = page(&env, port, "display_errors=0");
        let _running =
            server.env("CHAT_WEBHOOK_SECRET", SECRET).env(name, value).spawn().expect("php starts");
        let answered = |(code, text): &(Option<i32>, String)| {
            *code == Some(1) && text.contains("500") && text.contains(said)
        };
        eventually("the page says what it lacks", test, answered).await;
    }
}
