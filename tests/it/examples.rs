use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use chatpush_stack::mariadb::{PASSWORD, USER};
use chatpush_tests::client::Client;
use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::{TEST_TIMEOUT, eventually};
use chatpush_tests::test_env::TestEnv;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{ChildStderr, Command};
use tokio::time::timeout;

fn example(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples").join(file)
}

/// The nightly job, with `retry` seconds to get everything done.
fn announce(env: &TestEnv, retry: u32, arguments: &[&str]) -> Command {
    let script = example("cron/announce.php");
    let arguments = [script.to_str().expect("UTF-8")].into_iter().chain(arguments.iter().copied());
    let mut command = with_database(env, env.php().with("display_errors=stderr").program(arguments));
    command.env("CHAT_RETRY_SECONDS", retry.to_string());
    command
}

/// Gives an example the variables that it connects to MySQL with.
fn with_database(env: &TestEnv, mut command: Command) -> Command {
    command
        .env("CHAT_MYSQL_SOCKET", env.servers().mysql_socket())
        .env("CHAT_MYSQL_DATABASE", env.name())
        .env("CHAT_MYSQL_USER", USER)
        .env("CHAT_MYSQL_PASSWORD", PASSWORD);
    command
}

fn texts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

async fn line(errors: &mut Lines<BufReader<ChildStderr>>) -> String {
    let line = timeout(TEST_TIMEOUT, errors.next_line()).await.expect("a line comes");
    line.expect("it can be read").unwrap_or_default()
}

/// A job that meets no daemon waits for one. Started again, it sends nothing twice.
#[tokio::test]
async fn cron_announcement_reaches_every_user_once() {
    let env = TestEnv::new().await;
    env.users(&[1, 2, 3]).await;
    let mut job = announce(&env, 60, &["news-1", "hello"]);
    let mut job = job.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("php starts");
    let mut errors = BufReader::new(job.stderr.take().expect("a pipe")).lines();
    let stderr = line(&mut errors).await;
    assert!(stderr.starts_with("Trying again at user 1: no chatpushd is running"), "{stderr}");

    let daemon = env.daemon().await;
    let drained = async { while errors.next_line().await.is_ok_and(|line| line.is_some()) {} };
    let (output, ()) = tokio::join!(job.wait_with_output(), drained);
    let (code, printed, _) = texts(&output.expect("it ends"));
    assert_eq!((code, printed.as_str()), (Some(0), "3 users have it\n"));

    env.users(&[4]).await;
    let again = announce(&env, 60, &["news-1", "hello"]).output().await.expect("php starts");
    assert_eq!(texts(&again), (Some(0), "4 users have it\n".to_owned(), String::new()));
    for user in [1, 2, 3, 4] {
        assert_eq!((env.stored(user).await, env.unread(user).await), (vec!["hello".to_owned()], 1));
    }

    daemon.kill();
    let late = announce(&env, 0, &["news-2", "too late"]).output().await.expect("php starts");
    let (code, _, stderr) = texts(&late);
    assert_eq!(code, Some(75), "{stderr}");
    assert!(stderr.starts_with("Gave up at user 1: "), "{stderr}");
}

#[tokio::test]
async fn cron_announcement_explains_its_usage() {
    let env = TestEnv::bare().await;
    let wrong = announce(&env, 0, &["news-1"]).output().await.expect("php starts");
    let usage = "usage: announce.php JOB TEXT\n".to_owned();
    assert_eq!(texts(&wrong), (Some(64), String::new(), usage));
    let script = example("cron/announce.php");
    let bare = Command::new("php").arg(script).args(["a", "b"]).output().await.expect("php starts");
    let (code, _, stderr) = texts(&bare);
    assert_eq!(code, Some(69), "{stderr}");
    for script in ["cron/announce.php", "history-and-queue/hand-over.php", "long-lived-worker/worker.php"] {
        let mode = example(script).metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{script} can be executed");
    }
}

/// One program that hands messages to the worker.
struct Program {
    answers: Lines<BufReader<OwnedReadHalf>>,
    jobs: OwnedWriteHalf,
}

impl Program {
    async fn connect(socket: &std::path::Path) -> Self {
        let (reading, jobs) = UnixStream::connect(socket).await.expect("it listens").into_split();
        Self { answers: BufReader::new(reading).lines(), jobs }
    }

    async fn write(&mut self, line: &str) {
        self.jobs.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }

    async fn answer(&mut self) -> Value {
        let line = timeout(TEST_TIMEOUT, self.answers.next_line()).await.expect("an answer comes");
        let line = line.expect("it can be read").expect("it is there");
        serde_json::from_str(&line).expect("JSON")
    }

    async fn send(&mut self, id: &str, to: u32, text: &str) -> Value {
        self.write(&json!({"id": id, "from": 1, "to": to, "text": text}).to_string()).await;
        self.answer().await
    }
}

/// The worker outlives bad input, a killed daemon and a killed Redis, and sends everything once.
#[tokio::test]
async fn long_lived_worker_goes_on_after_failures() {
    let env = TestEnv::with_own_servers().await;
    env.users(&[1, 2, 3]).await;
    let mut daemon = env.daemon().await;
    let socket = env.servers().folder().join("worker.sock");
    let address = format!("unix://{}", socket.display());
    let script = example("long-lived-worker/worker.php");
    let php = env.php().with("chatpush.timeout_ms=2000");
    let mut worker = php.program([script.to_str().expect("UTF-8"), &address]);
    let mut worker = worker.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("php starts");
    let mut printed = BufReader::new(worker.stdout.take().expect("a pipe")).lines();
    let first = timeout(TEST_TIMEOUT, printed.next_line()).await.expect("a line comes").expect("it is text");
    assert_eq!(first, Some(format!("listening on {address}")));
    let mut errors = BufReader::new(worker.stderr.take().expect("a pipe")).lines();
    let mut program = Program::connect(&socket).await;

    assert_eq!(program.send("a", 2, "first").await, json!({"id": "a", "result": "stored"}));
    assert_eq!(program.send("a", 2, "first").await, json!({"id": "a", "result": "stored"}));
    let mut browser = daemon.connect(3).await;
    browser.until_unread_count().await;
    assert_eq!(program.send("b", 3, "hello").await, json!({"id": "b", "result": "live"}));
    assert_eq!(browser.json().await["data"], "hello");

    program.write("nonsense").await;
    assert!(program.answer().await["error"].as_str().is_some_and(|error| error.starts_with("wanted: ")));
    let refused = program.send("c", 0, "nobody has this id").await;
    assert!(refused["error"].as_str().is_some_and(|error| error.contains("$receiver_id")), "{refused}");

    daemon.kill();
    let waiting = json!({"id": "d", "from": 1, "to": 2, "text": "second"});
    program.write(&waiting.to_string()).await;
    skip_to(&mut errors, "d waits: ").await;
    daemon = Daemon::start(&env).await;
    assert_eq!(program.answer().await, json!({"id": "d", "result": "stored"}));

    env.servers().kill_redis().await;
    let waiting = json!({"id": "e", "from": 1, "to": 2, "text": "third"});
    program.write(&waiting.to_string()).await;
    skip_to(&mut errors, "e waits: ").await;
    env.servers().start_redis().await;
    assert_eq!(program.answer().await, json!({"id": "e", "result": "stored"}));
    assert_eq!(
        (env.stored(2).await, env.unread(2).await),
        (["first", "second", "third"].map(str::to_owned).to_vec(), 3)
    );

    let pid = worker.id().expect("it runs");
    let signalled = Command::new("kill").arg(pid.to_string()).status().await.expect("kill starts");
    assert!(signalled.success());
    let ended = timeout(Duration::from_secs(10), worker.wait()).await.expect("it stops when asked");
    assert!(ended.expect("it has a status").success());
    daemon.stop();
}

/// Reads what the worker reports until a line begins as wanted. On a busy machine, other calls time out.
async fn skip_to(errors: &mut Lines<BufReader<ChildStderr>>, wanted: &str) {
    loop {
        let stderr = line(errors).await;
        assert!(!stderr.is_empty(), "the worker has ended");
        if stderr.starts_with(wanted) {
            return;
        }
    }
}

/// A forum with the example's own configuration: the push reaches who is there, and an outage breaks no page.
#[tokio::test]
async fn forum_messages_need_no_database() {
    let env = TestEnv::bare().await.with("CHATPUSH_MYSQL_URL", "mysql://nobody:nothing@127.0.0.1:1/none");
    let configuration = example("forum-messages/chatpush.toml");
    let checked = Daemon::command(&env, &["--config", configuration.to_str().expect("UTF-8"), "check"]).await;
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && !text.contains("MySQL"), "{checked:?}");

    let env = env.with("CHATPUSH_STORAGE", "none");
    let daemon = env.daemon().await;
    let mut browser = daemon.connect_with(2, "chatpush.v1").await;
    let plugin = example("forum-messages/plugin.php");
    let code = format!(
        "require '{}'; announce_private_message(5, 'Mira', 'Hello \u{4f60}', [3, 2]);",
        plugin.display()
    );
    assert_eq!(env.php().get(&code).await, "");
    let frame = browser.json().await;
    assert_eq!(frame["type"], "private_message");
    let news: Value = serde_json::from_str(frame["data"].as_str().expect("a text")).expect("JSON");
    assert_eq!(news, json!({"id": 5, "from": "Mira", "subject": "Hello \u{4f60}"}));

    let offline = env.php().with("chatpush.redis_url=redis://127.0.0.1:1").with("chatpush.timeout_ms=100");
    let text = offline.get(&format!("{code} echo 'the page goes on';")).await;
    assert!(text.starts_with("the page goes on") && text.contains("cannot be reached"), "{text}");
    let text = env.php().get(&code.replace("[3, 2]", "[0]")).await;
    assert!(text.contains("$receiver_ids[0] is 0"), "{text}");
}

/// What was sent while no daemon ran is handed over later, once, in order; what can never be is left out.
#[tokio::test]
async fn history_is_handed_over_once() {
    let env = TestEnv::new().await;
    env.users(&[1, 2]).await;
    let schema = std::fs::read_to_string(example("history-and-queue/schema.sql")).expect("it can be read");
    env.execute(&schema).await;
    for (receiver, body, handed_over) in [(2, "old", 1), (2, "one", 0), (-1, "to nobody", 0), (2, "two", 0)] {
        let values = format!("(1, {receiver}, '{body}', NOW(), {handed_over})");
        let columns = "sender_id, receiver_id, body, created_at, handed_over";
        env.execute(&format!("INSERT INTO history ({columns}) VALUES {values}")).await;
    }
    let hand_over = || async {
        let script = example("history-and-queue/hand-over.php");
        let command = env.php().with("display_errors=stderr").program([script]);
        texts(&with_database(&env, command).output().await.expect("php starts"))
    };
    let (code, _, stderr) = hand_over().await;
    assert_eq!(code, Some(75), "{stderr}");
    assert!(stderr.contains("message 2: no chatpushd is running"), "{stderr}");
    assert!(!stderr.contains("message 3"), "it stops at the first: {stderr}");

    let _daemon = env.daemon().await;
    let (code, printed, stderr) = hand_over().await;
    assert_eq!((code, printed.as_str()), (Some(0), "3 handed over\n"), "{stderr}");
    assert!(stderr.contains("message 3: ") && stderr.contains("$receiver_id"), "{stderr}");
    env.execute("UPDATE history SET handed_over = 0 WHERE body = 'one'").await;
    assert_eq!(hand_over().await.1, "1 handed over\n", "it is the same message");
    let stored = env.stored(2).await;
    let bodies: Vec<Value> = stored
        .iter()
        .map(|content| serde_json::from_str::<Value>(content).expect("JSON")["body"].clone())
        .collect();
    assert_eq!((bodies, env.unread(2).await), (vec![json!("one"), json!("two")], 2));
}

/// The steps of the example on a table with rows: none is lost or sent again, and new ones are marked.
#[tokio::test]
async fn history_table_keeps_every_row() {
    let read = |file| std::fs::read_to_string(example(file)).expect("it can be read");
    let configuration = example("history-table/chatpush.toml").display().to_string();
    let env = TestEnv::bare().await.with("CHATPUSH_CONFIG", configuration);
    env.execute(&read("history-table/before.sql").split_once('\n').expect("a comment").1.replace('\n', " "))
        .await;
    for body in ["old", "older"] {
        let values = format!("(1, 2, '{body}', '2024-01-01 00:00:00')");
        env.execute(&format!(
            "INSERT INTO message (sender_id, receiver_id, body, created_at) VALUES {values}"
        ))
        .await;
    }
    env.execute(&read("history-table/alter.sql")).await;
    for command in [&["migrate"][..], &["adopt", "--mark"], &["check"]] {
        let ran = Daemon::command(&env, command).await;
        assert!(ran.status.success(), "{command:?} {ran:?}");
    }

    let daemon = env.daemon().await;
    let functions = example("history-table/functions.php");
    let send = format!("require '{}'; send_message(1, 2, 'new', 'page-1');", functions.display());
    for _ in 0..2 {
        assert_eq!(env.php().get(&send).await, "");
    }
    let undelivered = "SELECT body FROM message WHERE delivered_at IS NULL";
    assert_eq!(env.query::<String>(undelivered).await, ["new"]);
    let mut browser = daemon.connect(2).await;
    assert_eq!(browser.until_unread_count().await, (vec!["new".to_owned()], 1));
    let reading = browser.keep_reading();
    eventually("it is marked", || env.query::<String>(undelivered), Vec::is_empty).await;
    let all: Vec<String> = env.query("SELECT body FROM message ORDER BY id").await;
    assert_eq!(all, ["old", "older", "new"]);
    reading.abort();
}

/// Guests and staff have text ids: both directions, live and stored, sorted by the guest.
#[tokio::test]
async fn guests_and_staff_reach_each_other() {
    let configuration = example("guest-support/chatpush.toml").display().to_string();
    let env = TestEnv::bare().await.with("CHATPUSH_CONFIG", configuration);
    for command in ["migrate", "check"] {
        let ran = Daemon::command(&env, &[command]).await;
        assert!(ran.status.success(), "{command} {ran:?}");
    }
    let daemon = env.daemon().await;
    let functions = example("guest-support/functions.php");
    let require = format!("require '{}';", functions.display());
    let guest = env.php().get(&format!("{require} echo visitor_id();")).await;
    assert!(guest.len() == 22 && guest.starts_with("guest."), "{guest}");
    let run = |who: &str, code: &str| {
        let code = format!("$_SESSION = ['visitor' => '{who}']; {require} {code}");
        let php = env.php();
        async move { php.get(&code).await }
    };
    let mut staff = daemon.connect_as("staff.mira").await;
    staff.until_unread_count().await;
    run(&guest, "ask('staff.mira', 'Where is my order?', 'g1');").await;
    let frame = staff.json().await;
    assert_eq!((&frame["from"], &frame["conversation"]), (&json!(guest), &json!(guest)), "{frame}");
    assert_eq!(frame["data"], "Where is my order?");

    for _ in 0..2 {
        run("staff.mira", &format!("answer('{guest}', 'On its way.', 's1');")).await;
    }
    assert_eq!(run(&guest, "echo getUnreadCount(visitor_id());").await, "1");
    let token = run(&guest, "echo ChatPush\\connectToken(visitor_id());").await;
    let mut page = Client::connect(daemon.port(), &token, Some("chatpush.v1")).await.expect("it is accepted");
    assert_eq!(page.until_unread_count().await, (vec!["On its way.".to_owned()], 1));
}

/// Of two jobs at once each user is mailed by one of them.
#[tokio::test]
async fn digest_mails_each_absent_user_once() {
    let env = TestEnv::new().await.with("CHATPUSH_NOTIFY_AFTER", "1");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    env.users(&[1, 2, 3]).await;
    let _daemon = env.daemon().await;
    env.php()
        .get(
            "storeOfflineMessage(1, 2, 'a'); storeOfflineMessage(1, 2, 'b'); storeOfflineMessage(1, 3, 'c');",
        )
        .await;
    let due = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE offer_at IS NOT NULL");
    eventually("both are due", due, |count| *count == [2]).await;
    let mails = env.servers().folder().join(format!("{}.mails", env.name()));
    let job = || {
        let script = example("mail-digest/digest.php");
        let sendmail = format!("sendmail_path=tee -a {}", mails.display());
        with_database(&env, env.php().with(&sendmail).program([script])).output()
    };
    let (first, second) = tokio::join!(job(), job());
    for output in [first, second] {
        let output = texts(&output.expect("php starts"));
        assert_eq!((output.0, output.2.as_str()), (Some(0), ""), "{output:?}");
    }
    let mails = std::fs::read_to_string(&mails).expect("there are mails");
    for (user, text) in [("user2", "You have 2 new messages."), ("user3", "You have a new message.")] {
        assert_eq!(mails.matches(&format!("To: {user}@chat.example")).count(), 1, "{mails}");
        assert!(mails.contains(text), "{mails}");
    }
    let output = texts(&job().await.expect("php starts"));
    assert_eq!((output.0, output.1.as_str()), (Some(0), ""), "nobody is due any more");
    env.php().get("storeOfflineMessage(1, 77, 'd');").await;
    eventually("a user without a row is due", due, |count| *count == [1]).await;
    let output = texts(&job().await.expect("php starts"));
    let named = "User 77 has no row in the table of users, and is not mailed.\n";
    assert_eq!((output.0, output.1.as_str(), output.2.as_str()), (Some(0), "", named));
}

/// Where each mail takes as long as the lease, a run mails one user and leaves the others to a later run. PHP's clock
/// counts the mails here.
#[tokio::test]
async fn digest_ends_when_a_mail_outlasts_the_lease() {
    let env = TestEnv::new().await.with("CHATPUSH_NOTIFY_AFTER", "1");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    env.users(&[1, 2, 3]).await;
    let _daemon = env.daemon().await;
    env.php().get("foreach ([1, 2, 3] as $user) storeOfflineMessage(9, $user, 'a');").await;
    let due = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE offer_at IS NOT NULL");
    eventually("all are due", due, |count| *count == [3]).await;
    let mails = env.servers().folder().join(format!("{}.mails", env.name()));
    let mailed = || std::fs::read_to_string(&mails).unwrap_or_default().matches("To: user").count();
    let clock = env.servers().folder().join(format!("{}.php", env.name()));
    let code = format!(
        "<?php function hrtime() {{ return substr_count((string) @file_get_contents('{}'), 'To: ') * 300_000_000_000; }}",
        mails.display()
    );
    std::fs::write(&clock, code).expect("it is written");
    let job = |is_slow: bool| {
        let mut php = env.php().with(&format!("sendmail_path=tee -a {}", mails.display()));
        if is_slow {
            let prepended = format!("auto_prepend_file={}", clock.display());
            php = php.with("disable_functions=hrtime").with(&prepended);
        }
        with_database(&env, php.program([example("mail-digest/digest.php")])).output()
    };
    let (code, _, stderr) = texts(&job(true).await.expect("php starts"));
    assert_eq!(stderr, "A mail took longer than 30 seconds: a later run mails the rest.\n");
    let told = "SELECT COUNT(*) FROM chatpush_notified WHERE told_at IS NOT NULL";
    assert_eq!((code, mailed(), env.query::<u64>(told).await), (Some(75), 1, vec![1]));
    env.execute("UPDATE chatpush_notified SET offer_at = 1, lease = NULL WHERE offer_at IS NOT NULL").await;
    let (code, _, stderr) = texts(&job(false).await.expect("php starts"));
    assert_eq!((code, stderr.as_str(), mailed()), (Some(0), "", 3));
}

/// Refused mails are counted, and a database that is away is one line: cron mails what it finds on stderr.
#[tokio::test]
async fn digest_says_what_went_wrong() {
    let env = TestEnv::new().await.with("CHATPUSH_NOTIFY_AFTER", "1");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    env.users(&[1, 2, 3]).await;
    let _daemon = env.daemon().await;
    env.php().get("storeOfflineMessage(1, 2, 'a'); storeOfflineMessage(1, 3, 'b');").await;
    let due = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE offer_at IS NOT NULL");
    eventually("both are due", due, |count| *count == [2]).await;
    let job = || {
        let php = env.php().with("display_errors=stderr").with("sendmail_path=/bin/false");
        with_database(&env, php.program([example("mail-digest/digest.php")]))
    };
    let mut unset = job();
    unset.env_remove("CHAT_MYSQL_SOCKET");
    let (code, _, stderr) = texts(&unset.output().await.expect("php starts"));
    assert_eq!((code, stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(stderr.starts_with("CHAT_MYSQL_SOCKET is not set"), "{stderr}");
    let mut away = job();
    away.env("CHAT_MYSQL_SOCKET", "/nonexistent");
    let (code, _, stderr) = texts(&away.output().await.expect("php starts"));
    assert_eq!((code, stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(stderr.starts_with("MySQL: "), "{stderr}");
    let (code, _, stderr) = texts(&job().output().await.expect("php starts"));
    assert_eq!((code, stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(stderr.starts_with("Mails that were refused: 2."), "{stderr}");
    let told = "SELECT COUNT(*) FROM chatpush_notified WHERE told_at IS NOT NULL";
    assert_eq!(env.query::<u64>(told).await, [0], "nobody was told");
}

/// With `notify.when` at `unread` the mail names what is not read: an open page has confirmed it, so nothing waits.
#[tokio::test]
async fn digest_counts_what_is_not_read() {
    let env = TestEnv::new().await.with("CHATPUSH_NOTIFY_AFTER", "1").with("CHATPUSH_NOTIFY_WHEN", "unread");
    assert!(Daemon::command(&env, &["migrate"]).await.status.success());
    env.users(&[1, 2]).await;
    let daemon = env.daemon().await;
    let mut page = daemon.connect_with(2, "chatpush.v1").await;
    env.php().get("foreach (['a', 'b'] as $id) ChatPush\\sendMessage(1, 2, 'x', 'chat', $id);").await;
    while page.json().await["id"] != "1:b" {}
    page.send_text(&json!({"ack": ["1:a", "1:b"]}).to_string()).await;
    let due = "SELECT COUNT(*) FROM chatpush_notified WHERE offer_at IS NOT NULL";
    eventually("the user is due", || env.query::<u64>(due), |count| *count == [1]).await;
    let waiting = || env.stored(2);
    eventually("nothing waits", waiting, Vec::is_empty).await;
    let mails = env.servers().folder().join(format!("{}.mails", env.name()));
    let job = || {
        let php = env.php().with(&format!("sendmail_path=tee -a {}", mails.display()));
        with_database(&env, php.program([example("mail-digest/digest.php")])).output()
    };
    let (code, _, stderr) = texts(&job().await.expect("php starts"));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let mailed = std::fs::read_to_string(&mails).expect("there is a mail");
    assert!(mailed.contains("You have 2 new messages."), "{mailed}");
}
