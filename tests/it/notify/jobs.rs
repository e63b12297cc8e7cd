//! Jobs of the application that overlap, and one that dies.

use std::process::Stdio;

use chatpush_tests::daemon::Daemon;
use chatpush_tests::eventually::eventually;
use chatpush_tests::test_env::TestEnv;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::{due, ids, installation, mark};

/// The lease of a job that is killed, in seconds.
const LEASE: u32 = 10;

/// A job of PHP: it takes at most five users, prints them, waits for a line, and says that they were told.
struct Job {
    php: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Job {
    /// Starts one that leases users for so many seconds.
    fn start(env: &TestEnv, lease: u32) -> Self {
        let code = format!(
            "$mine = array_column(ChatPush\\getDueNotifications(5, {lease}), 'user_id'); \
             echo json_encode($mine), PHP_EOL; fgets(STDIN); echo ChatPush\\markNotified($mine), PHP_EOL;"
        );
        let mut php = env.php().program(["-r", &code]);
        let mut php = php.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("PHP starts");
        let (input, output) = (php.stdin.take().expect("it has one"), php.stdout.take().expect("it has one"));
        Self { php, input, output: BufReader::new(output).lines() }
    }

    async fn line(&mut self) -> String {
        self.output.next_line().await.expect("it prints").expect("a line")
    }

    /// Whom it has taken.
    async fn users(&mut self) -> Vec<u64> {
        serde_json::from_str(&self.line().await).expect("JSON")
    }

    /// Goes on. Returns of how many users it could say that they were told.
    async fn finish(mut self) -> String {
        self.input.write_all(b"\n").await.expect("it reads");
        self.line().await
    }
}

/// An installation whose users 1 to 9 are due.
async fn nine_are_due() -> (TestEnv, Daemon) {
    let env = installation("undelivered").await;
    env.execute("INSERT IGNORE INTO `user` (id) SELECT seq FROM seq_1_to_9").await;
    let daemon = env.daemon().await;
    env.php().get("ChatPush\\sendToUsers(1, range(1, 9), 'x');").await;
    let all = || env.query::<u64>("SELECT COUNT(*) FROM chatpush_notified WHERE offer_at IS NOT NULL");
    eventually("all are due", all, |count| *count == [9]).await;
    (env, daemon)
}

/// Time of MySQL, by which leases end, in milliseconds.
async fn now(env: &TestEnv) -> u64 {
    env.query("SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS UNSIGNED)").await[0]
}

/// A job that begins while another one sends its mails takes the others, and each user is told once.
#[tokio::test]
async fn job_that_overlaps_another_tells_the_others() {
    let (env, _daemon) = nine_are_due().await;
    let mut first = Job::start(&env, 600);
    let mut users = first.users().await;
    assert_eq!(users.len(), 5);
    let mut second = Job::start(&env, 600);
    users.extend(second.users().await);
    assert_eq!(second.finish().await, "4", "told");
    assert_eq!(first.finish().await, "5", "told");
    users.sort_unstable();
    assert_eq!(users, (1..=9).collect::<Vec<_>>());
    assert_eq!(ids(&due(&env, 60).await), [0; 0]);
}

/// Whom a killed job has leased, no other job gets before the lease ends; then the next one gets all of them. Whom a
/// living job has leased is told by it alone.
#[tokio::test]
async fn users_of_a_killed_job_are_offered_when_its_lease_ends() {
    let (env, _daemon) = nine_are_due().await;
    let mut living = Job::start(&env, 600);
    let theirs = living.users().await;
    let begun = now(&env).await;
    let mut killed = Job::start(&env, LEASE);
    let mut lost = killed.users().await;
    assert_eq!((theirs.len(), lost.len()), (5, 4));
    killed.php.kill().await.expect("it runs");
    let next = || async { (ids(&due(&env, 600).await), now(&env).await) };
    let (mut users, at) = eventually("the next job gets users", next, |(users, _)| !users.is_empty()).await;
    users.sort_unstable();
    lost.sort_unstable();
    assert_eq!(users, lost);
    assert!(at >= begun + u64::from(LEASE) * 1_000, "{} ms after it began", at - begun);
    let all = users.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    assert_eq!(mark(&env, &all).await, "4");
    assert_eq!(living.finish().await, "5", "told");
    assert_eq!(ids(&due(&env, 60).await), [0; 0]);
}
