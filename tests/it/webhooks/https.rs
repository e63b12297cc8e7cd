//! Webhooks over https, to an application whose certificate an authority of its own has signed.

use chatpush_stack::certificate::Certificate;
use chatpush_stack::folder::Folder;
use chatpush_tests::eventually::eventually;

use super::application::Application;
use super::{OTHER_SECRET, SECRET, installation_at, nobody_is_due};

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
