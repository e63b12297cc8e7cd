//! What `status`, the metrics and the alerts say of webhooks that are not accepted.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use serde_json::Value;

use super::application::Application;
use super::{installation, nobody_is_due};

async fn status(env: &TestEnv) -> (Option<i32>, Value) {
    let output = Daemon::command(env, &["status", "--json"]).await;
    let status = serde_json::from_slice(&output.stdout);
    (output.status.code(), status.unwrap_or_else(|error| panic!("{error}: {output:?}")))
}

/// Any daemon's command has the last error. It is a problem after some minutes, and none once it was accepted.
#[tokio::test]
async fn a_dead_webhook_is_named_with_its_error() {
    let application = Application::start("503 Service Unavailable\r\nRetry-After: 3000").await;
    let env = installation(application.port).await;
    let daemon = env.daemon().await;
    assert_eq!(daemon.metric("chatpush_webhook_up").await, 1);
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    let refused = "it has answered 503 Service Unavailable";
    let (_, said) =
        eventually("the error is named", || status(&env), |(_, said)| said["webhook_error"] == refused).await;
    assert_eq!(said["problems"].as_array().map(Vec::len), Some(0), "{said}");
    assert_eq!(daemon.metric("chatpush_webhook_up").await, 0);
    env.execute("UPDATE chatpush_notified SET tried_at = tried_at - 600000").await;
    let (code, said) = status(&env).await;
    let problem = said["problems"][0].as_str().unwrap_or_default();
    assert!(code == Some(1) && problem.contains(refused) && problem.contains("webhook test"), "{said}");
    let lines = Daemon::command(&env, &["status"]).await;
    let lines = String::from_utf8_lossy(&lines.stdout).into_owned();
    assert!(lines.contains(&format!("webhooks     the last error: {refused}")), "{lines}");

    application.answer("200 OK");
    assert!(Daemon::command(&env, &["webhook", "retry", "--all"]).await.status.success());
    nobody_is_due(&env).await;
    let (code, said) = status(&env).await;
    assert_eq!((code, &said["webhook_error"]), (Some(0), &Value::Null), "{said}");
    assert_eq!(daemon.metric("chatpush_webhook_up").await, 1);
}
