use chatpush_stack::certificate::Certificate;
use chatpush_stack::folder::Folder;
use chatpush_stack::nginx::Nginx;
use chatpush_tests::client::Client;
use chatpush_tests::daemon::token;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;

async fn assert_receives_push(env: &TestEnv, client: &mut Client) {
    client.until_unread_count().await;
    env.php().get("pushMessage(2, 'by TLS', 'text');").await;
    assert_eq!(client.json().await["data"], "by TLS");
}

/// Open connections stay. If the new files are invalid, the old certificate stays.
#[tokio::test]
async fn certificate_is_reloaded_on_sighup() {
    let folder = Folder::new().expect("a folder can be made");
    let first = Certificate::make(folder.path(), "chat").expect("openssl is there");
    let env = TestEnv::new()
        .await
        .with("CHATPUSH_TLS_CERT", first.cert.display().to_string())
        .with("CHATPUSH_TLS_KEY", first.key.display().to_string());
    let daemon = env.daemon().await;
    let old_root = std::fs::read(&first.cert).expect("it was written");
    let token = token(2);
    let connect = |root: Vec<u8>| Client::connect_tls(daemon.port(), &token, root);
    let mut client = connect(old_root.clone()).await.expect("the certificate is the daemon's");
    assert_receives_push(&env, &mut client).await;

    // An incomplete file must not replace the certificate.
    let key = std::fs::read(&first.key).expect("it was written");
    std::fs::write(&first.key, &key[..40]).expect("it can be written");
    daemon.process().signal("HUP");
    let failed = || daemon.metric("chatpush_certificate_reloads_total{result=\"failed\"}");
    eventually("the reload has failed", failed, |count| *count == 1).await;
    assert!(connect(old_root.clone()).await.is_ok());

    let second = Certificate::make(folder.path(), "chat").expect("openssl is there");
    let new_root = std::fs::read(&second.cert).expect("it was written");
    daemon.process().signal("HUP");
    eventually("the new certificate is used", || connect(new_root.clone()), Result::is_ok)
        .await
        .expect("it was waited for");
    assert!(connect(old_root).await.is_err(), "the old certificate is still used");
    env.php().get("pushMessage(2, 'still open', 'text');").await;
    assert_eq!(client.json().await["data"], "still open");
}

/// The close frame reaches a client that is still sending, and the end of TLS follows it.
#[tokio::test]
async fn close_codes_are_seen_over_tls() {
    let folder = Folder::new().expect("a folder can be made");
    let certificate = Certificate::make(folder.path(), "chat").expect("openssl is there");
    let env = TestEnv::new()
        .await
        .with("CHATPUSH_TLS_CERT", certificate.cert.display().to_string())
        .with("CHATPUSH_TLS_KEY", certificate.key.display().to_string());
    let daemon = env.daemon().await;
    let root = std::fs::read(&certificate.cert).expect("it was written");
    let connect = || async {
        let mut client =
            Client::connect_tls(daemon.port(), &token(2), root.clone()).await.expect("it connects");
        client.until_unread_count().await;
        client
    };
    let mut client = connect().await;
    client.send_text(&"x".repeat(12 * 1024 * 1024)).await;
    assert_eq!(client.close_code().await, Some(1009));
    let client = connect().await;
    env.php().get("ChatPush\\disconnectUser(2);").await;
    assert_eq!(client.close_code().await, Some(4403));
}

#[tokio::test]
async fn unusable_certificate_fails_the_start() {
    let folder = Folder::new().expect("a folder can be made");
    let (one, other) = (Certificate::make(folder.path(), "one"), Certificate::make(folder.path(), "other"));
    let (one, other) = (one.expect("openssl is there"), other.expect("openssl is there"));
    for (key, complaint) in [(&other.key, "does not belong to"), (&one.cert, "one.crt")] {
        let env = TestEnv::new()
            .await
            .with("CHATPUSH_TLS_CERT", one.cert.display().to_string())
            .with("CHATPUSH_TLS_KEY", key.display().to_string());
        let output = chatpush_tests::daemon::Daemon::command(&env, &["run"]).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains(complaint), "{stderr}");
    }
}

#[tokio::test]
async fn nginx_can_terminate_tls() {
    let folder = Folder::new().expect("a folder can be made");
    let certificate = Certificate::make(folder.path(), "chat").expect("openssl is there");
    let env = TestEnv::new().await.with("CHATPUSH_LIMITS_CONNECTIONS_PER_ADDRESS", "1");
    let daemon = env.daemon().await;
    let nginx = Nginx::start_tls(folder.path(), &certificate, daemon.port()).await.expect("nginx starts");
    let root = std::fs::read(&certificate.cert).expect("it was written");
    let mut client =
        Client::connect_tls(nginx.port(), &token(2), root.clone()).await.expect("nginx forwards it");
    assert_receives_push(&env, &mut client).await;
    // The forwarded address, 127.0.0.1, is a trusted proxy's, so the limit does not apply to it.
    assert!(Client::connect_tls(nginx.port(), &token(3), root).await.is_ok());
}
