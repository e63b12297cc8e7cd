//! Webhooks over https, to an application whose certificate an authority of its own has signed.

use chatpush_stack::certificate::Certificate;
use chatpush_stack::folder::Folder;
use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::application::Application;
use super::{OTHER_SECRET, SECRET, installation_at, nobody_is_due};

/// `check` and the daemon say what a certificate that cannot be used means, and what to do.
#[tokio::test]
async fn certificates_that_cannot_be_used_are_explained() {
    let folder = Folder::new().expect("a folder can be made");
    let authority = Certificate::authority(folder.path(), "authority").expect("openssl is there");
    // The mistake: the authority itself as the server.
    let application = Application::start_tls("204 No Content", &authority).await;
    let env = installation_at(format!("https://127.0.0.1:{}/hook", application.port)).await;
    // The machine's own folder would be read beside the file.
    let env = env.with("SSL_CERT_DIR", "").with("SSL_CERT_FILE", authority.cert.display().to_string());
    let meant = "the server shows the certificate of an authority as its own";
    let check = async |env: &TestEnv| {
        let output = Daemon::command(env, &["check"]).await;
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, text) = check(&env).await;
    let line = text.lines().find(|line| line.contains("webhook.url")).unwrap_or_default();
    assert!(code == Some(1) && line.starts_with("WRONG") && line.contains(meant), "{text}");
    assert!(text.contains("ok       trusted authorities: 1 "), "{text}");
    let tried = Daemon::command(&env, &["webhook", "test"]).await;
    assert!(String::from_utf8_lossy(&tried.stdout).contains(meant), "{tried:?}");
    // As web servers answer on the port of http.
    let plain = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("https://{}/hook", plain.local_addr().expect("it has an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let (_, text) = check(&env.clone().with("CHATPUSH_WEBHOOK_URL", url)).await;
    assert!(text.contains("there is no TLS at this port"), "{text}");
    // As that of PHP does.
    let closing = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("https://{}/hook", closing.local_addr().expect("it has an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = closing.accept().await {
            // Unread bytes would reset the connection.
            _ = stream.read(&mut [0; 4096]).await;
        }
    });
    let (_, text) = check(&env.clone().with("CHATPUSH_WEBHOOK_URL", url)).await;
    assert!(text.contains("ended the TLS handshake: is it the port of http?"), "{text}");

    let missing = env.with("SSL_CERT_FILE", "/nonexistent/authorities.pem");
    let (code, text) = check(&missing).await;
    let line = text.lines().find(|line| line.contains("trusted authorities")).unwrap_or_default();
    assert!(code == Some(1) && line.starts_with("WRONG"), "{text}");
    assert!(
        line.contains("SSL_CERT_FILE=/nonexistent/authorities.pem") && line.contains("correct it"),
        "{line}"
    );
}

/// What cannot be reached is explained by `webhook test` and `check` alike: nothing listens, the name does not exist,
/// there is TLS, an authority is not known, its file cannot be read.
#[tokio::test]
async fn address_that_does_not_answer_is_explained() {
    let folder = Folder::new().expect("a folder can be made");
    let authority = Certificate::authority(folder.path(), "authority").expect("openssl is there");
    let certificate = authority.sign(folder.path(), "application").expect("openssl is there");
    let other = Certificate::authority(folder.path(), "other").expect("openssl is there");
    let other = other.cert.display().to_string();
    let garbage = folder.path().join("garbage.pem");
    std::fs::write(&garbage, "no certificate").expect("it is written");
    let garbage = garbage.display().to_string();
    let port = Application::start_tls("204 No Content", &certificate).await.port;
    let free = chatpush_stack::port::free().expect("a port is free");
    let env = installation_at(format!("https://127.0.0.1:{port}/hook")).await.with("SSL_CERT_DIR", "");
    let tls = format!("https://127.0.0.1:{port}/hook");
    let untrusted = "has signed the certificate";
    for (url, authorities, said) in [
        (format!("http://127.0.0.1:{free}/"), "", ["nothing listens there", "start the server"]),
        ("https://nowhere.invalid/".to_owned(), "", ["does not resolve the name", "DNS"]),
        (tls.clone(), &other, [untrusted, "none of the 1 trusted authorities"]),
        (
            tls.clone(),
            "/nonexistent/authorities.pem",
            [untrusted, "/nonexistent/authorities.pem is read instead"],
        ),
        (tls, &garbage, [untrusted, "garbage.pem is read instead of the system's, and cannot be used"]),
    ] {
        let env = env.clone().with("CHATPUSH_WEBHOOK_URL", &url).with("SSL_CERT_FILE", authorities);
        for command in [&["check"][..], &["webhook", "test"]] {
            let output = Daemon::command(&env, command).await;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let line =
                text.lines().find(|line| line.contains("webhook.url:") || line.starts_with("not accepted"));
            let line = line.unwrap_or_default();
            assert!(said.iter().all(|said| line.contains(said)), "{command:?} of {url}: {text}");
            assert!(!line.contains("chatpushd check"), "{line}");
        }
    }
    let env = env.with("CHATPUSH_WEBHOOK_URL", format!("http://127.0.0.1:{port}/"));
    let output = Daemon::command(&env, &["webhook", "test"]).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("does not speak HTTP: is it the port of https?"), "{text}");
}

/// As long as the authority is not known nothing is sent, and the operator is told why. Once it is known, the same
/// webhook comes.
#[tokio::test]
async fn certificate_must_be_of_a_known_authority() {
    let folder = Folder::new().expect("a folder can be made");
    let authority = Certificate::authority(folder.path(), "authority").expect("openssl is there");
    let certificate = authority.sign(folder.path(), "application").expect("openssl is there");
    let other = Certificate::authority(folder.path(), "other").expect("openssl is there");
    let application = Application::start_tls("204 No Content", &certificate).await;
    let env = installation_at(format!("https://127.0.0.1:{}/hook", application.port)).await;
    let trusting =
        |authority: &Certificate| env.clone().with("SSL_CERT_FILE", authority.cert.display().to_string());
    let mut failed = Vec::new();
    for env in [env.clone(), trusting(&other)] {
        let daemon = env.daemon().await;
        if failed.is_empty() {
            env.php().get("ChatPush\\sendMessage(1, 2, 'a', 'chat', 'a');").await;
        }
        let waiting = || daemon.get("/waiting");
        let said = |waiting: &String| waiting.contains("certificate") && waiting.contains("SSL_CERT_FILE");
        eventually("it is said why", waiting, said).await;
        let waits = || env.query::<(u64, u32)>("SELECT due_at, tries FROM chatpush_notified WHERE tries > 0");
        let tried = eventually("it is tried again", waits, |rows| *rows > failed).await;
        failed = tried;
        daemon.kill();
    }
    assert_eq!(application.requests().len(), 0);
    let env = trusting(&authority);
    let _daemon = env.daemon().await;
    let request = application.received(1).await.remove(0);
    assert_eq!(request.headers["webhook-id"], format!("waiting-2-{}", failed[0].0));
    for secret in [SECRET, OTHER_SECRET] {
        assert!(request.is_signed(&env, secret).await, "{request:?}");
    }
    nobody_is_due(&env).await;
}
