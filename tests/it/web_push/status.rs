//! What `status` and the admin page say of push services.

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use serde_json::Value;

use super::push_service::PushService;
use super::{installation, nobody_is_due, subscribed};

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
    let named = format!("Web Push     the last error: {}", service.host());
    assert!(lines.contains(&named), "{lines}");
}

/// A push service that does not take the key is named, until it does: an operator has to mend that.
#[tokio::test]
async fn refused_key_is_named() {
    for refusal in ["401 Unauthorized", "403 Forbidden"] {
        let service = PushService::start().await;
        let env = installation(&service, &service.host()).await;
        let daemon = env.daemon().await;
        subscribed(&daemon, 2, &service.subscription("a")).await;
        service.answer("a", refusal);
        env.php().get("storeOfflineMessage(1, 2, 'a');").await;
        let said = || async {
            let output = Daemon::command(&env, &["status", "--json"]).await;
            let status: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            let answer = daemon.get("/waiting").await;
            let waiting = answer.split_once("\r\n\r\n").map_or(answer.as_str(), |(_, body)| body);
            let waiting: Value = serde_json::from_str(waiting).expect("JSON");
            [status, waiting].map(|said| said["web_push_error"].as_str().map(str::to_owned))
        };
        let named = |said: &[Option<String>; 2]| {
            said.iter().all(|error| error.as_ref().is_some_and(|error| error.contains(refusal)))
        };
        eventually(refusal, said, named).await;
        service.answer("a", "201 Created");
        env.execute("UPDATE chatpush_push SET next_try_at = 0").await;
        nobody_is_due(&env).await;
        assert_eq!(said().await, [None, None]);
    }
}
