//! `chatpushd webhook test`.

use std::process::Output;

use chatpush_tests::daemon::Daemon;
use serde_json::{Value, json};

use super::application::Application;
use super::{OTHER_SECRET, SECRET, installation};

fn printed(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// It is signed as all others are, and the exit code says whether it was accepted. No daemon is needed.
#[tokio::test]
async fn test_webhook_says_what_was_answered() {
    let application = Application::start("204 No Content").await;
    let env = installation(application.port).await;
    let (code, text) = printed(&Daemon::command(&env, &["webhook", "test"]).await);
    assert!(code == Some(0) && text.starts_with("accepted: 204 No Content after "), "{text}");
    let request = application.requests().remove(0);
    for secret in [SECRET, OTHER_SECRET] {
        assert!(request.is_signed(&env, secret).await, "{request:?}");
    }
    let mut body = request.json();
    assert!(body["timestamp"].as_str().is_some_and(|time| time.len() == 24), "{body}");
    body["timestamp"] = Value::Null;
    assert_eq!(body, json!({"type": "webhook.test", "timestamp": null, "data": {}}));

    application.answer("401 Unauthorized");
    let (code, text) = printed(&Daemon::command(&env, &["webhook", "test"]).await);
    assert!(code == Some(1) && text.starts_with("not accepted: 401 Unauthorized after "), "{text}");
    assert!(text.contains("compare the application's key with webhook.secret"), "{text}");
    application.answer("");
    let (code, text) = printed(&Daemon::command(&env, &["webhook", "test"]).await);
    assert!(code == Some(1) && text.starts_with("not accepted: no answer in time"), "{text}");
    assert_eq!(env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified").await, [0]);
}
