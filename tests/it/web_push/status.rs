//! What `status` says of push services.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use serde_json::Value;

use super::push_service::PushService;
use super::{installation, subscribed};

/// Any daemon's command has the last error of a browser whose user is due.
#[tokio::test]
async fn an_error_of_a_push_service_is_named() {
    let service = PushService::start().await;
    let env = installation(&service, &service.host()).await;
    let daemon = env.daemon().await;
    subscribed(&daemon, 2, &service.subscription("a")).await;
    service.answer("a", "503 Service Unavailable\r\nRetry-After: 3000");
    env.php().get("storeOfflineMessage(1, 2, 'a');").await;
    let said = || async {
        let output = Daemon::command(&env, &["status", "--json"]).await;
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    };
    let named = |said: &Value| said["web_push_error"].as_str().is_some_and(|error| error.contains("503"));
    eventually("the error is named", said, named).await;
    let lines = Daemon::command(&env, &["status"]).await;
    let lines = String::from_utf8_lossy(&lines.stdout).into_owned();
    assert!(lines.contains("Web Push     the last error: "), "{lines}");
}
