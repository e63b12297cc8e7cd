use std::process::Output;

use chatpush_tests::daemon::Daemon;
use chatpush_tests::test_env::TestEnv;
use serde_json::Value;

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// An installation whose daemon ends at once, because its port is in use.
async fn without_a_port() -> (TestEnv, std::net::TcpListener) {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address").to_string();
    (TestEnv::bare().await.with("CHATPUSH_LISTEN", address), taken)
}

/// Whatever ends the process, and whatever the filter.
#[tokio::test]
async fn fatal_errors_are_json_where_the_log_is() {
    let (env, _taken) = without_a_port().await;
    let env = env.with("CHATPUSH_LOG_FORMAT", "json").with("CHATPUSH_LOG", "off");
    let refused = env.clone().with("CHATPUSH_THREADS", "many");
    for (env, code, wanted) in [(env, 1, "cannot listen on"), (refused, 64, "CHATPUSH_THREADS")] {
        let output = Daemon::command(&env, &["run"]).await;
        assert_eq!(output.status.code(), Some(code));
        let errors = errors(&output);
        let lines: Vec<Value> =
            errors.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect();
        let [line] = lines.as_slice() else { panic!("one line: {errors}") };
        assert_eq!(line["level"], "ERROR");
        assert!(line["fields"]["error"].as_str().is_some_and(|error| error.contains(wanted)), "{errors}");
    }
}

/// The error names the setting that is missing, not one that nobody has written.
#[tokio::test]
async fn a_webhook_by_default_needs_notifications() {
    let secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
    let env = TestEnv::bare().await.with("CHATPUSH_WEBHOOK_URL", "https://a.example/webhook.php");
    let output = Daemon::command(&env.with("CHATPUSH_WEBHOOK_SECRET", secret), &["check"]).await;
    let errors = errors(&output);
    assert_eq!(output.status.code(), Some(64), "{errors}");
    assert!(errors.contains("webhook.url: is set") && errors.contains("set [notify] after"), "{errors}");
}

/// Also where the daemon does not fit its database, which it finds out after it has started.
#[tokio::test]
async fn a_daemon_that_does_not_fit_says_so_in_json() {
    let other = TestEnv::new()
        .await
        .with("CHATPUSH_PREFIX", "another")
        .with("CHATPUSH_LISTEN", "127.0.0.1:0")
        .with("CHATPUSH_ADMIN_LISTEN", "127.0.0.1:0")
        .with("CHATPUSH_LOG_FORMAT", "json");
    let output = Daemon::command(&other, &["run"]).await;
    assert_eq!(output.status.code(), Some(78));
    let errors = errors(&output);
    let lines: Vec<Value> =
        errors.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect();
    let fatal: Vec<_> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
    let [fatal] = fatal.as_slice() else { panic!("one error: {errors}") };
    assert!(
        fatal["fields"]["error"].as_str().is_some_and(|error| error.contains("CHATPUSH_PREFIX")),
        "{errors}"
    );
}

#[tokio::test]
async fn an_unknown_variable_is_named_at_the_start() {
    let (env, _taken) = without_a_port().await;
    let output = Daemon::command(&env.with("CHATPUSH_LOGFORMAT", "json"), &["run"]).await;
    let errors = errors(&output);
    assert!(errors.contains("CHATPUSH_LOGFORMAT is not a setting"), "{errors}");
    assert!(errors.contains("did you mean CHATPUSH_LOG_FORMAT?"), "{errors}");
}

#[tokio::test]
async fn a_level_that_does_not_exist_is_refused() {
    let env = TestEnv::bare().await.with("CHATPUSH_LOG", "warning");
    let output = Daemon::command(&env, &["check"]).await;
    assert_eq!(output.status.code(), Some(64));
    assert!(errors(&output).contains("did you mean warn?"), "{}", errors(&output));
}

/// Not even the address of the server is looked up.
#[tokio::test]
async fn a_password_that_is_not_percent_encoded_is_refused() {
    let env = TestEnv::bare().await.with("CHATPUSH_MYSQL_URL", "mysql://app:p@ss/w#rd@127.0.0.1/app");
    let output = Daemon::command(&env, &["check"]).await;
    assert_eq!(output.status.code(), Some(64));
    let errors = errors(&output);
    assert!(errors.contains("CHATPUSH_MYSQL_URL: in a user name or password write %40 for @"), "{errors}");
    assert!(!errors.contains("w#rd"), "the password is shown");
}

#[tokio::test]
async fn an_error_in_the_file_names_its_line() {
    let env = TestEnv::bare().await;
    let file = env.servers().folder().join(format!("{}.toml", env.name()));
    std::fs::write(&file, "[log]\nformat = json\n").expect("the file can be written");
    let env = env.with("CHATPUSH_CONFIG", file.display().to_string());
    let output = Daemon::command(&env, &["check"]).await;
    assert_eq!(output.status.code(), Some(64));
    assert!(errors(&output).contains(&format!("{}:2:10: ", file.display())), "{}", errors(&output));
}
